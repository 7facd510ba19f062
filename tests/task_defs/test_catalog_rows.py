"""Every task of the catalogue on a row or two of its own schema, through the real ingestion."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

import pytest

import task_defs
from eval_assets.pipeline.catalogue import catalogue
from eval_assets.pipeline.ingest import ingest, items_of
from eval_assets.pipeline.metrics import task_metrics
from judges import TextJudge, get_judge
from task_defs import TaskError, compile_task, judge_spec, list_tasks, open_source
from task_defs.sources.hub import read_hub
from task_defs.sources.locate import Found
from tests.catalog_rows import ROWS, beside, place

TASKS = list_tasks([])
load_task = cache(task_defs.load_task)
PAGE = "docs/catalogue.md"


@pytest.fixture
def data(tmp_path, monkeypatch):
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("EVAL_DATA", str(root))
    return root


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_where_it_comes_from_and_names_metrics_of_its_judge(name):
    task = load_task(name)
    for field in ("version", "reference", "licence"):
        assert task.metadata.get(field), f"metadata.{field} is missing"
    assert set(task.tag) & {"image", "video", "audio", "text"}, "tag: the modality"
    names = [metric.name for metric in task_metrics(task)]  # raises for a metric that the judge does not offer
    chance = task.metadata.get("chance")
    assert set(chance if isinstance(chance, dict) else {}) <= set(names), "metadata.chance names another metric"


@pytest.mark.parametrize("name", TASKS)
def test_a_task_makes_items_of_its_rows(name, data, store):
    task = load_task(name)
    has_rows = any((task.docs, beside(task, ".jsonl"), beside(task, "")))
    assert has_rows, f"no rows: add {ROWS / name}.jsonl"
    place(task, data)
    done = ingest(task, store)
    assert done.quarantined == []
    assert done.items
    assert not done.missing_media
    functions, judge = compile_task(task), get_judge(judge_spec(task))
    seen: set[str] = set()
    for item in _stored(store, task):
        kinds = [medium["mime"].split("/")[0] for medium in item["media"]]
        turns = functions.conversation(item["doc"], kinds, item["item_id"])
        texts = [part for _, parts in turns for kind, part in parts if kind == "text"]
        assert task.episode or any(text.strip() for text in texts), "an empty prompt"  # a player has words of its own
        assert sum(kind == "media" for _, parts in turns for kind, _ in parts) == len(kinds)
        seen |= set(functions.categories(item["doc"], item["item_id"]))
        if isinstance(judge, TextJudge) and task.metadata.get("labels") != "not public":
            asked = {"target": item["target"], "choices": functions.choices(item["doc"]), "doc": item["doc"]}
            assert judge.judge(asked, "").unscored is None, "the judge cannot use the label"
    assert seen == set(task.report_by)


@pytest.mark.parametrize("name", [name for name in TASKS if (ROWS / f"{name}.prompt.txt").exists()])
def test_the_prompt_is_the_published_one(name, data, store):
    task = load_task(name)
    place(task, data)
    ingest(task, store)
    first = _stored(store, task)[0]
    kinds = [medium["mime"].split("/")[0] for medium in first["media"]]
    turns = compile_task(task).conversation(first["doc"], kinds)
    shown = [
        "".join(part if kind == "text" else f"<{kinds[part]}>" for kind, part in parts)
        if role == "user" and not number
        else f"\n[{role}]\n" + "".join(part if kind == "text" else f"<{kinds[part]}>" for kind, part in parts)
        for number, (role, parts) in enumerate(turns)
    ]
    assert "".join(shown) + "\n" == (ROWS / f"{name}.prompt.txt").read_text(encoding="utf-8")


def _stored(store, task):
    rows = [row for batch in items_of(store, task).batches(["item_id", "doc", "media", "target"]) for row in batch]
    return [
        {**row, "doc": json.loads(row["doc"]), "target": None if row["target"] is None else json.loads(row["target"])}
        for row in rows
    ]


def test_every_file_beside_belongs_to_a_task():
    folders = {load_task(name).data_folder for name in TASKS} | set(TASKS)
    names = {path.name.removesuffix(".jsonl").removesuffix(".prompt.txt") for path in ROWS.iterdir()}
    stray = sorted(names - folders - {"README.md"})
    assert stray == []


def test_the_page_of_the_catalogue_is_up_to_date(request):
    page = (request.config.rootpath / PAGE).read_text(encoding="utf-8")
    assert page == catalogue([load_task(name) for name in TASKS]), f"evals tasks --catalogue > {PAGE}"


def _with_patterns():
    for name in TASKS:
        with suppress(TaskError):  # the test of the task itself says why
            task = load_task(name)
            # What a configuration is called is known from the README on the hub only.
            if "*" in "".join(task.data_files.get(task.test_split, ())) and not task.dataset_name:
                yield name


@pytest.mark.parametrize("name", list(_with_patterns()))
def test_the_datasets_package_finds_the_same_files(name, data):
    """A folder laid out as on the hub stands in for it: patterns and media mean the same to both readers."""
    task = load_task(name)
    folder = place(task, data)
    ours = [row.doc for row in open_source(task.model_copy(update={"process_docs": None}), [data]).rows()]
    theirs = list(read_hub(task, Found("huggingface", folder, path=str(folder))))
    assert [_without_none(row) for row in theirs] == [_without_none(row) for row in ours]


def _without_none(value):
    """What Arrow fills in for a field that only other rows have is no difference."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
