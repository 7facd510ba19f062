"""What all judges that ask a model share: who is asked how often, and what becomes of replies."""

from __future__ import annotations

import copy
import hashlib
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from judges.asking import Ask, JudgeClient, NoClient, Reply
from judges.base import ItemLike, Judge, LabelError, ResponseLike, as_item, as_response
from judges.extract import Extract, extract, strip_reasoning
from judges.llm_params import LLMParams, column
from judges.metric import Metric
from judges.pictures import pictures, unseen
from judges.prompt import PromptError, compiled
from judges.readings import means, spread
from judges.refusal import is_outright_refusal, is_refusal
from judges.reply import Unreadable
from judges.verdict import EMPTY, NO_ANSWER, REFUSAL, TRUNCATED, Verdict

Messages = tuple[tuple[str, str], ...]
# Components of every verdict of an asked judge, beside its parts.
LENGTH, SPREAD, READ, ASKED, HUMAN = "length", "judge_sd", "judge_read", "judge_asked", "human"
NOT_REACHED = "judge not reached"


@dataclass(frozen=True, slots=True)
class Case:
    """One answer before the judge: `answer` is the extracted text, `variables` what prompts may print."""

    item: ItemLike
    answer: str
    flags: tuple[str, ...]
    variables: Mapping[str, Any]


class LLMJudge(Judge):
    """Asks judge models, each K times, and averages what they say.

    Per answer: the mean over judge models of the mean over each one's readable replies. A reply that is a refusal,
    empty or unreadable is left out; where none is left, the answer is unscored with the reason. Components:
    the judge's own `parts`, `length` (characters of the answer), `judge_sd` (spread of one judge model's K replies,
    NaN for K = 1), `judge_asked` and `judge_read` replies, `run<k>_<part>` for K > 1, `by_<model>` for a panel,
    `human` where the data have a human's verdict.

    `asks` and `verdict` are pure; `judge_many` puts the client between them.
    """

    Parameters: ClassVar[type[LLMParams]] = LLMParams
    # The parts that are also told for each of the K runs.
    run_parts: ClassVar[tuple[str, ...]] = ("score",)
    _sources = (
        "asking.py", "function.py", "llm_base.py", "llm_params.py", "pictures.py", "prompt.py",
        "readings.py", "reply.py",
    )  # fmt: skip
    libraries = ("jinja2",)

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._client: JudgeClient | None = None

    # --- what a kind of judge decides -------------------------------------------------------------

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names of what one reading of the judge tells, `score` first."""

    @abstractmethod
    def conversations(self, case: Case) -> dict[str, Messages]:
        """slot -> messages: what is asked about one answer. Raises LabelError, PromptError."""

    @abstractmethod
    def read_texts(self, case: Case, texts: Mapping[str, str]) -> dict[str, float]:
        """slot -> text of one judge model's one sample, as the values of `parts`. Raises Unreadable."""

    @abstractmethod
    def worst(self) -> dict[str, float]:
        """The parts of an answer that is none: empty, or a refusal."""

    @abstractmethod
    def human_score(self, label: Any) -> float:
        """A human's verdict in the unit of the score. Raises LabelError saying what is expected."""

    @property
    def response_format(self) -> dict[str, Any] | None:
        """The JSON schema that replies are held to, as endpoints take it."""
        return None

    # --- the judge --------------------------------------------------------------------------------

    @property
    def models(self) -> tuple[str, ...]:
        models: tuple[str, ...] = self.params.model
        return models

    @property
    def extraction(self) -> Extract:
        return self.params.extract or Extract()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(Metric(part, {part: 1.0}) for part in self.parts)

    @property
    def components(self) -> tuple[str, ...]:
        runs = range(1, self.params.samples + 1) if self.params.samples > 1 else ()
        by_run = tuple(f"run{k}_{part}" for k in runs for part in self.run_parts)
        panel = tuple(map(column, self.models)) if len(self.models) > 1 else ()
        human = (HUMAN,) if self.params.human is not None else ()
        return (*(p for p in self.parts if p != "score"), LENGTH, SPREAD, READ, ASKED, *by_run, *panel, *human)

    def with_client(self, client: JudgeClient) -> Self:
        """The same judge with somebody to ask."""
        judge = copy.copy(self)
        judge._client = client
        return judge

    async def judge_many(self, items: Sequence[Any], responses: Sequence[Any]) -> list[Verdict]:
        if len(items) != len(responses):
            raise ValueError(f"{len(items)} items but {len(responses)} responses: one response for each item")
        if self._client is None:
            raise NoClient(f"judge {self.name!r} asks a model: give it a client by with_client()")
        asked = [self.asks(item, response) for item, response in zip(items, responses, strict=True)]
        replies = await self._client.ask([ask for asks in asked for ask in asks])
        verdicts, at = [], 0
        for item, response, asks in zip(items, responses, asked, strict=True):
            verdicts.append(self.verdict(item, response, replies[at : at + len(asks)]))
            at += len(asks)
        return verdicts

    def asks(self, item: Any, response: Any) -> tuple[Ask, ...]:
        """What has to be asked about one response; nothing where the verdict needs no judge model."""
        case = self._case(item, response)
        if isinstance(case, Verdict):
            return ()
        try:
            conversations = self.conversations(case)
        except (LabelError, PromptError):
            return ()  # `verdict` says why
        gen = dict(self.params.generation)
        if self.params.structured and (schema := self.response_format):
            gen["response_format"] = schema
        seed, item_id = gen.get("seed"), str(getattr(item, "id", ""))
        seen = pictures(item) if self.params.media else ()
        return tuple(
            Ask(model, messages, gen if seed is None else {**gen, "seed": seed + sample}, sample, slot, item_id, seen)
            for model in self.models
            for sample in range(self.params.samples)
            for slot, messages in conversations.items()
        )

    def verdict(self, item: Any, response: Any, replies: Sequence[Reply]) -> Verdict:
        """The verdict that follows from the replies to `asks(item, response)`, in their order."""
        case = self._case(item, response)
        if isinstance(case, Verdict):
            return self._with_human(item, case)
        try:
            slots = list(self.conversations(case))
        except LabelError as error:
            return Verdict.not_scored(f"unusable label: {error}")
        except PromptError as error:
            return Verdict.not_scored(f"judge error: {error}")
        readings: list[dict[str, float] | str] = []
        for at in range(0, len(replies), len(slots)):
            readings.append(self._read(case, dict(zip(slots, replies[at : at + len(slots)], strict=True))))
        return self._with_human(item, self._combined(case, readings))

    # --- from replies to one verdict ----------------------------------------------------------------

    def _read(self, case: Case, replies: Mapping[str, Reply]) -> dict[str, float] | str:
        """The values of the parts, or why there are none."""
        if failure := next((r.failure for r in replies.values() if r.failure), None):
            return failure
        try:
            return self.read_texts(case, {slot: strip_reasoning(reply.text) for slot, reply in replies.items()})
        except Unreadable as error:
            if any(reply.cut_off for reply in replies.values()):
                return f"judge was cut off: {error}"
            return str(error)

    def _combined(self, case: Case, readings: Sequence[dict[str, float] | str]) -> Verdict:
        k = self.params.samples
        rows = [readings[i : i + k] for i in range(0, len(readings), k)]  # one a judge model
        by_row = [means([r for r in row if isinstance(r, dict)], self.parts) for row in rows]
        known = [m for m in by_row if m is not None]
        counts = {LENGTH: float(len(case.answer)), ASKED: float(len(readings))}
        counts[READ] = float(sum(isinstance(r, dict) for r in readings))
        if not known:
            reasons = [r for r in readings if isinstance(r, str)]
            others = f" (and {len(reasons) - 1} more replies without one)" if len(reasons) > 1 else ""
            return Verdict(None, flags=case.flags, values=counts, unscored=(reasons[0] + others)[:500])
        parts = means(known, self.parts) or {}
        values = {**{n: v for n, v in parts.items() if n != "score"}, **counts, SPREAD: spread(rows)}
        if k > 1:
            for run in range(k):
                one = means([row[run] for row in rows if isinstance(row[run], dict)], self.parts)  # type: ignore[misc]
                values |= {f"run{run + 1}_{p}": one[p] if one else math.nan for p in self.run_parts}
        if len(self.models) > 1:
            by_model = zip(self.models, by_row, strict=True)
            values |= {column(model): math.nan if mean is None else mean["score"] for model, mean in by_model}
        return Verdict(parts["score"], flags=case.flags, values=values)

    def _with_human(self, item: Any, verdict: Verdict) -> Verdict:
        if self.params.human is None:
            return verdict
        try:
            said = compiled(self.params.human)(_variables(as_item(item)))
            value = self.human_score(said) if said.strip() else math.nan
        except (PromptError, LabelError):
            value = math.nan
        return replace(verdict, values={**verdict.values, HUMAN: value})

    # --- what needs no judge model ------------------------------------------------------------------

    def _case(self, item: Any, response: Any) -> Case | Verdict:
        """The answer as the judge will see it; a verdict where none needs to be asked for."""
        item, response = as_item(item), as_response(response)
        if response.error is not None:
            return Verdict.not_scored(f"no response: {response.error.kind}: {response.error.message}")
        if response.finish_reason == "error":
            return Verdict.not_scored("no response: the request failed without a reason")
        if self.params.needs_reference and item.target is None:
            return Verdict.not_scored("missing label")
        if self.params.media and (why := unseen(item)):
            return Verdict.not_scored(why)
        text = strip_reasoning(response.text) if self.extraction.strip_reasoning else response.text
        answer = extract(text, self.extraction, item.choices) if text.strip() else None
        flags = (TRUNCATED,) if response.finish_reason == "length" else ()
        if answer is None or not answer.strip():
            return self._none(flags, _fault(response, text))
        if response.finish_reason == "content_filter" or is_outright_refusal(answer):
            if self.params.refusals == "wrong" or response.finish_reason == "content_filter":
                return self._none(flags, REFUSAL)
            flags = (*flags, REFUSAL)
        return Case(item, answer, flags, _variables(item))

    def _none(self, flags: tuple[str, ...], fault: str) -> Verdict:
        return self._unasked(self.worst(), (*flags, fault), 0)

    def _unasked(self, parts: Mapping[str, float], flags: tuple[str, ...], length: int) -> Verdict:
        """The verdict of these parts, of which no judge model knows."""
        zero = {LENGTH: float(length), ASKED: 0.0, READ: 0.0, SPREAD: math.nan}
        told = {name: value for name, value in parts.items() if name != "score"}
        runs = {n: parts[n.partition("_")[2]] for n in self.components if n.startswith("run")}
        panel = dict.fromkeys(map(column, self.models), math.nan) if len(self.models) > 1 else {}
        return Verdict(parts["score"], flags=flags, values={**told, **zero, **runs, **panel})

    @property
    @abstractmethod
    def prompt(self) -> str:
        """The template that is put to the judge models."""

    @property
    def prompt_digest(self) -> str:
        """Hex digest of what is put to the judge models, apart from the rest of the rule."""
        told = "\x1f".join([self.params.system, self.prompt, self.params.rubric, self.params.question])
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    def _common(self, case: Case) -> dict[str, Any]:
        """What the prompts of every kind of judge may print."""
        p, known = self.params, case.variables
        reference = None if p.reference is None or case.item.target is None else compiled(p.reference)(known)
        rendered = {"question": compiled(p.question)(known), "rubric": compiled(p.rubric)(known)}
        return {**known, **rendered, "reference": reference}

    def _conversation(self, variables: Mapping[str, Any]) -> Messages:
        system, user = compiled(self.params.system)(variables), compiled(self.prompt)(variables)
        return (("system", system), ("user", user)) if system else (("user", user),)

    def _digest_params(self) -> Any:
        return {**self.params.model_dump(mode="json"), "prompt": self.prompt}


def _fault(response: ResponseLike, text: str) -> str:
    if not response.text.strip():
        return REFUSAL if response.finish_reason == "content_filter" else EMPTY
    return REFUSAL if is_refusal(text) else NO_ANSWER


def _variables(item: ItemLike) -> dict[str, Any]:
    """What every template may print: the row, the label (several accepted ones as one text), the options."""
    target = item.target
    if isinstance(target, list | tuple):
        target = " or ".join(map(str, target))
    return {"doc": item.doc, "target": target, "choices": item.choices}
