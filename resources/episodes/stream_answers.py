"""What an answer to a stream says, and what a baseline would say in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from string import ascii_uppercase
from typing import Any

from judges import Verdict, get_judge
from resources.episodes.stream_context import Frame
from resources.episodes.stream_script import Event, Question


class Answers:
    """Reads answers: those to questions by a judge of text, those to events as yes or no.

    reads: the judge; None: `choice` where a question has options, `exact` where it has none. Raises ValueError.
    """

    def __init__(self, reads: str | Mapping[str, Any] | None) -> None:
        self._options, self._free = get_judge(reads or "choice"), get_judge(reads or "exact")
        self._yes_no = get_judge("yes_no")

    def verdict(self, question: Question, text: str) -> Verdict:
        """Its score is None only where the row's answer is none that this judge can use."""
        judge = self._options if question.options else self._free
        found: Verdict = judge.judge({"target": question.answer, "choices": question.options}, text)  # type: ignore[attr-defined]
        return found

    def told(self, text: str) -> bool | None:
        """Whether the model says that an event has happened; None: neither yes nor no."""
        score = self._yes_no.judge({"target": "yes"}, text)  # type: ignore[attr-defined]
        return None if score.answer is None else score.answer == "yes"


def lettered(options: Sequence[str]) -> str:
    """`A. cat`, a line each; as they are where they begin so already."""
    ready = all(o.startswith(f"{letter}.") for letter, o in zip(ascii_uppercase, options, strict=False))
    return "\n".join(o if ready else f"{letter}. {o}" for letter, o in zip(ascii_uppercase, options, strict=False))


def scripted_answer(question: Question, shown: Sequence[Frame], policy: str, seed: str) -> str | None:
    """What a baseline says to a question; None where it has nothing to say.

    `oracle` knows. `random` draws an option. `observer` knows where a frame that is shown lies in the question's
    evidence, and draws one elsewhere: the most that the frames left by a context policy allow.
    """
    if policy == "observer" and question.evidence is None:
        return None
    if policy == "oracle" or (policy == "observer" and _shows(shown, question.evidence)):
        return str(question.answer)
    if policy in ("random", "observer") and question.options:
        return Random(seed).choice(ascii_uppercase[: len(question.options)])  # noqa: S311 - a guess
    return None


def scripted_word(event: Event, time: float, shown: Sequence[Frame], policy: str, seed: str) -> str | None:
    """The same of an event: yes or no. `observer` says yes where a frame that is shown lies behind its beginning."""
    happened = event.at is not None and event.at <= time
    match policy:
        case "oracle":
            return "yes" if happened else "no"
        case "random":
            return Random(seed).choice(("yes", "no"))  # noqa: S311 - a guess
        case "observer":
            return "yes" if event.at is not None and _shows(shown, (event.at, time)) else "no"
    return None


def _shows(frames: Sequence[Frame], span: tuple[float, float] | None) -> bool:
    return span is not None and any(span[0] <= f.time <= span[1] for f in frames)
