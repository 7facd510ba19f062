"""`math`: mathematical equality, and for multiple-choice items the option that the answer amounts to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from judges import math_worker, mathvision
from judges.base import ItemLike, LabelError, ResponseLike, TextJudge, TextParams
from judges.extract import boxed, strip_reasoning
from judges.math_compare import quick, rational_key
from judges.math_text import MAX_CHARS, Expression, clean, final_expression, is_math
from judges.math_worker import WORKERS, TooHard, compare
from judges.metric import Metric
from judges.options import find_choice, index_of_label, letter_of
from judges.verdict import Verdict

UNCOMPARABLE = "uncomparable"  # the comparison was given up: scored as wrong
PUBLISHED = "published"


class MathParams(TextParams):
    """published: the benchmark (and module) whose own rule judges the whole response, beside ours."""

    published: Literal["mathvision"] | None = None


@dataclass(frozen=True, slots=True)
class _Label:
    """index: of the right option, for an item with options. expression: else the right value."""

    index: int | None
    expression: Expression


class MathJudge(TextJudge):
    """Equality as mathematics means it: 1/2 = 0.5 = \\frac{2}{4}, 2\\sqrt{3} = \\sqrt{12}.

    Of an extracted text it reads, in this order, the box, the stated answer, all of it, or its last
    expression. With options, a letter or an option's text names one; so does a value equal to
    exactly one of them. A decimal is equal to what it renders to six places (0.333333 is 1/3, 3.14
    is not pi). Units may be left out; two different ones are different answers; none is converted.
    `50%` equals both 50 and 0.5.

    A comparison that is given up (see `judges.math_worker` for the limit) is a wrong answer with the
    flag `uncomparable`: what cannot be shown equal in that time was not the answer asked for, and
    a model must not gain by writing monsters. Losing the process for any other reason is unscored.
    """

    name: ClassVar[str] = "math"
    Parameters = MathParams
    sources = ("mathematics.py", "math_compare.py", "math_text.py", "math_worker.py", "mathvision.py")
    libraries = ("math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime")
    threads = WORKERS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("accuracy"), *(Metric(f"accuracy_{name}", {name: 1.0}) for name in self.components))

    @property
    def components(self) -> tuple[str, ...]:
        return (PUBLISHED,) if self.params.published else ()

    def label(self, item: ItemLike) -> _Label:
        if item.choices:
            index = index_of_label(item.target, item.choices)
            if index is None:
                raise LabelError(f"{item.target!r} is no letter, text or index of an option of {item.choices}")
            return _Label(index, clean(item.choices[index]))
        if isinstance(item.target, bool) or not isinstance(item.target, str | int | float):
            raise LabelError(f"expected an expression or a number, found {item.target!r}")
        expression = clean(str(item.target))
        if not expression.body:
            raise LabelError(f"no expression in {item.target!r}")
        return _Label(None, expression)

    def read(self, item: ItemLike, text: str) -> str | None:
        found = super().read(item, text)
        if found is None:
            return None
        if item.choices:
            # Where options are mathematics, one of them in passing ("30 degrees is half of ...")
            # names nothing: then the final expression is compared with each.
            mention = not any(is_math(option) for option in item.choices)
            for part in (*reversed(boxed(found)), found):
                letter = find_choice(part, item.choices, mention=mention)
                if letter is not None:
                    return letter
        return final_expression(found)

    def decide(self, item: ItemLike, label: _Label, answer: str) -> Verdict:
        if len(answer) > MAX_CHARS:
            return Verdict(0.0, answer=answer[:MAX_CHARS], flags=(UNCOMPARABLE,))
        expression = clean(answer)
        if label.index is None:
            equal, given_up = _equal(label.expression, expression)
            key = rational_key(label.expression if equal else expression)
            return Verdict(float(equal), answer=key, flags=(UNCOMPARABLE,) if given_up else ())
        assert item.choices is not None
        letters = [letter_of(i) for i in range(len(item.choices))]
        if answer in letters:
            return Verdict(float(answer == letters[label.index]), answer=answer)
        matches, given_up = _matching(item.choices, expression)
        if len(matches) == 1:
            return Verdict(float(matches[0] == label.index), answer=letters[matches[0]])
        return Verdict(0.0, answer=rational_key(expression), flags=(UNCOMPARABLE,) if given_up else ())

    def _judge(self, item: ItemLike, response: ResponseLike) -> Verdict:
        verdict = super()._judge(item, response)
        if self.params.published is None or verdict.score is None:
            return verdict
        text = strip_reasoning(response.text) if self.extraction.strip_reasoning else response.text
        index = self.label(item).index
        wanted = [str(item.target)] if index is None else [letter_of(index), (item.choices or ())[index]]
        return replace(verdict, values={PUBLISHED: float(mathvision.right(wanted, text, _value))})


def _value(text: str) -> float | None:
    """None as well where the value was given up: nothing equals it."""
    try:
        return math_worker.value(text)
    except TooHard:
        return None


def _matching(choices: tuple[str, ...], answer: Expression) -> tuple[list[int], bool]:
    """Indices of the options that `answer` equals, and whether a comparison was given up."""
    options = [clean(choice) for choice in choices]
    same = [i for i, option in enumerate(options) if quick(option, answer)]
    if same or not is_math(answer.body):
        return same, False
    outcomes = [_equal(option, answer) if is_math(option.body) else (False, False) for option in options]
    return [i for i, (equal, _) in enumerate(outcomes) if equal], any(given_up for _, given_up in outcomes)


def _equal(label: Expression, answer: Expression) -> tuple[bool, bool]:
    """Whether the two are equal, and whether the question was given up."""
    decided = quick(label, answer)
    if decided is None and not (is_math(label.body) and is_math(answer.body)):
        decided = False
    if decided is not None:
        return decided, False
    try:
        return compare(label.body, answer.body), False
    except TooHard:
        return False, True
