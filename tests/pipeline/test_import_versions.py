"""Whether a log answers our items: how they are found, what must agree, what is there twice or not at all."""

from __future__ import annotations

import json

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.importers import Fields, ImportRefused, Options, open_log
from eval_assets.pipeline.importing import Rules, import_log
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store.tables import open_table
from tests.pipeline.importing import LM_EVAL, LMMS_EVAL, LOGS, stored
from tests.pipeline.logs.make_logs import ROWS


@pytest.fixture
def made(store, folder):
    """A task of these rows (by default those of the logs), ingested."""

    def make(rows=ROWS, **changes):
        task = folder.rows(rows).task(**changes)
        ingest(task, store)
        return task

    return make


@pytest.fixture
def log(tmp_path):
    def write(lines, name="log.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


def take(store, path, task, fields=None, **rules):
    options = Options(fields or Fields())
    return import_log(store, open_log(path, options), task, "old", Rules(**rules), options)


def lm_eval_rows() -> list[dict]:
    return [row for row in map(json.loads, LM_EVAL.read_text().splitlines()) if row["filter"] == "strict"]


@pytest.mark.parametrize(
    "path", [LM_EVAL, LMMS_EVAL, LOGS / "inspect.json", LOGS / "vlmevalkit" / "model-1b_Birds.tsv"]
)
def test_a_log_of_other_labels_is_refused_with_the_items(store, made, path):
    rows = [{**row, "answer": "no" if row["id"] in ("q3", "q5") else row["answer"]} for row in ROWS]
    task = made(rows, judge="choice", doc_to_choice=["yes", "no"])
    with pytest.raises(ImportRefused, match=r"another version of birds.*'q3' \(its target is .*'q5'.*--allow-mismatch"):
        take(store, path, task)
    assert open_table(store.table("recorded", "old")) is None
    done = take(store, path, task, allow_mismatch=True)
    assert {row[0] for row in stored(store)} == {"q0", "q1", "q2", "q4", "q6", "q7"}
    assert done.without == ["q3", "q5"]
    assert [entry[:4] for entry in done.mismatched] == ["'q3'", "'q5'"]


def test_a_log_of_other_questions_is_refused_and_can_be_kept_by_those_who_know(store, made):
    task = made([{**row, "question": f"Does it rain? {row['id']}", "answer": "maybe"} for row in ROWS])
    with pytest.raises(ImportRefused, match=r"16 of 16 answers differ: .*it asks .*--no-check"):
        take(store, LM_EVAL, task, allow_mismatch=True)
    assert take(store, LM_EVAL, task, check=False).answers == 16


def test_rows_that_were_reordered_are_found_by_their_questions(store, made):
    task = made(ROWS[::-1])
    done = take(store, LM_EVAL, task)
    assert done.matched_by == "the text of the question"
    assert done.checked == {"question": 16, "target": 16, "row": 16}
    assert stored(store)[:2] == [("q0", 0, "Answer: yes"), ("q0", 1, "Answer: yes indeed")]
    with pytest.raises(ImportRefused, match=r"16 of 16 answers differ: 'q7' \(it asks"):
        take(store, LM_EVAL, task, match="row", allow_mismatch=True)  # though half of the labels agree by chance
    assert take(store, LM_EVAL, task, match="field:id").matched_by == "the items' field 'id'"


def test_one_changed_row_shows_by_its_hash_alone(store, made):
    task = made([{**row, "topic": "tiny"} if row["id"] == "q4" else row for row in ROWS])
    with pytest.raises(ImportRefused, match=r"2 of 16 answers differ: 'q4' \(its row has other fields or values\)"):
        take(store, LM_EVAL, task)


def test_labels_that_are_written_another_way_are_told_and_do_not_count(store, made):
    task = made([{**row, "answer": {"yes": "it does", "no": "it does not"}[row["answer"]]} for row in ROWS])
    done = take(store, LMMS_EVAL, task)
    assert done.checked == {"question": 16}
    assert "targets are written another way in the log and were not compared" in done.notes


def test_ids_that_only_count_are_row_numbers_where_the_words_say_so(store, made, tmp_path):
    log = json.loads((LOGS / "inspect.json").read_text())
    for sample in log["samples"]:
        sample["id"] = int(sample["id"][1:]) + 1
    path = tmp_path / "counted.json"
    path.write_text(json.dumps(log))
    task = made([{**row, "id": str(i)} for i, row in enumerate(ROWS)])  # by id, 7 of 8 would match, all wrongly
    done = take(store, path, task)
    assert done.matched_by == "row number (its ids count from 1)"
    assert stored(store)[0] == ("0", 0, "Answer: yes")


def test_items_that_share_a_question_are_not_told_apart_by_it(store, made, log):
    rows = [{**row, "question": "Can it fly?"} if row["id"] in ("q0", "q1") else row for row in ROWS]
    task = made(rows)
    table = log([{"index": 70 + i, "question": row["question"], "prediction": "yes"} for i, row in enumerate(rows)])
    done = take(store, table, task)
    assert (done.answers, done.n_unmatched, done.without) == (6, 2, ["q0", "q1"])


def test_a_plain_log_is_compared_by_the_fields_that_are_named(store, made, log):
    task = made()
    fields = Fields(id="id", response="said", question="q", target="gold")
    lines = [{"id": r["id"], "q": f"Bird quiz. {r['question']}", "gold": [r["answer"], "?"], "said": "x"} for r in ROWS]
    assert take(store, log(lines), task, fields).checked == {"question": 8, "target": 8}
    lines[2]["gold"] = "perhaps"
    with pytest.raises(ImportRefused, match=r"'q2' \(its target is 'perhaps', ours 'no'\)"):
        take(store, log(lines), task, fields)
    assert take(store, log(lines), task, Fields(id="id", response="said")).checked == {}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("5", "5.0"), (1200, "1,200"), ("B", "(B)"), (["a cat", "cat"], "cat"), (["a", "b"], "['a', 'b']"), (True, "Yes"),
     ("Ohm's  law", "ohm's law"), (1, "no"), ("A", "yes"), ("no", "1")],
)  # fmt: skip
def test_labels_that_mean_the_same_agree(ours, theirs):
    from eval_assets.pipeline.import_evidence import same_target

    assert same_target([theirs], ours, ("yes", "no"))
    assert not same_target(["something else"], ours, ("yes", "no"))


def test_two_answers_to_one_sample_are_refused_until_somebody_says_what_they_are(store, made, log):
    task = made()
    rows = lm_eval_rows()
    again = {**rows[2], "resps": [["Answer: maybe"]]}
    path = log([*rows, again, {**rows[1]}], "samples_birds_2026-01-01T00-00-00.jsonl")
    with pytest.raises(ImportRefused, match=r"answers 1 items more than once, and not the same \('q2'\): --duplicates"):
        take(store, path, task)
    expected = {"first": "Answer: no", "last": "Answer: maybe"}
    for way, text in expected.items():
        done = take(store, path, task, duplicates=way)
        assert ("q2", 0, text) in stored(store)
        assert "2 rows repeat an answer word for word and were left out" in done.notes
    done = take(store, path, task, duplicates="samples")
    assert ("q2", 2, "Answer: maybe") in stored(store)
    assert (done.samples, done.repeated) == ((2, 3), ["'q2' (3)"])


def test_an_answer_goes_before_an_error_whichever_comes_first(store, made, log):
    task = made()
    failed = "[LMMS_EVAL_REQUEST_FAILED after 5 retries] 500"
    rows = [{"doc_id": i, "target": ROWS[i]["answer"], "filtered_resps": text}
            for i, text in ((0, failed), (0, "yes"), (1, "no"), (1, failed), (2, failed))]  # fmt: skip
    done = take(store, log(rows), task)
    assert stored(store) == [("q0", 0, "yes"), ("q1", 0, "no"), ("q2", 0, None)]
    assert (done.answers, done.n_failed, done.items_without) == (2, 1, 5)


def test_plain_rows_of_one_item_are_samples_numbered_or_as_they_come(store, made, log):
    task = made()
    fields = Fields(id="id", response="said", sample="k", error="why")
    lines = [{"id": "q0", "said": "b", "k": 1, "why": None}, {"id": "q0", "said": "a", "k": 0, "why": ""},
             {"id": "q1", "said": None, "k": "0", "why": "timeout"}]  # fmt: skip
    done = take(store, log(lines), task, fields)
    assert stored(store, "text", "error") == [("q0", 0, "a", None), ("q0", 1, "b", None), ("q1", 0, None, "timeout")]
    assert done.failed == {"timeout": 1}
    take(store, log([{"id": "q0", "said": ["a", "b"]}, {"id": "q1", "said": "c"}]), task, Fields("id", "said"))
    assert stored(store) == [("q0", 0, "a"), ("q0", 1, "b"), ("q1", 0, "c")]
    with pytest.raises(ImportRefused, match="'k' should be a number, and is 'one'"):
        take(store, log([{"id": "q0", "said": "b", "k": "one", "why": ""}]), task, fields)


def test_empty_texts_are_answers_unless_they_are_said_to_be_missing(store, made, log):
    task, path = made(), log([{"id": "q0", "said": "yes"}, {"id": "q1", "said": " "}])
    options = Options(Fields("id", "said"))
    done = import_log(store, open_log(path, options), task, "old", options=options)
    assert (done.answers, done.empty, done.n_failed) == (2, 1, 0)
    options = Options(Fields("id", "said"), empty_is_missing=True)
    done = import_log(store, open_log(path, options), task, "old", options=options)
    assert (done.answers, done.empty, done.n_failed) == (1, 0, 1)


def test_an_import_of_one_task_leaves_the_answers_to_others(store, made, log, folder):
    task = made()
    take(store, LMMS_EVAL, task)
    text = (folder.path / "birds.yaml").read_text()
    (folder.path / "more.yaml").write_text(text.replace("task: birds", "task: more"))
    from task_defs import load_task

    more = load_task(folder.path / "more.yaml")
    ingest(more, store)
    take(store, LM_EVAL, more)
    assert len(stored(store)) == 8
    assert len(stored(store, task="more")) == 16


def test_a_data_set_that_changes_after_an_import_is_told(made, store, folder, log):
    lines = log([{"id": row["id"], "text": "yes"} for row in ROWS])
    fields = Fields(response="text", id="id")
    take(store, lines, made(), fields)

    def said() -> list[str]:
        told: list[str] = []
        task = folder.task()
        infer(plan_cell(store, identify_checkpoint(store, "old"), task), store, run_id="r", log=told.append)
        return [line for line in told if line.startswith("WARNING")]

    assert said() == []
    changed = made([{**row, "question": row["question"].replace("robin", "rook")} for row in ROWS])
    assert ["birds has changed since log.jsonl was imported" in line for line in said()] == [True]
    take(store, lines, changed, fields)
    assert said() == []
