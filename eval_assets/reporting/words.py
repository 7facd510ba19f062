"""How numbers and outcomes are said: percent, points, p-values, verdicts in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

MISSING = "n/a"
LEVEL = "95 %"  # of every interval of a report; the estimators' default
ALPHA = 0.05  # below this, after correction where there is one, a difference is called one

Tone = Literal["better", "worse", "open", "unknown"]


class Verdict(NamedTuple):
    """What a comparison says, for a program and in words."""

    tone: Tone
    words: str


def number(value: Any) -> float:
    """A float; NaN for None."""
    return math.nan if value is None else float(value)


def percent(value: Any, digits: int = 1) -> str:
    """`0.2168` as `21.7`, the unit left to the heading; `n/a` for None and NaN."""
    x = number(value)
    return f"{100 * x:.{digits}f}".replace("-", "−") if math.isfinite(x) else MISSING


def points(value: Any) -> str:
    """A difference of fractions in percentage points, always with its sign: `+2.1`."""
    x = number(value)
    if not math.isfinite(x):
        return MISSING
    return "0.0" if x == 0 else f"{100 * x:+.1f}".replace("-", "−")


def interval(entry: Mapping[str, Any], *, signed: bool = False) -> str:
    """`[19.5, 23.9]`, or `n/a` where neither end is known."""
    say = points if signed else percent
    low, high = say(entry.get("ci_low")), say(entry.get("ci_high"))
    return MISSING if low == high == MISSING else f"[{low}, {high}]"


def with_interval(entry: Mapping[str, Any]) -> str:
    """A score as `21.7 [19.5, 23.9]`."""
    return _both(percent(entry.get("value")), interval(entry))


def difference(entry: Mapping[str, Any]) -> str:
    """A paired difference as `+2.1 [+0.8, +3.4]`."""
    return _both(points(entry.get("mean_diff")), interval(entry, signed=True))


def _both(value: str, around: str) -> str:
    if value == MISSING:
        return MISSING
    return f"{value} [{MISSING}]" if around == MISSING else f"{value} {around}"


def count(value: Any) -> str:
    """An integer with thousands separated: `8,910`."""
    x = number(value)
    return f"{round(x):,}" if math.isfinite(x) else MISSING


def decimal(value: Any, digits: int = 2) -> str:
    """A plain number, neither score nor difference."""
    x = number(value)
    return f"{x:,.{digits}f}".replace("-", "−") if math.isfinite(x) else MISSING


def rate(part: Any, whole: Any) -> str:
    """A share of a count in percent; `n/a` of nothing."""
    total = number(whole)
    return percent(number(part) / total) if total > 0 else MISSING


def p_value(value: Any) -> str:
    """`< 0.001`, `0.034` or `n/a`."""
    p = number(value)
    return MISSING if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_words(value: Any, name: str = "p") -> str:
    """`p < 0.001`, `p = 0.034` or `p n/a`."""
    said = p_value(value)
    return f"{name} {said}" if said == MISSING or said.startswith("<") else f"{name} = {said}"


def checkpoint_name(key: str, run: str | None) -> str:
    """A checkpoint as its own run calls it: `step 4000`; otherwise its key."""
    own = key.removeprefix(f"{run}.") if run else key
    return f"step {own}" if own != key and own.isdigit() else key


def verdict(entry: Mapping[str, Any], run: str | None = None) -> Verdict:
    """What a paired comparison shows, by its adjusted p-value where it has one.

    A difference that is not shown is not called equality; where nothing could be tested, that is
    what is said. For a metric where lower is better, a negative difference is the better one.
    """
    diff, adjusted = number(entry.get("mean_diff")), number(entry.get("p_adjusted"))
    p = number(entry.get("p_value")) if math.isnan(adjusted) else adjusted
    if math.isnan(diff):
        return Verdict("unknown", "difference unknown")
    if math.isnan(p):
        return Verdict("unknown", "not tested")
    if p >= ALPHA or diff == 0:
        return Verdict("open", "no difference shown")
    tone: Tone = "better" if (diff > 0) == bool(entry.get("higher_is_better", True)) else "worse"
    return Verdict(tone, f"{tone} than {checkpoint_name(str(entry['b']), run)}")


def direction(higher_is_better: Any) -> str:
    """What must be said beside a metric's name: nothing where more is better."""
    return "" if higher_is_better is None or higher_is_better else "lower is better"
