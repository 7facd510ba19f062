"""`vqa`: soft accuracy against ten people's answers, as VQAv2 and TextVQA define it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.verdict import Verdict
from judges.vqa_text import processed


class VqaJudge(TextJudge):
    """Mean over the people of min(1, how many of the *others* gave this answer / 3).

    With ten people that is 1 from four equal answers on, and 0.3, 0.6, 0.9 for one, two and three. Answers are compared
    as EvalAI's processor leaves them (`judges.vqa_text`), labels and response alike. The label is the list of the
    people's answers (texts, or VQAv2's mappings with an `answer`); the answer key is the processed answer.
    """

    name: ClassVar[str] = "vqa"
    Parameters = TextParams
    sources = ("vqa.py", "vqa_text.py")

    def label(self, item: ItemLike) -> tuple[str, ...]:
        target = item.target
        if isinstance(target, str) or not isinstance(target, Sequence) or len(target) < 2:
            raise LabelError(f"expected a list of several people's answers, found {target!r}")
        return tuple(processed(_text(answer)) for answer in target)

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        key = processed(answer)
        same = label.count(key)
        # Leaving out one who gave it leaves same - 1, leaving out another leaves all of them.
        score = (same * min(1.0, (same - 1) / 3) + (len(label) - same) * min(1.0, same / 3)) / len(label)
        return Verdict(score, answer=key)


def _text(answer: Any) -> str:
    found = answer.get("answer") if isinstance(answer, Mapping) else answer
    if not isinstance(found, str):
        raise LabelError(f"expected a person's answer as text, found {answer!r}")
    return found
