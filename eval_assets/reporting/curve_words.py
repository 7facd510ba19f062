"""What a learning curve says, in sentences that can be quoted and as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval_assets.reporting.words import (
    MISSING,
    count,
    difference,
    number,
    p_value,
    p_words,
    percent,
    points,
    with_interval,
)

Data = Mapping[str, Any]
_MOST_SAID = 10  # steps or changes in a sentence; the table has them all


def sentences(curve: Data) -> list[str]:
    """The best and what could be it, differences to the reference, changes between neighbours."""
    return [*_best(curve), *_against_reference(curve), *_changes(curve)]


def names(curve: Data) -> dict[str, str]:
    """Checkpoint -> `step 1,886`; the baseline keeps its key."""
    found = {p["checkpoint"]: f"step {count(p['step'])}" for p in curve["points"]}
    reference = curve["reference"]
    return {reference["checkpoint"]: reference["checkpoint"], **found} if reference else found


def _best(curve: Data) -> list[str]:
    best, steps = curve["best"], {p["checkpoint"]: p["step"] for p in curve["points"]}
    if best is None:
        return ["One checkpoint has scores: there is no curve yet and nothing to choose from."]
    if best["problem"]:
        return [f"Which checkpoint is best cannot be said: {best['problem']}."]
    said = f"Best: step {count(steps[best['best']])} with {percent(best['value'])} %"
    if math.isfinite(number(best["corrected"])):
        around = f"interval [{percent(best['ci_low'])}, {percent(best['ci_high'])}]"
        chosen = f"{len(best['p_is_best'])} checkpoints"
        said += f"; {percent(best['corrected'])} % after correction for having been chosen from {chosen}, {around}"
    others = [steps[key] for key in best["candidates"] if key != best["best"]]
    if len(best["candidates"]) == len(best["p_is_best"]):
        return [f"{said}.", "None of the checkpoints can be told apart from the best."]
    if not others:
        return [f"{said}.", "It can be told apart from every other checkpoint."]
    return [f"{said}.", f"Not distinguishable from it: {said_steps(others, steps.values())}."]


def _against_reference(curve: Data) -> list[str]:
    compared = [p for p in curve["points"] if p["vs_reference"]]
    if not compared:
        return []
    reference, order = curve["reference"], [p["step"] for p in compared]
    up = [p["step"] for p in compared if p["vs_reference"]["survives"] and p["vs_reference"]["mean_diff"] > 0]
    down = [p["step"] for p in compared if p["vs_reference"]["survives"] and p["vs_reference"]["mean_diff"] < 0]
    better, worse = (up, down) if curve["higher_is_better"] else (down, up)
    who = names(curve)[reference["checkpoint"]]
    to = f"{who} (the {'baseline' if reference['role'] == 'baseline' else 'first checkpoint'})"
    parts = [f"{word} at {said_steps(steps, order)}" for word, steps in (("better", better), ("worse", worse)) if steps]
    looks = f"after correction for {len(compared)} comparison{'' if len(compared) == 1 else 's'}"
    if not parts:
        return [f"Against {to} no checkpoint differs {looks}."]
    return [f"Against {to}: {'; '.join(parts)}, {looks}."]


def _changes(curve: Data) -> list[str]:
    steps = {p["checkpoint"]: p["step"] for p in curve["points"]}
    changed = [p for p in curve["points"] if p["vs_previous"]]
    if not changed:
        return []
    survived = [p for p in changed if p["vs_previous"]["survives"]]
    if not survived:
        return ["From one checkpoint to the next no change survives correction."]
    largest = sorted(survived, key=lambda p: -abs(number(p["vs_previous"]["mean_diff"])))[:_MOST_SAID]
    found = [
        f"{count(steps[p['vs_previous']['b']])} → {count(p['step'])} ({points(p['vs_previous']['mean_diff'])})"
        for p in survived
        if p in largest
    ]
    more = f"; these are the {len(found)} largest of {len(survived)}" if len(survived) > len(found) else ""
    return [f"Changes from one checkpoint to the next that survive correction: {', '.join(found)}{more}."]


def said_steps(steps: Sequence[int], order: Any) -> str:
    """`steps 221 to 2,118` where they follow each other in `order`, otherwise `steps 221; 2,118`.

    Of many, neighbours are put together; where that is not enough, their number is said.
    """
    every = list(order)
    places = {step: place for place, step in enumerate(every)}
    stretches: list[list[int]] = []
    for step in steps:
        if stretches and places[step] == places[stretches[-1][-1]] + 1:
            stretches[-1].append(step)
        else:
            stretches.append([step])
    if len(steps) > 2 and len(stretches) == 1:
        return f"steps {count(steps[0])} to {count(steps[-1])}"
    if len(steps) <= _MOST_SAID:
        return f"step{'' if len(steps) == 1 else 's'} {'; '.join(map(count, steps))}"
    if len(stretches) > _MOST_SAID:
        return f"{count(len(steps))} of {count(len(every))} steps, from {count(steps[0])} to {count(steps[-1])}"
    return f"steps {'; '.join(count(s[0]) if len(s) == 1 else f'{count(s[0])} to {count(s[-1])}' for s in stretches)}"


def rows(curve: Data) -> list[dict[str, str]]:
    """One row a checkpoint, every number said."""
    best = curve["best"] or {}
    chances = best.get("p_is_best") or {}
    found = []
    for point in curve["points"]:
        key, against, before = point["checkpoint"], point["vs_reference"] or {}, point["vs_previous"] or {}
        could = ""
        if key in chances:
            could = "best" if key == best["best"] else "yes" if key in best["candidates"] else "no"
        found.append(
            {
                "step": count(point["step"]),
                "checkpoint": key,
                "score": with_interval(point),
                "n": count(point["n"]),
                "coverage": percent(point["coverage"]),
                "difference": difference(against) if against else "",
                "band": band(against) if against else "",
                "p_adjusted": p_value(against["p_adjusted"]) if against else "",
                "survives": "yes" if against.get("survives") else "",
                "change": difference(before) if before else "",
                "change_p": p_value(before["p_adjusted"]) if before else "",
                "change_survives": "yes" if before.get("survives") else "",
                "could": could,
                "p_is_best": p_value(chances.get(key)) if key in chances else "",
                "note": "; ".join(dict.fromkeys(filter(None, (against.get("note"), before.get("note"))))),
            }
        )
    return found


def band(entry: Data) -> str:
    """`[+27.2, +42.8]`, or `n/a`."""
    low, high = points(entry.get("band_low")), points(entry.get("band_high"))
    return MISSING if low == high == MISSING else f"[{low}, {high}]"


def pair_sentence(task: Data, run_a: str, run_b: str) -> str:
    """`A vs B on digits: accuracy +2.1 points [+0.8, +3.4], p = 0.003, over 8 steps; ...`."""
    overall = task["overall"]
    who = f"{run_a} vs {run_b} on {task['task']}: {task['metric']}"
    on = f"{count(overall['n'])} items in {count(overall['n_clusters'])} clusters"
    steps = f"mean over {overall['steps']} common step{'' if overall['steps'] == 1 else 's'}"
    said = f"{who} {_difference_in_points(overall)}, {p_words(overall['p_value'])}, {steps}, {on}"
    differing = [entry["step"] for entry in task["steps"] if entry["survives"]]
    if not differing:
        return f"{said}. At no step does a difference survive correction."
    order = [entry["step"] for entry in task["steps"]]
    return f"{said}. Differences that survive correction: at {said_steps(differing, order)}."


def _difference_in_points(entry: Data) -> str:
    value, _, around = difference(entry).partition(" ")
    return f"{value} points {around}".strip() if value != MISSING else value
