"""The few shapes that the plots are made of.

Colours are attributes, so that a plot stands alone; a page restyles them through the classes
(`pl-...`), which is how it follows the reader's light or dark theme. Blue and vermilion of Okabe and
Ito's palette are told apart by colour-blind readers; filled against hollow dots need no colour at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from eval_assets.reporting.words import MISSING

WIDTH = 460
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_LOOKS = {
    "bg": 'fill="#ffffff"',
    "text": 'fill="#222222"',
    "soft": 'fill="#5f6670"',
    "grid": 'stroke="#e6e8eb" stroke-width="1"',
    "axis": 'stroke="#8a919b" stroke-width="1"',
    "line": 'stroke="#0072b2" stroke-width="1.5" stroke-opacity="0.55" fill="none"',
    "band": 'fill="#0072b2" fill-opacity="0.16" stroke="none"',
    "bar": 'stroke="#0072b2" stroke-width="1.5"',
    "dot": 'fill="#0072b2" stroke="#0072b2" stroke-width="1.5"',
    "hollow": 'fill="#ffffff" stroke="#0072b2" stroke-width="1.5"',
    "third": 'fill="#d55e00" stroke="#d55e00" stroke-width="1.5"',
    "fourth": 'fill="#ffffff" stroke="#d55e00" stroke-width="1.5"',
    "fifth": 'fill="#222222" stroke="#222222" stroke-width="1.5"',
    "column": 'fill="#0072b2"',
    "ref": 'stroke="#d55e00" stroke-width="1.25" stroke-dasharray="5 3"',
    "reftext": 'fill="#b34f00" stroke="#ffffff" stroke-width="4" stroke-linejoin="round" paint-order="stroke"',
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def short(text: Any, most: int = 28) -> str:
    said = str(text)
    return said if len(said) <= most else said[: most - 1] + "…"


def line(look: str, x1: float, y1: float, x2: float, y2: float) -> str:
    at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="pl-{look}" {_LOOKS[look]} {at}/>'


def path(at: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="pl-line" {_LOOKS["line"]} points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>'


def band(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]]) -> str:
    """The area between two lines, each from left to right."""
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<polygon class="pl-band" {_LOOKS["band"]} points="{at}"/>'


def dot(look: str, x: float, y: float, said: str, radius: float = 3.5) -> str:
    title = f"<title>{_xml(said)}</title>" if said else ""
    return f'<circle class="pl-{look}" {_LOOKS[look]} cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{title}</circle>'


def bar(x: float, y: float, width: float, height: float, said: str) -> str:
    """A column of a histogram."""
    at = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"'
    return f'<rect class="pl-column" {_LOOKS["column"]} {at}><title>{_xml(said)}</title></rect>'


def text(
    look: str, x: float, y: float, said: str, *, anchor: str = "start", strong: bool = False, whole: str = ""
) -> str:
    """whole: what `said` was cut from, shown under the pointer."""
    inside = (f"<title>{_xml(whole)}</title>" if whole not in ("", said) else "") + _xml(said)
    weight = ' font-weight="600"' if strong else ""
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}'
    return f'<text class="pl-{look}" {_LOOKS[look]} {at}>{inside}</text>'


def _xml(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\ufffd", text))


def svg(height: float, parts: Sequence[str], described: str, width: int = WIDTH) -> str:
    back = f'<rect class="pl-bg" {_LOOKS["bg"]} width="{width}" height="{height:g}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" '
        f'role="img" aria-label="{_xml(described)}" font-family="{_FONT}" font-size="12">{back}{"".join(parts)}</svg>'
    )


def strip(width: float, height: float, parts: Sequence[str]) -> str:
    """A picture without words, for a text that says the same: a page has thousands, so nothing spare."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-hidden="true">{"".join(parts)}</svg>'


def nothing(why: str) -> str:
    return svg(60, [text("soft", WIDTH / 2, 34, f"{why}: {MISSING}", anchor="middle")], why)
