"""Plots that a page's script draws: the numbers beside the pictures, and who gets which."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from eval_assets.pipeline.cell import find_checkpoint, plan_cell
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.learning_curve import write_learning_curve
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell
from eval_assets.reporting.curve import curve_page
from eval_assets.settings import load_settings
from eval_service.pages import curves
from eval_service.pages.render import environment
from resources.store.records import checkpoints
from task_defs import load_task
from tests.eval_service.conftest import Served
from tests.pipeline.conftest import quiet
from tests.reporting.test_curve import NAN, against, curve, data, point

ESSAYS = 40
HOSTILE = "</script><img src=x onerror=alert(1)>"


def make_trained(served: Served, runs: Mapping[str, Sequence[int]]) -> Served:
    """Task `essays`, graded from 0 to 1, and runs whose checkpoints get better; the third of five has no score."""
    folder, store = served.project.path / "tasks" / "essays", served.project.store
    folder.mkdir()
    rows = [{"id": f"e{i}", "question": f"Essay {i}?", "answer": "well"} for i in range(ESSAYS)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "utils.py").write_text("def grade(item, text):\n    return float(text)\n")
    (folder / "essays.yaml").write_text(
        "task: essays\ndataset_path: .\ndata_files: {test: test.jsonl}\ndoc_to_id: id\ndoc_to_text: '{{ question }}'\n"
        "doc_to_target: answer\njudge: {name: function, function: !function utils.grade}\n"
    )
    task = load_task("essays")
    ingest(task, store)
    for run, steps in runs.items():
        for place, step in enumerate(steps):
            key, level = f"{run}.{step}", 0.8 * (place + 1) / len(steps)
            grades = (f"{min(1.0, level * (0.5 + (7 * i) % 10 / 10)):.2f}" for i in range(ESSAYS))
            texts = ["no number"] * ESSAYS if place % 5 == 2 else list(grades)  # what is no number has no score
            file = served.project.path / "essays.jsonl"
            file.write_text("".join(json.dumps({"id": f"e{i}", "text": t}) + "\n" for i, t in enumerate(texts)))
            import_answers(store, file, task, key, id_field="id", response_field="text")
            checkpoints(store).upsert([replace(find_checkpoint(store, key), run=run, step=step).record()])
            cell = plan_cell(store, identify_checkpoint(store, key), task)
            infer(cell, store, run_id="r", log=quiet)
            judge_cell(cell, store, run_id="r", log=quiet)
            report_cell(cell, store, run_id="r", log=quiet)
    return served


@pytest.fixture
def trained(served: Served) -> Served:
    return make_trained(served, {"exp": (0, 100, 200, 300)})


def plots(page: str) -> list[Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(text, parse_constant=refuse) for text in found]


def on_the_service(**more: Any) -> str:
    return curve_page(data(**more), environment())


def test_the_script_draws_what_the_picture_shows():
    page = on_the_service()
    levels, differences = plots(page)
    first, second = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for plot, svg in ((levels, first), (differences, second)):
        assert [p["said"][0] for p in plot["points"]] == re.findall(r"<circle[^>]*><title>([^<]*)", svg)
        looks = re.findall(r'<circle class="pl-(dot|hollow)"', svg)
        assert [p["filled"] for p in plot["points"]] == [look == "dot" for look in looks]
        heights = [float(y) for y in re.findall(r'<circle[^>]* cy="([0-9.]*)"', svg)]
        values, (low, high) = [p["value"] for p in plot["points"]], plot["ends"]
        assert heights == pytest.approx([246 - 208 * (v - low) / (high - low) for v in values], abs=0.06)
    assert levels["points"][2]["said"] == ["step 2,000: 55.0 [51.0, 59.0]", "the best", "100 items"]
    assert differences["points"][1]["said"][1:] == ["band [+9.0, +21.0]", "survives correction (p 0.020)"]
    assert (differences["points"][0]["band_low"], differences["signed"]) == (pytest.approx(-1.0), True)
    assert [p["href"] for p in levels["points"]] == [f"/cells/run.{step}/maths" for step in (0, 1000, 2000)]


def test_what_is_unknown_is_null_and_never_zero():
    unknown = {**point(1000, NAN, against(NAN, False)), "ci_low": None, "ci_high": NAN}
    (levels,) = plots(on_the_service(tasks={"maths": curve(points=[point(0, 0.4), unknown, point(2000, 0.55)])}))
    gap = levels["points"][1]
    assert [gap[name] for name in ("value", "low", "high", "band_low", "band_high")] == [None] * 5
    assert gap["said"][0] == "step 1,000: n/a"
    nothing = curve(points=[point(0, NAN)], best=None, band=None)
    assert plots(on_the_service(tasks={"maths": nothing})) == []


def test_names_do_not_leave_the_data():
    points = [{**point(0, 0.4), "checkpoint": HOSTILE}, point(1000, 0.5), point(2000, 0.55)]
    reference = {"checkpoint": HOSTILE, "role": "baseline"}
    page = on_the_service(run=HOSTILE, tasks={"maths": curve(points=points, reference=reference)})
    assert HOSTILE not in page
    assert "<img" not in page
    assert plots(page)[0]["points"][0]["checkpoint"] == HOSTILE
    assert plots(page)[0]["level"]["label"].startswith("</script><img")


def test_a_report_is_one_file_without_scripts_and_a_page_loads_them_where_there_is_a_plot(trained):
    assert "<script" not in curve_page(data())
    loads = '<script src="/static/vendor/plotly/plotly-basic.min.js" defer>'
    for path, drawn in (("/runs/exp", True), ("/cells/exp.100/essays", True), ("/runs", False), ("/", False)):
        answer = trained.http("GET", path)
        assert (loads in answer.text) == drawn
        assert "unsafe-eval" not in answer.headers["content-security-policy"]
    script = trained.http("GET", "/static/vendor/plotly/plotly-basic.min.js").text
    assert "Licensed under the MIT license" in script[:400]


def test_a_bar_opens_as_many_items_as_it_counts(trained):
    (plot,) = plots(trained.http("GET", "/cells/exp.100/essays").text)
    bars = [p for p in plot["points"] if p["n"]]
    assert sum(p["n"] for p in bars) == ESSAYS
    for found in bars:
        page = trained.http("GET", "/cells/exp.100/essays" + found["href"]).text
        assert f"{found['n']} item{'' if found['n'] == 1 else 's'}." in page.replace(", page 1 of 2", "")
    assert all(p["href"] == "" for p in plot["points"] if not p["n"])
    assert f"{ESSAYS} items" in trained.http("GET", "/cells/exp.100/essays?scores=wide..open").text


def test_a_cell_leads_to_its_neighbours_and_to_what_changed(trained):
    page = trained.http("GET", "/cells/exp.200/essays").text
    assert re.search(r'rel="prev" href="/cells/exp.100/essays"', page)
    assert re.search(r'rel="next" href="/cells/exp.300/essays"', page)
    assert "<option selected>exp.100</option>" in page
    assert 'rel="prev"' not in trained.http("GET", "/cells/exp.0/essays").text


def test_a_checkpoint_without_a_report_leads_to_its_cells(trained):
    page = trained.http("GET", "/checkpoints/exp.300").text
    assert re.search(r'<a href="/cells/exp.300/essays">essays</a></th><td class="num">[0-9.]+ \[', page)
    assert trained.http("GET", "/checkpoints/nobody").status_code == 404


def test_a_curve_is_computed_once_and_read_where_it_is_written(trained, monkeypatch):
    store, made = trained.project.store, []
    compute = curves.curve_data
    monkeypatch.setattr(curves, "curve_data", lambda *given: made.append(given) or compute(*given))
    first = curves.curve(store, "exp", load_settings())
    assert curves.curve(store, "exp", load_settings()) is first
    assert len(made) == 1
    written = write_learning_curve(store, "exp", load_settings()).data
    curves._curve.cache.clear()
    assert curves.curve(store, "exp", load_settings())["at"] == written["at"]
    assert len(made) == 1
    assert plots(curve_page(written, environment())) == plots(curve_page(first, environment()))
