"""The pages: leaderboard, curve, checkpoint, cell with its items, flips, one item."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from eval_assets import results
from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.episode_films import film_of
from eval_assets.pipeline.judgements import judgements_of
from eval_assets.pipeline.replaying import Replays
from eval_assets.reporting.curve import curve_page
from eval_assets.reporting.pages import checkpoint_page
from eval_assets.settings import load_settings
from eval_service.names import named_task
from eval_service.pages import board as boards
from eval_service.pages import cell_items, cell_view, curves, item_view, media
from eval_service.pages.flips import flips
from eval_service.pages.render import SAFE_HEADERS, environment, page
from eval_service.pages.view import COOKIE, Looking
from eval_service.service import Service
from resources.store import slug, unslug
from resources.store.records import checkpoints
from task_defs import TaskDef

router = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, dependencies=[Looking])
STATIC = StaticFiles(directory=Path(__file__).parent / "static")
_MOST_FLIPS = 50
_COLUMNS = (
    "checkpoint", "run", "step", "task", "metric", "value", "ci_low", "ci_high", "se", "n", "n_clusters", "coverage",
)  # fmt: skip


def _store(request: Request) -> Any:
    service: Service = request.app.state.service
    return service.store


def _task(request: Request, task: str) -> TaskDef:
    return named_task(request.app.state.service, unslug(task))


# --- leaderboard ---------------------------------------------------------------------------------


@pages.get("/")
def leaderboard(
    request: Request, q: str = "", task: Annotated[list[str] | None, Query()] = None, sort: str = "",
    baseline: str | None = None,
) -> Response:  # fmt: skip
    """Checkpoints by tasks; the whole view is in the address."""
    default = load_settings().baseline
    chosen = baseline if baseline is not None else default if isinstance(default, str) else ""
    asked = boards.Asked(q, tuple(task or ()), sort, chosen)
    found = boards.board(_store(request), asked)
    template = "_board.html.j2" if request.headers.get("hx-request") else "board.html.j2"
    return page(template, **found, asked=asked, query=_query(asked), dagster_url=_dagster(request))


@pages.get("/leaderboard.csv")
def as_csv(
    request: Request, q: str = "", task: Annotated[list[str] | None, Query()] = None, sort: str = "", baseline: str = ""
) -> Response:
    """What the leaderboard shows, one row a cell, scores as fractions."""
    found = boards.board(_store(request), boards.Asked(q, tuple(task or ()), sort))
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for row in found["rows"]:
        for cell in filter(None, row["cells"]):
            writer.writerow({k: _plain(v) for k, v in cell["entry"].items()})
    headers = {"Content-Disposition": 'attachment; filename="leaderboard.csv"', **SAFE_HEADERS}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def _plain(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula is quoted for it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _query(asked: boards.Asked, **changes: Any) -> str:
    given = {"q": asked.text, "task": list(asked.tasks), "sort": asked.sort, "baseline": asked.baseline} | changes
    return urlencode({k: v for k, v in given.items() if v}, doseq=True)


# --- runs and checkpoints ------------------------------------------------------------------------


@pages.get("/runs")
def runs(request: Request) -> Response:
    """Training runs with their checkpoints."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in checkpoints(_store(request)).rows("run IS NOT NULL AND step IS NOT NULL"):
        found.setdefault(row["run"], []).append(row)
    listed = [(run, sorted(rows, key=lambda r: r["step"])) for run, rows in sorted(found.items())]
    return page("runs.html.j2", runs=listed, dagster_url=_dagster(request))


@pages.get("/runs/{run}")
def run(request: Request, run: str) -> Response:
    """A run's learning curve as it stands now."""
    data = curves.curve(_store(request), unslug(run), load_settings())
    return Response(curve_page(data, environment(_dagster(request))), media_type="text/html", headers=SAFE_HEADERS)


@pages.get("/checkpoints/{checkpoint}")
def checkpoint(request: Request, checkpoint: str) -> Response:
    """All tasks of a checkpoint: its report as it was written; until there is one, the cells that are scored."""
    store, key = _store(request), unslug(checkpoint)
    data = store.read_json("reports", f"{slug(key)}.json")
    if data is None:
        point, scored = find_checkpoint(store, key), boards.scores_of(store, key)
        return page("unreported.html.j2", point=point, scored=scored, dagster_url=_dagster(request))
    return Response(checkpoint_page(data, environment(_dagster(request))), media_type="text/html", headers=SAFE_HEADERS)


# --- cells ---------------------------------------------------------------------------------------


@pages.get("/cells/{checkpoint}/{task}")
def cell(
    request: Request, checkpoint: str, task: str, variant: str = "", show: str = "all", field: str = "",
    value: str = "", flag: str = "", q: str = "", scores: str = "",
    page_number: Annotated[int, Query(alias="page", ge=0)] = 0,
) -> Response:  # fmt: skip
    """A cell's numbers and its items."""
    store, key, definition = _store(request), unslug(checkpoint), _task(request, task)
    field, _, value = field.partition("=") if "=" in field else (field, "", value)
    known = next((s for s in cell_items.SHOWS if s == show), "all")
    wanted = cell_items.Wanted(known, field, value, flag, q, _range(scores), page_number)
    items = cell_items.find(store, definition, key, variant, wanted)
    values = {
        "checkpoint": key, "task": definition.task, "variant": variant, "wanted": items.wanted, "items": items,
        "shown": [item_view.item(definition, one) for one in items.shown], "pages": cell_view.pages(items.total),
        "query": _item_query(wanted, variant), "shows": cell_items.SHOWS,
        "without_scores": _item_query(replace(wanted, scores=None), variant),
    }  # fmt: skip
    if request.headers.get("hx-request"):
        return page("_items.html.j2", **values)
    report = results.report(key, definition.task, variant, store)
    view = cell_view.cell(store, report, key, definition)
    return page("cell.html.j2", **values, **view, dagster_url=_dagster(request))


def _range(scores: str) -> tuple[float, float] | None:
    """`0.25..0.3`; what is none asks for nothing."""
    low, _, high = scores.partition("..")
    with contextlib.suppress(ValueError):
        return float(low), float(high)
    return None


def _item_query(wanted: cell_items.Wanted, variant: str) -> str:
    field = f"{wanted.field}={wanted.value}" if wanted.field else ""
    given = {"show": wanted.show, "field": field, "flag": wanted.flag, "q": wanted.text, "variant": variant}
    given["scores"] = "{!r}..{!r}".format(*wanted.scores) if wanted.scores else ""
    return urlencode({k: v for k, v in given.items() if v and v != "all"})


@pages.get("/items/{task}/{item_id:path}")
def one_item(request: Request, task: str, item_id: str) -> Response:
    """One question over all checkpoints."""
    found = item_view.over_checkpoints(_store(request), _task(request, task), item_id)
    if found is None:
        raise HTTPException(404, f"no checkpoint is scored on item {item_id!r} of {unslug(task)}")
    return page("item.html.j2", **found, dagster_url=_dagster(request))


@pages.get("/words/{checkpoint}/{task}/{item_id:path}")
def judge_words(request: Request, checkpoint: str, task: str, item_id: str) -> Response:
    """What a judge that asks a model was shown of an item, and what it said."""
    found = judgements_of(_store(request), unslug(checkpoint), _task(request, task), items=[item_id])
    return page("_words.html.j2", words=found)


@pages.get("/episodes/{checkpoint}/{task}/{item_id:path}")
def episode_steps(request: Request, checkpoint: str, task: str, item_id: str, variant: str = "") -> Response:
    """An item's episodes, step by step."""
    key, name = unslug(checkpoint), _task(request, task).task
    replays = Replays(_store(request), key, name, variant).of(item_id)
    return page("_steps.html.j2", replays=replays, checkpoint=key, task=name, variant=variant)


@pages.get("/films/{checkpoint}/{task}/{sample}/{item_id:path}")
def episode_film(
    request: Request, checkpoint: str, task: str, sample: int, item_id: str, variant: str = ""
) -> Response:
    """An episode as a GIF."""
    key, name = unslug(checkpoint), _task(request, task).task
    replays = Replays(_store(request), key, name, variant)
    found = next((r for r in replays.of(item_id) if r.sample == sample and r.filmed), None)
    if found is None:
        raise HTTPException(404, f"{key} has no film of item {item_id!r} of {name}, sample {sample}")
    return Response(film_of(replays, found), media_type="image/gif", headers=SAFE_HEADERS)


@pages.get("/flips/{task}")
def flipped(request: Request, task: str, a: str, b: str, side: str = "worse", skip: int = 0) -> Response:
    """Where two checkpoints differ, side by side."""
    store, definition = _store(request), _task(request, task)
    found = flips(store, definition, a, b)
    chosen = "better" if side == "better" else "worse"
    ids = getattr(found, chosen)[max(0, skip) : max(0, skip) + _MOST_FLIPS]
    both = {name: {s.item_id: s for s in cell_items.show_items(store, definition, name, "", ids)} for name in (a, b)}
    shown = [
        {**item_view.item(definition, both[a][i]), "other": item_view.item(definition, both[b][i])["samples"]}
        for i in ids if i in both[a] and i in both[b]
    ]  # fmt: skip
    return page(
        "flips.html.j2", task=definition.task, a=a, b=b, side=chosen, found=found, shown=shown, skip=max(0, skip),
        most=_MOST_FLIPS, checkpoints=item_view.scored_on(store, definition.task), dagster_url=_dagster(request),
    )  # fmt: skip


# --- signing in ----------------------------------------------------------------------------------


@router.get("/login")
def login(request: Request, to: str = "/") -> Response:
    return page("login.html.j2", to=_local(to), wrong=False)


@router.post("/login")
def signed_in(request: Request, token: Annotated[str, Form()], to: Annotated[str, Form()] = "/") -> Response:
    """Keep the token in a cookie of this browser, out of reach of scripts and of other sites."""
    service: Service = request.app.state.service
    try:
        service.gatekeeper.client(f"Bearer {token}")
    except HTTPException:
        service.gatekeeper.may_try(request.client.host if request.client else "")
        return page("login.html.j2", 401, to=_local(to), wrong=True)
    answer = RedirectResponse(_local(to), 303)
    # A proxy that ends TLS speaks plain HTTP to the service.
    secure = request.url.scheme == "https" or service.settings.public_url.startswith("https://")
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, max_age=30 * 86400)
    return answer


def _local(to: str) -> str:
    """Only a path of this service: no other site, in whatever spelling."""
    plain = to.startswith("/") and "\\" not in to and to.isprintable()  # browsers drop tabs and line breaks
    return to if plain and not to.startswith("//") else "/"


def _dagster(request: Request) -> str:
    service: Service = request.app.state.service
    return service.settings.dagster_url


ROUTERS = (router, pages, media.router)
