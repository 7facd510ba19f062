"""Answers from another harness's log, matched with a task's items."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval_assets.pipeline.importers import ImportRefused
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models.checkpoint import Checkpoint
from resources.store import KeyRefused
from resources.store.records import checkpoints
from resources.store.tables import open_table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def task(store, folder, rows):
    made = folder.rows(rows(4, topic="birds")).task()
    ingest(made, store)
    return made


@pytest.fixture
def log(tmp_path):
    def write(lines: list) -> Path:
        path = tmp_path / "log.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return path

    return write


def take(store, path: Path, task, id_field="id", response_field="text", name="old"):
    return import_answers(store, path, task, name, id_field=id_field, response_field=response_field)


def stored(store, name="old") -> list[tuple]:
    rows = open_table(store.table("recorded", name)).to_table().to_pylist()
    return sorted((row["item_id"], row["sample"], row["text"]) for row in rows)


def test_nested_fields_are_reached_with_dots(store, task, log):
    path = log([{"meta": {"id": f"q{i}"}, "output": {"text": f"a{i}"}} for i in range(4)])
    done = take(store, path, task, "meta.id", "output.text")
    assert (done.answers, done.items, done.items_without, done.matched_by) == (4, 4, 0, "item id")
    assert stored(store) == [(f"q{i}", 0, f"a{i}") for i in range(4)]
    assert identify_checkpoint(store, "old").model == "recorded"


def test_a_name_with_a_dot_that_is_a_field_goes_first(store, task, log):
    take(store, log([{"a.b": f"q{i}", "text": "x"} for i in range(4)]), task, "a.b")
    assert [row[0] for row in stored(store)] == ["q0", "q1", "q2", "q3"]


def test_by_row_number_there_must_be_as_many_rows_as_items(store, task, log):
    done = take(store, log([{"text": f"a{i}"} for i in range(4)]), task, None)
    assert done.matched_by == "row number"
    assert stored(store) == [(f"q{i}", 0, f"a{i}") for i in range(4)]
    with pytest.raises(ImportRefused, match=r"3 rows and birds 4 items: name the --id-field"):
        take(store, log([{"text": "a"}] * 3), task, None)


def test_by_a_field_whose_values_are_unique(store, task, log):
    path = log([{"question": f"Question {i}?", "text": f"a{i}"} for i in (2, 0, 3)])
    done = take(store, path, task, "question")
    assert (done.matched_by, done.items_without) == ("the items' field 'question'", 1)
    assert stored(store) == [("q0", 0, "a0"), ("q2", 0, "a2"), ("q3", 0, "a3")]
    with pytest.raises(ImportRefused, match="two items of birds have the same 'topic'"):
        take(store, log([{"topic": "birds", "text": "a"}]), task, "topic")


def test_several_rows_of_an_item_are_its_samples_in_order(store, task, log):
    take(store, log([{"id": f"q{i % 2}", "text": f"{i}"} for i in range(6)]), task)
    assert stored(store) == [
        ("q0", 0, "0"), ("q0", 1, "2"), ("q0", 2, "4"), ("q1", 0, "1"), ("q1", 1, "3"), ("q1", 2, "5"),
    ]  # fmt: skip


def test_ids_that_match_nothing_are_refused_and_a_few_are_named(store, task, log):
    with pytest.raises(ImportRefused, match=r"2 of 2 rows .*'x1'.*its items are called 'q0', 'q1'"):
        take(store, log([{"id": "x1", "text": "a"}, {"id": "x2", "text": "a"}]), task)
    assert open_table(store.table("recorded", "old")) is None
    done = take(store, log([{"id": i, "text": "a"} for i in ("q0", "q1", "x1")]), task)
    assert (done.answers, done.unmatched) == (2, ["x1"])
    with pytest.raises(ImportRefused, match="0 of 0 rows"):
        take(store, log([]), task)


@pytest.mark.parametrize(
    ("id_field", "response_field", "says"),
    [
        ("idd", "text", r"row 1: no field 'idd'; it has id, text, meta"),
        ("id", "answer", r"row 1: no field 'answer'; it has id, text, meta"),
        ("meta.key.deep", "text", r"row 1: no field 'meta.key.deep'"),
    ],
)
def test_a_wrong_field_name_names_those_there_are(store, task, log, id_field, response_field, says):
    with pytest.raises(ImportRefused, match=says):
        take(store, log([{"id": "q0", "text": "a", "meta": {"key": 1}}]), task, id_field, response_field)


@pytest.mark.parametrize("line", ['{"id": "q1", "te', "[1, 2]", '"text"', "7", "null"])
def test_a_line_that_is_no_object_is_named_with_file_and_line(store, task, log, line):
    path = log([{"id": "q0", "text": "a"}, "", line])
    with pytest.raises(ImportRefused, match=r"log\.jsonl:3: "):
        take(store, path, task)


def test_bytes_that_are_no_text_are_told(store, task, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"id": "q0", "text": "caf\xe9"}\n')
    with pytest.raises(ImportRefused, match=r"log\.jsonl.*UTF-8"):
        take(store, path, task)
    with pytest.raises(ImportRefused, match="no file"):
        take(store, tmp_path / "absent.jsonl", task)


def test_answers_that_are_no_text_are_kept_as_json_and_null_as_a_missing_one(store, task, log):
    values = ["a \ud83d", None, 7, {"x": ["ü"]}]
    done = take(store, log([{"id": f"q{i}", "text": value} for i, value in enumerate(values)]), task)
    assert [row[2] for row in stored(store)] == ["a \ufffd", None, "7", '{"x": ["ü"]}']
    assert (done.answers, done.failed) == (3, {"the log has no answer here (null)": 1})


def test_parquet_is_read_like_json_lines(store, task, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": ["q1", "q0"], "out": [{"text": "b"}, {"text": "a"}]}), path)
    take(store, path, task, "id", "out.text")
    assert stored(store) == [("q0", 0, "a"), ("q1", 0, "b")]


def test_the_name_of_another_model_is_not_taken(store, task, log):
    register(store, Checkpoint("gpt", "openai", "gpt"))
    path = log([{"id": "q0", "text": "a"}])
    with pytest.raises(ImportRefused, match="model 'openai' already: choose another --name"):
        take(store, path, task, name="gpt")
    assert open_table(store.table("recorded", "gpt")) is None, "nothing is written before it is refused"
    assert checkpoints(store).get(checkpoint="gpt")["source"] == "gpt"
    with pytest.raises(KeyRefused):
        take(store, path, task, name="a|b")


def test_a_second_import_replaces_the_first_and_is_another_model(store, task, log):
    take(store, log([{"id": "q0", "text": "a"}]), task)
    first = identify_checkpoint(store, "old").fingerprint
    take(store, log([{"id": "q0", "text": "b"}]), task)
    assert stored(store) == [("q0", 0, "b")]
    assert identify_checkpoint(store, "old").fingerprint != first


@pytest.mark.real
def test_real_answers_match_by_the_text_of_the_question(store, monkeypatch):
    """GSM8K's systems answer inside the questions' own rows: matched by question, scored as published."""
    source = DATA / "gsm8k" / "example_model_solutions.jsonl"
    if not source.is_file():
        pytest.skip(f"no real data: {source} does not exist")
    from eval_assets.pipeline.cell import plan_cell
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.report import report_cell
    from eval_assets.pipeline.scoring import judge_cell
    from task_defs import load_task

    monkeypatch.setenv("EVAL_DATA", str(DATA))
    task = load_task("gsm8k")
    ingest(task, store)
    done = take(store, source, task, "question", "175b_verification.solution")
    assert (done.answers, done.items_without) == (1319, 0)
    cell = plan_cell(store, identify_checkpoint(store, "old"), task)
    for step in (infer, judge_cell):
        step(cell, store, run_id="r", log=print)
    report = report_cell(cell, store, run_id="r", log=print)
    right = task.metadata["figures"]["right"]["175b_verification"]
    assert report["metrics"]["accuracy"]["value"] * 1319 == pytest.approx(right)
