"""Logs that other harnesses wrote, read for what they say (tests/pipeline/logs: how they were made)."""

from __future__ import annotations

import json
import shutil

import pytest

from eval_assets.pipeline.import_files import import_files
from eval_assets.pipeline.importers import ImportRefused, Options, open_log
from eval_assets.pipeline.importing import Rules, import_answers
from eval_assets.pipeline.ingest import ingest
from resources.store.records import imports
from resources.store.tables import open_table
from tests.pipeline.importing import LM_EVAL, LM_EVAL_CHOICE, LMMS_EVAL, LMMS_EVAL_AGAIN, LOGS, stored
from tests.pipeline.logs.make_logs import ANSWERS, ROWS

TABLES = ("model-1b_Birds.xlsx", "model-old_Birds.xlsx", "model-1b_Birds.tsv", "model-1b_Birds.json")


@pytest.fixture
def task(store, folder):
    made = folder.rows(ROWS).task(judge="yes_no")
    ingest(made, store)
    return made


def take(store, path, task, **rules):
    return import_answers(store, path, task, "old", rules=Rules(**rules))


@pytest.mark.parametrize("name", ["inspect.eval", "inspect_chunked.eval", "inspect.json"])
def test_inspect_logs_give_epochs_as_samples_with_all_that_a_judge_looks_at(store, task, name):
    done = take(store, LOGS / name, task)
    assert (done.format, done.model, done.matched_by) == ("inspect", "mockllm/birds", "item id")
    assert (done.answers, done.n_failed, done.items_without, done.samples) == (14, 2, 0, (2, 2))
    assert done.checked == {"question": 16, "target": 16}
    expected = [None if i == 5 else text for i, text in enumerate(ANSWERS)]
    assert stored(store) == [(f"q{i}", s, text) for i, text in enumerate(expected) for s in (0, 1)]
    failed = [row for row in stored(store, "error") if row[2]]
    assert failed == [("q5", s, "RuntimeError('rate limit: 429 Too Many Requests')") for s in (0, 1)]
    reasons = {row[0]: row[2] for row in stored(store, "finish_reason")}
    assert (reasons["q0"], reasons["q6"], reasons["q7"]) == ("stop", "length", "content_filter")
    assert {row[2] for row in stored(store, "reasoning") if row[0] == "q3"} == {"Swifts hardly ever land."}
    assert stored(store, "prompt_tokens", "completion_tokens", "served_by")[0] == ("q0", 0, 11, 3, "mockllm/birds")


def test_settings_of_a_log_are_kept_with_the_checkpoint_and_its_secrets_are_not(store, task):
    done = take(store, LOGS / "inspect.eval", task)
    (row,) = imports(store).rows()
    settings = json.loads(row["settings"])
    assert settings["generation_kwargs"] == {"max_tokens": 64, "temperature": 0.5, "seed": 7}
    assert settings["packages"] == {"inspect_ai": "0.3.285"}
    assert (row["checkpoint"], row["task"], row["file"], row["answers"]) == ("old", "birds", "inspect.eval", 14)
    assert len(row["sha256"]) == 64
    assert json.loads(row["details"])["n_failed"] == done.n_failed == 2
    assert "sk-" not in row["settings"]


def test_lm_eval_repeats_are_samples_and_filters_are_not(store, task):
    done = take(store, LM_EVAL, task)
    assert (done.format, done.model, done.answers, done.samples) == ("lm-eval", "birds/model-1b", 16, (2, 2))
    assert stored(store)[:3] == [("q0", 0, "Answer: yes"), ("q0", 1, "Answer: yes indeed"), ("q1", 0, "Answer: no")]
    assert done.checked == {"question": 16, "target": 16, "row": 16}, "the hashes of rows are lm-eval's"
    assert done.settings["generation_kwargs"]["max_gen_toks"] == 32
    assert done.settings["lm_eval_version"] == "0.4.13"
    assert any("filter 'strict'" in note for note in done.notes)


def test_log_likelihoods_are_no_answers(store, task):
    with pytest.raises(ImportRefused, match=r"line 1: `resps` holds no texts but log-likelihoods"):
        take(store, LM_EVAL_CHOICE, task)


def test_lmms_eval_gives_what_the_model_said_once_for_all_filters(store, task):
    done = take(store, LMMS_EVAL, task)
    assert (done.format, done.model, done.answers, done.samples) == ("lmms-eval", "birds/model-1b", 8, (1, 1))
    assert stored(store) == [(f"q{i}", 0, text) for i, text in enumerate(ANSWERS)]
    assert "8 rows repeat an answer word for word and were left out" in done.notes
    assert done.empty == 1
    assert done.settings["generation_kwargs"]["max_new_tokens"] == 32


def test_lmms_eval_repeats_are_samples_and_a_failed_request_is_no_answer(store, task):
    done = take(store, LMMS_EVAL_AGAIN, task)
    assert (done.answers, done.n_failed, done.samples) == (14, 2, (2, 2))
    assert stored(store)[:2] == [("q0", 0, "Answer: yes (0)"), ("q0", 1, "Answer: yes (1)")]
    assert done.failed == {"[LMMS_EVAL_REQUEST_FAILED after 5 retries] 429 Too Many Requests": 2}


@pytest.mark.parametrize("name", TABLES)
def test_vlmevalkit_tables_are_found_by_their_questions_and_a_formula_is_text(store, folder, name):
    choice = folder.rows(ROWS).task(judge="choice", doc_to_choice=["yes", "no"])
    ingest(choice, store)
    done = take(store, LOGS / "vlmevalkit" / name, choice)
    assert (done.format, done.model) == ("vlmevalkit", name.partition("_")[0])
    assert done.matched_by == "the text of the question"
    assert done.checked == {"question": 8, "target": 8}, "their letters are our options"
    texts = [row[2] for row in stored(store)]
    assert texts == ["A", "B", "=B", "A", None, "A", "A", ""]
    assert done.failed == {"Failed to obtain answer via API.": 1}


def test_imported_answers_are_judged_and_reported_like_any_other(store, task):
    from eval_assets.pipeline.cell import Variant, plan_cell
    from eval_assets.pipeline.infer import infer
    from eval_assets.pipeline.registering import identify_checkpoint
    from eval_assets.pipeline.report import report_cell
    from eval_assets.pipeline.scoring import judge_cell, scores_of

    take(store, LOGS / "inspect.eval", task)
    cell = plan_cell(store, identify_checkpoint(store, "old"), task, Variant(repeats=2))
    done = infer(cell, store, run_id="r", log=print)
    assert done.spend == {}, "their tokens were not spent here"
    judge_cell(cell, store, run_id="r", log=print)
    report = report_cell(cell, store, run_id="r", log=print)
    assert report["metrics"]["accuracy"]["value"] == pytest.approx(5 / 7), "q6 is wrong, q7 refused, q5 has no answer"
    scores = scores_of(store, "old", "birds", cell.variant.id).dataset().to_table().to_pylist()
    by = {row["item_id"]: row for row in scores}
    assert by["q5"]["unscored"].startswith("no response: failed_there: the log says: RuntimeError('rate limit")
    assert (by["q6"]["flags"], by["q7"]["flags"]) == (["truncated"], ["refusal"])
    assert by["q0"]["prompt_tokens"] == 11


def test_the_folder_of_a_run_is_one_checkpoint_with_many_tasks(store, folder, monkeypatch):
    folder.rows(ROWS).task()
    folder.task()
    (folder.path / "again.yaml").write_text((folder.path / "birds.yaml").read_text().replace("birds", "again", 1))
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    batch = import_files(
        store, [LOGS / "lmms_eval"], "old", tasks=["birds_again=again"], prepare=lambda task: ingest(task, store)
    )
    assert [(done.task, done.answers) for done in batch.done] == [("birds", 8), ("again", 14)]
    assert len(stored(store)) == 8
    assert len(stored(store, task="again")) == 16
    assert {row["task"] for row in imports(store).rows()} == {"birds", "again"}


def test_of_a_folder_what_is_no_task_here_is_left_out_and_what_is_refused_fails_alone(store, folder, monkeypatch):
    folder.rows(ROWS).task()
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    batch = import_files(store, [LOGS / "lm_eval"], "old", prepare=lambda task: ingest(task, store))
    assert [done.task for done in batch.done] == ["birds"]
    (why,) = batch.left_out.values()
    assert "answers 'birds_choice', and no task is called so: --task birds_choice=OURS" in why
    batch = import_files(
        store, [LM_EVAL, LM_EVAL_CHOICE], "old", tasks=["birds_choice=digits"], prepare=lambda task: ingest(task, store)
    )
    assert [done.task for done in batch.done] == ["birds"]
    assert "log-likelihoods" in batch.failures[str(LM_EVAL_CHOICE)]


def test_files_that_do_not_go_together_are_refused(store, folder, monkeypatch, tmp_path):
    folder.rows(ROWS).task()
    monkeypatch.setenv("EVAL_TASK_PATH", str(folder.path))
    shutil.copytree(LMMS_EVAL.parent, tmp_path / "run")
    other = tmp_path / "run" / LMMS_EVAL.name.replace("20260101", "20260102")
    shutil.copy(LMMS_EVAL, other)
    with pytest.raises(ImportRefused, match=r"both answer birds: name one of them"):
        import_files(store, [tmp_path / "run"], "old", tasks=["birds_again=digits"])
    results = json.loads((tmp_path / "run" / "20260101_120000_results.json").read_text())
    results["model_name"] = "someone/else"
    other.unlink()
    (tmp_path / "run" / "20260102_120000_results.json").write_text(json.dumps(results))
    shutil.copy(LMMS_EVAL_AGAIN, tmp_path / "run" / "20260102_120000_samples_birds_again.jsonl")
    (tmp_path / "run" / LMMS_EVAL_AGAIN.name).unlink()
    with pytest.raises(ImportRefused, match=r"different models: birds/model-1b .*someone/else"):
        import_files(store, [tmp_path / "run"], "old", tasks=["birds_again=digits"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportRefused, match="no log in"):
        import_files(store, [tmp_path / "empty"], "old")


def test_a_format_that_is_asked_for_must_be_the_files(store, task):
    for path, format in ((LM_EVAL, "lmms-eval"), (LOGS / "inspect.eval", "plain"), (LM_EVAL, "inspect")):
        with pytest.raises(ImportRefused, match=r"no log of|is a log of"):
            open_log(path, Options(), format)
    assert open_log(LM_EVAL, Options(), "lm-eval").format == "lm-eval"


def test_a_run_that_was_cancelled_is_read_as_far_as_it_came_and_told(store, task, tmp_path):
    from zipfile import ZIP_DEFLATED, ZipFile

    from eval_assets.pipeline.importers.archive import read_member

    path = tmp_path / "cut.eval"
    with ZipFile(LOGS / "inspect.eval") as whole, ZipFile(path, "w", ZIP_DEFLATED) as cut:
        for member in whole.infolist():
            if member.filename not in ("header.json", "summaries.json") and not member.filename.endswith("_2.json"):
                cut.writestr(member.filename, read_member(whole, member, LOGS / "inspect.eval", 10**6))
    done = take(store, path, task)
    assert (done.answers, done.samples) == (7, (1, 1))
    assert any("did not end well (status 'started')" in note for note in done.notes)
    assert open_table(store.table("recorded", "old")) is not None
