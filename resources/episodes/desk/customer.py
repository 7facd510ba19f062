"""The customer, by script: has a wish, answers what is asked of facts they know, agrees, insists, says goodbye."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

# What a sentence that asks for a fact looks like; other facts are asked for by their own name.
_ASKED = {
    "email": r"e-?mail",
    "name": r"\bname\b|who are you|identi[ft]y",
    "postcode": r"post ?code|postal code|\bzip\b",
    "order": r"\border('s)? (number|id)\b|(which|what|your) order\b",
    "reason": r"\breason\b|\bwhy\b",
    "address": r"(?<!mail )\baddress\b|\bwhere\b",
    "variant": r"\bvariant\b|(which|what) (one|colou?r|size)|instead\b",
}
_REQUEST = re.compile(r"\?|\bplease\b|\bneed\b|\brequire|\bprovide\b|\btell me\b|\bcould you\b|\bmay i\b", re.I)
_GO_AHEAD = re.compile(
    r"\b(shall|should) (i|we)\b|\bgo ahead\b|\bproceed\b|\bdo you (agree|want)\b|\bwould you like (me|us)\b",
    re.I,
)
# These ask for agreement only where they do not ask for a fact.
_CONFIRM = re.compile(
    r"\bconfirm|\b(may|can) (i|we)\b|\bis (that|this) (right|correct|ok|okay)\b|\bokay\?|\bagree\b", re.I
)
_HELP = re.compile(r"\bhelp\b|\bassist\b|\bwhat can i do\b", re.I)
_ELSE = re.compile(r"\banything else\b|\bsomething else\b|\b(further|other|more) (help|questions?)\b", re.I)
_ORDER = re.compile(r"\bW\d+\b")

_AGREES = ("Yes, please go ahead.", "Yes, do that.", "Sure, I agree.")
_TELLS = ("The {name} is {value}.", "It is {value}.", "{value}.")
_DONE = ("Has that been done now?", "All right. Is it done, then?", "And, is it settled?")
_GOODBYE = ("No, thank you. Goodbye.", "That is all, thanks. Bye.", "No, that was everything. Goodbye.")


@dataclass(frozen=True, slots=True)
class Reply:
    """text: what the customer says. agreed: the desk may go ahead. stop: they hung up."""

    text: str
    agreed: bool = False
    stop: bool = False


class Customer:
    """opens: ways to begin, one of which is taken. facts: name -> what they know. insists: said before they give up.

    The words follow from the seed; what is meant by them does not.
    """

    def __init__(self, user: Mapping[str, Any], seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - words
        self._facts: Mapping[str, str] = user.get("facts") or {}
        self._insists: list[str] = list(user.get("insists") or [])
        self._patience, self._repeated = 1, False
        self.opening = self._one_of(user["opens"])

    def reply(self, said: str) -> Reply:
        """The answer to what the desk said."""
        told = [self._tell(name) for name in self._facts if self._is_asked(name, said)]
        if "?" in said and not told and _HELP.search(said) and not _ELSE.search(said):
            return Reply(self.opening)
        go_ahead = bool(_GO_AHEAD.search(said)) and "?" in said and not _ELSE.search(said)
        if go_ahead or (_CONFIRM.search(said) and not told):
            return self._decide(said, told)
        if told:
            return Reply(" ".join(told))
        if self._insists:
            return Reply(self._insists.pop(0))
        if _ELSE.search(said):
            return Reply(self._one_of(_GOODBYE), stop=True)
        if "?" in said:
            repeated, self._repeated = self._repeated, True
            return Reply("I do not know." if repeated else self.opening)
        if self._patience:
            self._patience -= 1
            return Reply(self._one_of(_DONE))
        return Reply(self._one_of(_GOODBYE), stop=True)

    def _decide(self, said: str, told: list[str]) -> Reply:
        mine, named = self._facts.get("order"), _ORDER.findall(said)
        if mine and named and mine not in named:
            return Reply(f"No, it is about order {mine}.")
        return Reply(" ".join([self._one_of(_AGREES), *told]), agreed=True)

    def _is_asked(self, name: str, said: str) -> bool:
        """Whether a sentence asks for the fact, and does not state it itself."""
        asked, known = re.compile(_ASKED.get(name, re.escape(name)), re.I), self._facts[name]
        sentences = re.split(r"(?<=[.!?\n])\s+", said)
        return any(_REQUEST.search(s) and asked.search(s) and known not in s for s in sentences)

    def _tell(self, name: str) -> str:
        return self._one_of(_TELLS).format(name=name, value=self._facts[name])

    def _one_of(self, ways: Sequence[str]) -> str:
        return self._random.choice(ways)
