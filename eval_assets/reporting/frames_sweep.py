"""A sweep over numbers of frames as a page, as Markdown for Dagster's UI and as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eval_assets.reporting.axes import padded
from eval_assets.reporting.markdown import image, plain
from eval_assets.reporting.pages import environment, figure
from eval_assets.reporting.plots import frames_curve
from eval_assets.reporting.words import ALPHA, LEVEL, count, difference, number, p_value, reasons, with_interval

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]


def sweep_page(data: Data) -> str:
    """All groups of lengths as a self-contained HTML page, with a plot and a table each."""
    groups = [
        {
            "name": group["name"],
            "items": count(group["items"]),
            "rows": _rows(data, group),
            "figure": figure(plot, said),
        }
        for group, (plot, said) in zip(data["groups"], _figures(data), strict=True)
    ]
    template = environment().get_template("frames_sweep.html.j2")
    entries = [e for g in data["groups"] for p in g["points"] for e in (p, p["vs_fewest"]) if e]
    return template.render(
        data=data, groups=groups, asked=_asked(data), said=sentence(data), level=LEVEL, reasons=reasons(entries)
    )


def sweep_markdown(data: Data) -> str:
    """The sentence and the plots."""
    parts = [plain(sentence(data))]
    parts += [image(said, plot) + "\n\n" + plain(said) for plot, said in _figures(data)]
    return "\n\n".join(parts) + "\n"


def sweep_terminal(data: Data) -> Table:
    """One row a group of lengths and number of frames; a star says that the difference survives correction."""
    from rich.table import Table

    shown = Table(title=f"{data['task']}: {data['metric']}")
    for head, right in (("videos", 0), ("frames", 1), ("score, %", 1), ("vs fewest, points", 1), ("items", 1)):
        shown.add_column(head, justify="right" if right else "left")
    for group in data["groups"]:
        for n, row in enumerate(_rows(data, group)):
            star = "*" if row["survives"] else ""
            shown.add_row("" if n else group["name"], row["frames"], row["score"], row["difference"] + star, row["n"])
    return shown


def sentence(data: Data) -> str:
    """Which numbers of frames score otherwise than the fewest, over all items, after correction."""
    points = data["groups"][0]["points"]
    first, against = points[0], [p for p in points if p["vs_fewest"]]
    there = [p for p in against if _survives(p)]
    about = (
        f"{data['checkpoint']} on {data['task']}: {data['metric']} {_score(data, first)} with {count(first['frames'])}"
    )
    if not there:
        others = ", ".join(count(p["frames"]) for p in against)
        return f"{about} frames; that {others} frames score otherwise is not shown by {count(first['n'])} items."
    said = "; ".join(f"{count(p['frames'])} frames: {_difference(data, p['vs_fewest'])}" for p in there)
    unit = "" if data["own_unit"] else " points"
    return f"{about} frames, and against them, in{unit or ' its own unit'}, on the same items: {said}."


def _figures(data: Data) -> list[tuple[str, str]]:
    """A plot and its caption for each group, all on one scale."""
    ends = [number(p[k]) for g in data["groups"] for p in g["points"] for k in ("value", "ci_low", "ci_high")]
    within = padded(ends, None if data["own_unit"] else (0.0, 1.0))
    found = []
    for group in data["groups"]:
        points = [
            {**p, "own_unit": data["own_unit"], "higher_is_better": data["higher_is_better"]} for p in group["points"]
        ]
        name = "All items" if group["name"] == "all" else f"Videos {group['name']}"
        found.append((frames_curve(points, data["metric"], within), f"{name}: {count(group['items'])} items"))
    return found


def _rows(data: Data, group: Data) -> list[dict[str, Any]]:
    return [
        {
            "frames": count(p["frames"]),
            "score": _score(data, p),
            "n": count(p["n"]),
            "difference": _difference(data, p["vs_fewest"]) if p["vs_fewest"] else "",
            "p": p_value(p["vs_fewest"]["p_adjusted"]) if p["vs_fewest"] else "",
            "survives": _survives(p),
        }
        for p in group["points"]
    ]


def _asked(data: Data) -> list[dict[str, str]]:
    return [
        {
            "frames": count(entry["frames"]),
            "tokens": count(round(tokens)) if math.isfinite(tokens := number(entry["prompt_tokens"])) else "not told",
            "fewer": count(entry["with_fewer_frames"]),
            "too_long": count(entry["too_long"]),
        }
        for entry in data["asked"]
    ]


def _survives(point: Data) -> bool:
    entry = point["vs_fewest"]
    return bool(entry) and number(entry["p_adjusted"]) < ALPHA


def _score(data: Data, entry: Data) -> str:
    return with_interval({**entry, "own_unit": data["own_unit"]})


def _difference(data: Data, entry: Data) -> str:
    return difference({**entry, "own_unit": data["own_unit"]})
