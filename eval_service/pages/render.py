"""Templates: ours, and those of the reports, which become pages in our layout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from eval_assets.reporting import pages as reports
from eval_assets.reporting.words import count, decimal, interval, percent
from resources.store import slug

_HERE = Path(__file__).parent
# Model output is text and never markup, and nothing on a page comes from elsewhere. KaTeX sets inline styles.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    # A page and the part of it that a script asks for have one address.
    "Cache-Control": "private, no-cache", "Vary": "HX-Request, Cookie", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


@lru_cache(maxsize=4)
def environment(dagster_url: str = "") -> Environment:
    """`base.html.j2` is ours, so that a report's own templates extend it here. dagster_url: for a link from there."""
    theirs = reports.environment()
    assert theirs.loader is not None
    made = theirs.overlay(loader=ChoiceLoader([FileSystemLoader(_HERE / "templates"), theirs.loader]))
    made.filters |= {
        "slug": slug,
        "plot_json": plot_json,
        "percent": percent,
        "count": count,
        "decimal": decimal,
        "interval": interval,
    }
    made.globals = {**made.globals, "dagster_url": dagster_url}
    return made


def plot_json(plot: Mapping[str, Any]) -> Markup:
    """A plot's numbers for the page's script, points with the address of their cell; safe inside of `<script>`."""
    if plot["kind"] == "steps":
        points = [{**p, "href": f"/cells/{slug(p['checkpoint'])}/{slug(plot['task'])}"} for p in plot["points"]]
        plot = {**plot, "points": points}
    return htmlsafe_json_dumps(plot, allow_nan=False, separators=(",", ":"))


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one that a script puts into a page."""
    return HTMLResponse(environment().get_template(template).render(**values), status, SAFE_HEADERS)
