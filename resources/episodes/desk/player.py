"""The desk's player: the conversation between a model, its tools and a customer, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, get_args, get_origin

from resources.episodes.base import Episode, Outcome, Player, Turn, opened
from resources.episodes.desk.answers import Call, NoAction, Say, read_action
from resources.episodes.desk.case import Case
from resources.episodes.desk.customer import Customer
from resources.episodes.desk.shop import POLICY, Shop, ToolError, differences
from resources.episodes.desk.tools import TOOLS, InvalidCall, checked, ran, schemas, violations
from resources.models.base import Message

_GRAMMAR = """\
Answer with one JSON object and nothing else. It is either a call of a tool,
{"tool": "get_order", "args": {"order_id": "W1"}}
whose result you see next, or words to the customer,
{"say": "How can I help you?"}
whose reply you see next."""
_SMALL_TALK = ("How can I help you?", "What is your e-mail address?", "Shall I go ahead?", "Is there anything else?")


@dataclass
class _Talk:
    """A conversation so far."""

    shop: Shop
    customer: Customer
    said: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    calls: int = 0
    valid: int = 0
    unreadable: int = 0
    in_a_row: int = 0  # unreadable answers at the end
    over: bool = False


class DeskPlayer(Player):
    """params: repairs (answers in a row that may be no action: one more ends the episode; 3).

    An item's row holds `data`, `customer`, `actions` and `tell` as JSON texts: see `Case`. How the customer words it
    follows from the sample's seed, so that samples of an item are paraphrases.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        if unknown := set(params) - {"repairs"}:
            raise ValueError(f"no parameter {sorted(unknown)[0]!r}: it takes repairs")
        self._repairs = params.get("repairs", 3)
        if not isinstance(self._repairs, int) or self._repairs < 0:
            raise ValueError(f"repairs must be a number of answers, from 0 on, not {self._repairs!r}")

    async def play(self, episode: Episode) -> Outcome:
        case = Case.of(episode.doc)
        talk = _Talk(Shop.of(case.data), Customer(case.customer, episode.seed))
        heard = f"Customer: {talk.customer.opening}"
        today = f"Today is {case.data.get('today')}."
        rules = f"\n\n{POLICY}\n\n{today}\n\nTools\n{schemas()}\n\n{_GRAMMAR}\n\n{heard}"
        messages = list(opened(episode.instructions, ("text", rules)))
        while not (talk.over or episode.exhausted):
            if episode.steps:
                messages.append(Message("user", (("text", heard),)))
            turn = Turn(tuple(messages), seen={"heard": heard}, scripted=_Scripts(case, talk, episode))
            answer = await episode.ask(turn)
            messages.append(Message("assistant", (("text", answer.text),)))
            heard = self._act(talk, episode, answer.text)
        return _outcome(case, talk, episode.steps)

    def _act(self, talk: _Talk, episode: Episode, text: str) -> str:
        """Does what an answer says; what the agent hears next."""
        try:
            action = read_action(text)
        except NoAction as error:
            talk.unreadable += 1
            talk.in_a_row += 1
            talk.over = talk.in_a_row > self._repairs
            episode.acted(None, error=str(error))
            return f"Your answer was no action: {error}. {_GRAMMAR}"
        talk.in_a_row = 0
        return _say(talk, episode, action) if isinstance(action, Say) else _call(talk, episode, action)


def _say(talk: _Talk, episode: Episode, action: Say) -> str:
    talk.said.append(action.text)
    reply = talk.customer.reply(action.text)
    talk.shop.agreed, talk.over = reply.agreed, reply.stop
    episode.acted(f"say: {action.text}", reply=reply.text)
    return f"Customer: {reply.text}"


def _call(talk: _Talk, episode: Episode, call: Call) -> str:
    talk.calls += 1
    name = f"{call.tool}({json.dumps(dict(call.args), ensure_ascii=False)})"
    broken: list[str] = []
    try:
        tool = checked(call)
        talk.valid += 1
        broken = violations(tool, talk.shop)
        result = json.dumps(ran(tool, talk.shop), ensure_ascii=False)
    except (InvalidCall, ToolError) as error:
        result = f"error: {error}"
    talk.broken += broken
    episode.acted(name, result=result, violations=broken)
    return f"Result: {result}"


def _outcome(case: Case, talk: _Talk, steps: int) -> Outcome:
    wrong, untold = differences(talk.shop.data, case.goal), case.untold(talk.said)
    success = not wrong and not untold and talk.over and not talk.in_a_row
    values = {
        "compliant": float(success and not talk.broken), "violations": len(talk.broken), "turns": steps,
        "calls": talk.calls, "valid_calls": talk.valid, "unreadable": talk.unreadable,
    }  # fmt: skip
    details = {"wrong": wrong, "untold": untold, "violations": talk.broken}
    return Outcome(float(success), values, "" if success else _failure(talk, wrong), details=details)


def _failure(talk: _Talk, wrong: Sequence[str]) -> str:
    """Why a conversation did not succeed: the first of these that holds."""
    if talk.in_a_row and talk.over:
        return "invalid_action"
    if not talk.over:
        return "budget"
    if wrong:
        return "policy_violation" if talk.broken else "wrong_state"
    return "not_told"


@dataclass(frozen=True)
class _Scripts:
    """What baselines answer at a turn."""

    case: Case
    talk: _Talk
    episode: Episode

    def __call__(self, policy: str) -> str | None:
        step = self.episode.steps  # of turns before this one and this one
        if policy == "oracle":
            return self.case.actions[min(step, len(self.case.actions)) - 1]
        return self._random(Random(f"{self.episode.seed} {step}")) if policy == "random" else None  # noqa: S311

    def _random(self, random: Random) -> str:
        """Any tool with any words of the data, or small talk."""
        if random.random() < 0.3:
            return json.dumps({"say": random.choice(_SMALL_TALK)})
        name = random.choice(list(TOOLS))
        words = sorted(_words(self.talk.shop.data))
        args = {
            field: random.choice(get_args(info.annotation) if get_origin(info.annotation) is Literal else words)
            for field, info in TOOLS[name].model_fields.items()
        }
        return json.dumps({"tool": name, "args": args})


def _words(data: Any) -> set[str]:
    """All texts in the data, keys too."""
    if isinstance(data, Mapping):
        return {str(key) for key in data}.union(*map(_words, data.values()))
    if isinstance(data, list):
        return set().union(*map(_words, data))
    return {str(data)}
