"""Questions worth a human's look: what several samples of several models say about each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from stats.answers import Answers, answer_codes, majority_codes
from stats.arrays import Vector, join_notes
from stats.variance import item_variances, samples

Pattern: TypeAlias = Literal["suspected_key", "ambiguous", "model_weakness", "confidently_wrong"]
# The order is that of a reader's interest: what is wrong with the benchmark comes first.
PATTERNS: tuple[Pattern, ...] = ("suspected_key", "ambiguous", "model_weakness", "confidently_wrong")

MEANING: dict[Pattern, str] = {
    "suspected_key": "every model gives the same answer and it counts as wrong: look at the answer key",
    "ambiguous": "every model wavers: the question may be ambiguous",
    "model_weakness": "one model wavers where the others are steady: a weakness of that model",
    "confidently_wrong": "always the same answer, always wrong: wrong knowledge",
}


class ModelSamples(NamedTuple):
    """scores: (n,) or (n, K); answers: extracted answers in the same shape, None where there is none."""

    scores: npt.ArrayLike
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class QuestionFinding:
    """One item and one pattern. item: its row; models: those that show it; answer: theirs, if they share one.

    internal_variance: model -> unbiased variance of its scores on the item, NaN with one scored sample.
    """

    item: int
    pattern: Pattern
    models: tuple[str, ...]
    answer: Hashable
    internal_variance: dict[str, float]


@dataclass(frozen=True, slots=True)
class QuestionDiagnostics:
    """findings: by pattern (`PATTERNS`), then by item; counts: items of each pattern; n: items looked at."""

    findings: tuple[QuestionFinding, ...]
    counts: dict[Pattern, int]
    n: int
    high_variance: float
    note: str = ""


class _Model(NamedTuple):
    scores: Vector  # (n, K)
    variance: Vector  # (n,)
    wrong: npt.NDArray[np.bool_]  # (n,) every scored sample is 0, and there is one
    answer: list[Hashable]  # (n,) the answer of most samples; None without one
    same: npt.NDArray[np.bool_]  # (n,) all scored samples gave it


def question_diagnostics(
    by_model: Mapping[str, ModelSamples | tuple[npt.ArrayLike, Answers | None]], *, high_variance: float = 0.15
) -> QuestionDiagnostics:
    """The patterns of LMMs-Eval v0.6 (section 2.5) and suspected answer keys, over the same items in the same order.

    by_model: model -> its scores, (n,) or (n, K) with NaN unscored, and its extracted answers or None.
    high_variance: of an item's scores, from which on a model wavers; the paper's unstable model has 0.15.

    ambiguous          the variance is high in all of two or more models
    model_weakness     it is high in exactly one of two or more, and known and lower in the others
    confidently_wrong  two or more samples, variance 0, all wrong, and where answers are given one answer, the
                       same in all; for each such model (an empty answer is not confident)
    suspected_key      two or more models, none right in any sample, and all with the same majority answer

    An item that some model has no score for shows neither pattern of all models. Nothing is said about wavering
    with one sample an item, nor about keys without answers; the note says so. Raises ValueError for no model,
    rows that differ in number, or a threshold that is not above 0.
    """
    if not by_model:
        raise ValueError("no model to look at: give a mapping, model to (scores, answers)")
    if not high_variance > 0:
        raise ValueError(f"high_variance is a variance above 0, such as 0.15, not {high_variance}")
    models = {name: _model(name, *given) for name, given in by_model.items()}
    lengths = {name: len(model.scores) for name, model in models.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all models must have the same items in the same order, but their numbers are {lengths}")
    n = next(iter(lengths.values()))
    found = [finding for item in range(n) for finding in _of_item(item, models, high_variance)]
    found.sort(key=lambda finding: PATTERNS.index(finding.pattern))
    items = Counter(pattern for pattern, _ in {(finding.pattern, finding.item) for finding in found})
    return QuestionDiagnostics(
        findings=tuple(found),
        counts={pattern: items[pattern] for pattern in PATTERNS},
        n=n,
        high_variance=high_variance,
        note=_what_cannot_be_seen(by_model, models),
    )


def _model(name: str, scores: npt.ArrayLike, answers: Answers | None = None) -> _Model:
    table = samples(scores, f"scores of {name}")
    known = ~np.isnan(table)
    wrong = known.any(axis=1) & (~known | (table == 0)).all(axis=1)
    if answers is None:
        nothing: list[Hashable] = [None] * len(table)
        return _Model(table, item_variances(table), wrong, nothing, np.ones(len(table), dtype=np.bool_))
    rows: Any = [(answer,) for answer in answers] if np.ndim(scores) == 1 else answers
    codes, meaning = answer_codes(rows, table.shape)
    most = majority_codes(table, codes)
    same = (most >= 0) & (~known | (codes == most[:, None])).all(axis=1)
    answer = [meaning[code] if code >= 0 else None for code in most]
    # "No answer", however often repeated, is not one.
    return _Model(table, item_variances(table), wrong, answer, same & np.array([a is not None for a in answer], bool))


def _of_item(item: int, models: dict[str, _Model], high: float) -> list[QuestionFinding]:
    variance = {name: float(model.variance[item]) for name, model in models.items()}
    wavering = [name for name, value in variance.items() if value >= high]
    all_known = not any(math.isnan(value) for value in variance.values())
    answers = {model.answer[item] for model in models.values()}
    shared = next(iter(answers)) if len(answers) == 1 else None

    def finding(pattern: Pattern, names: list[str], answer: Hashable = None) -> QuestionFinding:
        return QuestionFinding(item, pattern, tuple(names), answer, variance)

    found = []
    if len(models) > 1 and shared is not None and all(model.wrong[item] for model in models.values()):
        found.append(finding("suspected_key", list(models), shared))
    if len(models) > 1 and len(wavering) == len(models):
        found.append(finding("ambiguous", wavering))
    if len(models) > 1 and len(wavering) == 1 and all_known:
        found.append(finding("model_weakness", wavering, models[wavering[0]].answer[item]))
    by_answer: dict[Hashable, list[str]] = {}
    for name, model in models.items():
        if variance[name] == 0 and model.wrong[item] and model.same[item]:
            by_answer.setdefault(model.answer[item], []).append(name)
    found.extend(finding("confidently_wrong", names, answer) for answer, names in by_answer.items())
    return found


def _what_cannot_be_seen(by_model: Mapping[str, object], models: dict[str, _Model]) -> str:
    single = [name for name, model in models.items() if np.isnan(model.variance).all()]
    silent = [name for name, model in models.items() if not any(answer is not None for answer in model.answer)]
    return join_notes(
        "one model: only what it is confidently wrong about can be told" if len(by_model) == 1 else "",
        f"one sample an item, so nothing about wavering: {', '.join(single)}" if single else "",
        f"no answers, so nothing about the answer key: {', '.join(silent)}" if silent else "",
    )
