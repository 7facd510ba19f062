"""How numbers and outcomes are said: percent, points, p-values, verdicts in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
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


def score(entry: Mapping[str, Any], key: str = "value", digits: int = 1) -> str:
    """A figure of a metric: in percent, or as it is where the metric has a unit of its own (`own_unit`)."""
    return decimal(entry.get(key), digits + 1) if entry.get("own_unit") else percent(entry.get(key), digits)


def step(entry: Mapping[str, Any], key: str = "mean_diff") -> str:
    """A figure of a difference: in points, or in the metric's own unit; with its sign."""
    if not entry.get("own_unit"):
        return points(entry.get(key))
    said = decimal(entry.get(key))
    return f"+{said}" if number(entry.get(key)) > 0 else said


def interval(entry: Mapping[str, Any], *, signed: bool = False) -> str:
    """`[19.5, 23.9]`, or `n/a` where neither end is known."""
    say = step if signed else score
    low, high = say(entry, "ci_low"), say(entry, "ci_high")
    return MISSING if low == high == MISSING else f"[{low}, {high}]"


def reasons(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why the intervals of some of these are unknown, each reason once."""
    unknown = (e for e in entries if math.isnan(number(e.get("ci_low"))) and math.isnan(number(e.get("ci_high"))))
    return list(dict.fromkeys(e["note"] for e in unknown if e.get("note")))


def with_interval(entry: Mapping[str, Any]) -> str:
    """A score as `21.7 [19.5, 23.9]`."""
    return _both(score(entry), interval(entry))


def difference(entry: Mapping[str, Any]) -> str:
    """A paired difference as `+2.1 [+0.8, +3.4]`."""
    return _both(step(entry), interval(entry, signed=True))


def _both(value: str, around: str) -> str:
    if value == MISSING:
        return MISSING
    return f"{value} [{MISSING}]" if around == MISSING else f"{value} {around}"


def count(value: Any) -> str:
    """An integer with thousands separated: `8,910`."""
    x = number(value)
    return f"{round(x):,}" if math.isfinite(x) else MISSING


def remarks(entry: Mapping[str, Any]) -> str:
    """What stands behind a metric's name: `less is better`, `in its own unit`; empty for most."""
    unit = "in its own unit" if entry.get("own_unit") else ""
    return ", ".join(word for word in (direction(entry.get("higher_is_better")), unit) if word)


def decimal(value: Any, digits: int = 2) -> str:
    """A plain number, neither score nor difference."""
    x = number(value)
    return f"{x:,.{digits}f}".replace("-", "−") if math.isfinite(x) else MISSING


def tokens(usage: Mapping[str, Any]) -> str:
    """What was used: `8,910 tokens in (120 cached), 512 out (300 reasoning), cost 0.0132`; `n/a` if unknown."""
    sides = []
    for side, name, part, word in (
        ("tokens in", "prompt_tokens", "cached_tokens", "cached"),
        ("out", "completion_tokens", "reasoning_tokens", "reasoning"),
    ):
        of_these = f" ({count(usage.get(part))} {word})" if number(usage.get(part)) > 0 else ""
        sides.append(f"{count(usage.get(name))} {side}{of_these}")
    cost = number(usage.get("cost"))
    money = f", cost {cost:,.{2 if cost >= 100 else 4}f}" if math.isfinite(cost) else ""
    known = any(math.isfinite(number(usage.get(name))) for name in ("prompt_tokens", "completion_tokens"))
    return f"{', '.join(sides)}{money}" if known else MISSING


def engine(observed: Mapping[str, Any]) -> str:
    """`96.7 % of prompt tokens cached, first token after 0.041 s, 310 tokens/s, 0.3 s idle`; `n/a` without one."""

    def said(name: str, shown: Callable[[float], str]) -> list[str]:
        x = number(observed.get(name))
        return [shown(x)] if math.isfinite(x) else []

    started = number(observed.get("start_seconds"))
    parts = [
        *said("prefix_cache_hit_rate", lambda x: f"{percent(x)} % of prompt tokens cached"),
        *said("media_cache_hit_rate", lambda x: f"{percent(x)} % of media"),
        *said("time_to_first_token_s", lambda x: f"first token after {decimal(x, 3)} s"),
        *said("time_per_token_s", lambda x: f"{decimal(1000 * x, 1)} ms a token"),
        *said("generation_tokens_per_s", lambda x: f"{decimal(x, 0)} tokens/s"),
        *said("idle_seconds", lambda x: f"{decimal(x, 1)} s idle"),
        *said("starts", lambda x: f"{count(x)} starts" + (f" ({decimal(started, 0)} s)" if x and started > 0 else "")),
    ]
    return ", ".join(parts) or MISSING


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


def quote(entry: Mapping[str, Any]) -> str:
    """A paired difference as one sentence that can be quoted.

    `+2.1 points vs gemini-pro, 95 % CI +0.8 to +3.4, p = 0.003, 3040 items in 2950 clusters`.
    """
    n, groups = entry["n"], entry["n_clusters"]
    where = f"{n} item{'' if n == 1 else 's'}" + (f" in {groups} cluster{'' if groups == 1 else 's'}" * (groups != n))
    said = [f"{step(entry)}{'' if entry.get('own_unit') else ' points'} vs {entry['b']}"]
    low, high = step(entry, "ci_low"), step(entry, "ci_high")
    known = MISSING not in (low, high)
    said.append(f"{100 * entry.get('level', 0.95):g} % CI {low} to {high}" if known else "CI n/a")
    adjusted = number(entry.get("p_adjusted"))
    corrected = "" if math.isnan(adjusted) or adjusted == entry.get("p_value") else f" ({p_words(adjusted, 'Holm p')})"
    said.append(p_words(entry.get("p_value")) + corrected)
    why = f": {entry['note']}" if not known and entry.get("note") else ""
    return f"{', '.join(said)}, {where}{why}"


def within_margin(entry: Mapping[str, Any]) -> str:
    """`margin 2.0 points: not worse p = 0.003, equivalent p = 0.041`; empty where no margin was asked about."""
    if entry.get("margin") is None:
        return ""
    tests = (("p_noninferior", "not worse p"), ("p_equivalent", "equivalent p"))
    return f"margin {percent(entry['margin'])} points: " + ", ".join(p_words(entry.get(k), name) for k, name in tests)


def could_detect(entry: Mapping[str, Any]) -> str:
    """`3040 items show 1.9 points with 80 % power`; empty where that is not known."""
    x = number(entry.get("detectable"))
    shown = decimal(x) if entry.get("own_unit") else f"{100 * x:.1f} points"
    return f"{entry['n']} items show {shown} with 80 % power" if math.isfinite(x) else ""


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
