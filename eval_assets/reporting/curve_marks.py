"""A plot over training steps as numbers, from which its SVG is drawn and a page's script draws the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eval_assets.reporting.axes import padded
from eval_assets.reporting.curve_words import band
from eval_assets.reporting.frame import titled
from eval_assets.reporting.svg import short
from eval_assets.reporting.words import count, difference, number, p_value, percent, with_interval

Data = Mapping[str, Any]


class Point(NamedTuple):
    """A value at a step with its interval and its band, in percent or points, NaN where unknown.

    said: the same in words; more: what else is known of it, a line each. filled: could be the best, or survives
    correction.
    """

    step: float
    value: float
    low: float
    high: float
    band_low: float
    band_high: float
    said: str
    more: tuple[str, ...] = ()
    filled: bool = True
    best: bool = False
    checkpoint: str = ""

    @property
    def ends(self) -> tuple[float, ...]:
        return self[1:6]

    def data(self) -> dict[str, Any]:
        """As JSON can say it: null where unknown."""
        names = ("value", "low", "high", "band_low", "band_high")
        return {
            "step": self.step, **{name: known(getattr(self, name)) for name in names}, "said": [self.said, *self.more],
            "filled": self.filled, "best": self.best, "checkpoint": self.checkpoint,
        }  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """points: in order of step, none where no value is known. ends: of the vertical axis; span: of the horizontal one.

    level: label and place of a dashed line. signed: differences, which have a zero line.
    """

    title: str
    described: str
    points: Sequence[Point]
    ends: tuple[float, float] = (0.0, 1.0)
    span: tuple[float, float] = (0.0, 1.0)
    level: tuple[str, float] | None = None
    signed: bool = False

    def data(self) -> dict[str, Any] | None:
        """For a page's script; None where there is nothing to draw."""
        if not self.points:
            return None
        return {
            "kind": "steps", "title": self.title, "below": "training step", "described": self.described,
            "ends": list(self.ends), "span": list(self.span), "signed": self.signed,
            "level": {"label": self.level[0], "at": self.level[1]} if self.level else None,
            "points": [point.data() for point in self.points],
        }  # fmt: skip


def level_marks(curve: Data) -> Marks:
    """Score by step; filled where the checkpoint could be the best. curve: a task's entry of the curve's data."""
    best = curve["best"] or {}
    candidates = best.get("candidates")

    def verdict(point: Data) -> dict[str, Any]:
        chosen = bool(candidates) and point["checkpoint"] == best["best"]
        could = candidates is None or point["checkpoint"] in candidates
        words = () if candidates is None else ("the best",) if chosen else _COULD[could]
        return {"filled": could, "best": chosen, "more": (*words, _counted(point))}

    found = points_of(curve["points"], "value", with_interval, verdict)
    title = titled(f"{curve['metric']}, %", curve["higher_is_better"])
    if not found:
        return Marks(title, "no score by step", [])
    reference, at = curve["reference"], 100 * number(curve["reference_value"])
    level = None
    if reference and reference["role"] == "baseline" and math.isfinite(at):
        level = f"{short(reference['checkpoint'], 34)}: {percent(at / 100)}", at
    ends = padded([*(v for p in found for v in p.ends), *([at] if level else [])], within=(0.0, 100.0))
    described = f"{curve['metric']} by step, in percent. {all_said(found)}"
    return Marks(title, described, found, ends, (found[0].step, found[-1].step), level)


def band_marks(entries: Sequence[Data], steps: Sequence[float], *, higher_is_better: bool = True) -> Marks:
    """Paired differences by step; filled where one survives correction.

    entries: `step`, `mean_diff`, `ci_low`, `ci_high`, `band_low`, `band_high` (the last two may be missing) and
    `survives`, fractions. steps: all of the run, which the axis spans.
    """

    def verdict(entry: Data) -> dict[str, Any]:
        survives = bool(entry.get("survives"))
        words = [f"band {band(entry)}"] if math.isfinite(number(entry.get("band_low"))) else []
        words.append(f"{'survives' if survives else 'does not survive'} correction")
        if "p_adjusted" in entry:
            words[-1] += f" (p {p_value(entry['p_adjusted'])})"
        return {"filled": survives, "more": tuple(words)}

    found = points_of(entries, "mean_diff", difference, verdict)
    title = titled("difference, points", higher_is_better)
    if not found:
        return Marks(title, "no paired difference", [], signed=True)
    every = [*steps, *(p.step for p in found)]
    ends = padded([*(v for p in found for v in p.ends), 0.0])
    described = f"Paired difference by step, in percentage points. {all_said(found)}"
    return Marks(title, described, found, ends, (min(every), max(every)), signed=True)


_COULD = {True: ("could be the best",), False: ("another one is better",)}


def _counted(point: Data) -> str:
    return f"{count(point.get('n'))} items"


def points_of(
    entries: Sequence[Data],
    key: str,
    say: Callable[[Data], str],
    verdict: Callable[[Data], dict[str, Any]] | None = None,
) -> list[Point]:
    """In order of step, what is unknown as NaN; none at all where nothing is known. verdict: further fields."""
    placed = sorted((e for e in entries if e.get("step") is not None), key=lambda e: e["step"])
    found = []
    for e in placed:
        numbers = (100 * number(e.get(k)) for k in (key, "ci_low", "ci_high", "band_low", "band_high"))
        more = verdict(e) if verdict else {}
        found.append(
            Point(e["step"], *numbers, f"step {count(e['step'])}: {say(e)}", checkpoint=e.get("checkpoint", ""), **more)
        )
    return found if any(math.isfinite(p.value) for p in found) else []


def all_said(found: Sequence[Point]) -> str:
    return "; ".join(p.said for p in found)


def known(value: float) -> float | None:
    return value if math.isfinite(value) else None
