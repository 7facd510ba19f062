"""Asking a model what a cell lacks: each request once, each answer durable as it comes."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from functools import cached_property
from itertools import groupby
from pathlib import Path

import pytest

from eval_assets.pipeline import infer as infer_module
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.inferred import InferenceIncomplete
from eval_assets.pipeline.registering import register
from resources.models import ModelUnusable
from resources.models.base import Media
from resources.models.checkpoint import Checkpoint
from resources.store.tables import open_table
from tests.conftest import Reply, TaskFolder


def answers_of(store, cell) -> list[tuple[str, int, str]]:
    rows = open_table(cell.outputs(store).uri).to_table().to_pylist()
    return sorted((row["item_id"], row["sample"], row["text"]) for row in rows)


def test_answers_are_stored_while_others_are_under_way(bench, folder, rows, store, endpoint):
    """The last request is held back until the table has grown: it could not, if rows came at the end."""
    cell = bench.cell(folder.rows(rows(40)).task(), concurrency=4)
    release = threading.Event()
    endpoint.answer = lambda request, number: Reply(delay=0.02 if number < 39 else 1.6)
    thread = threading.Thread(target=lambda: infer(cell, store, run_id="r", log=print) and release.set())
    thread.start()
    counts = []
    while not release.is_set() and len(endpoint.seen) < 40:
        time.sleep(0.01)
    deadline = time.monotonic() + 1.3
    while time.monotonic() < deadline and (not counts or counts[-1] < 39):
        counts.append(cell.outputs(store).count())
        time.sleep(0.05)
    assert not release.is_set(), "one is still under way"
    assert counts[-1] == 39
    thread.join(30)
    assert cell.outputs(store).count() == 40


def test_a_complete_cell_asks_nothing_and_needs_no_endpoint(bench, folder, rows, store, endpoint):
    task = folder.rows(rows(5)).task()
    first = bench.infer(task)
    cell = bench.cell(task)
    before = open_table(cell.outputs(store).uri).version
    endpoint.close()
    said: list[str] = []
    again = infer(cell, store, run_id="r2", log=said.append)
    assert (again.version, again.rows, again.asked) == (first.version, 5, 0)
    assert said == ["m on birds: complete, nothing to ask"]
    assert open_table(cell.outputs(store).uri).version == before


def test_new_items_new_samples_and_what_a_limit_left_are_all_that_is_asked(bench, folder, rows):
    task = folder.rows(rows(6)).task()
    first_two = ["Question 0?", "Question 1?"]
    assert bench.asked(task, Variant(limit=2)) == first_two
    assert bench.asked(task) == [f"Question {i}?" for i in range(2, 6)]
    grown = folder.rows(rows(8)).task()
    assert bench.asked(grown) == ["Question 6?", "Question 7?"]
    more = folder.task(repeats=3)
    assert Counter(bench.asked(more)) == {f"Question {i}?": 2 for i in range(8)}
    assert bench.asked(more) == []
    assert bench.asked(folder.task(repeats=2)) == []
    assert bench.asked(more, Variant(repeats=4, limit=2)) == first_two


def test_a_changed_question_is_all_that_is_asked_again(bench, folder, rows):
    data = rows(5)
    bench.infer(folder.rows(data).task())
    data[3]["question"] = "Another?"
    assert bench.asked(folder.rows(data).task()) == ["Another?"]
    data[3]["question"] = "Question 3?"
    assert bench.asked(folder.rows(data).task()) == []


def test_two_items_that_ask_the_same_share_one_request(bench, folder, store, endpoint):
    a, b = folder.picture("a.png", 1), folder.picture("b.png", 2)
    (folder.path / "copy.png").write_bytes((folder.path / "a.png").read_bytes())
    pictures = [a, a, "copy.png", b, None]
    data = [{"id": f"q{i}", "question": "Owl?", "answer": "yes", "image": name} for i, name in enumerate(pictures)]
    task = folder.rows(data).task(doc_to_visual="image", repeats=2)
    endpoint.answer = lambda request, number: Reply(text=f"answer {number}")
    cell = bench.cell(task)
    done = infer(cell, store, run_id="r", log=print)
    assert (len(endpoint.seen), done.asked, done.reused) == (6, 6, 4)
    texts = {(item, sample): text for item, sample, text in answers_of(store, cell)}
    assert len(texts) == 10
    assert texts["q0", 0] == texts["q1", 0] == texts["q2", 0] != texts["q3", 0]
    assert texts["q0", 1] == texts["q1", 1] == texts["q2", 1] != texts["q0", 0]
    data.append({"id": "q9", "question": "Owl?", "answer": "no", "image": b})
    assert bench.asked(folder.rows(data).task(doc_to_visual="image", repeats=2)) == []


def _infer(yaml: str, root: str, together) -> None:
    from eval_assets.pipeline.cell import plan_cell
    from eval_assets.pipeline.registering import identify_checkpoint
    from resources.store import Store
    from task_defs import load_task

    store = Store(root)
    cell = plan_cell(store, identify_checkpoint(store, "m"), load_task(Path(yaml)))
    together.wait(60)
    infer(cell, store, run_id="r", log=print)


def test_two_runs_of_one_cell_ask_each_request_once(bench, folder, rows, store, endpoint):
    task = folder.rows(rows(60)).task()
    cell = bench.cell(task, concurrency=4)
    endpoint.answer = lambda request, number: Reply(delay=0.02)
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(2)
    processes = [spawn.Process(target=_infer, args=(str(task.path), store.root, together)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0, 0]
    assert len(endpoint.seen) == 60
    assert [item for item, _, _ in answers_of(store, cell)] == sorted(f"q{i}" for i in range(60))
    assert bench.asked(task, concurrency=4) == []


def test_items_without_their_medium_are_never_sent_and_come_out_unscored(bench, folder, rows, endpoint):
    names = [folder.picture("a.png", 1), "absent.png", None]
    data = [{**row, "image": name} for row, name in zip(rows(3), names, strict=True)]
    task = folder.rows(data).task(doc_to_visual="image")
    scored = bench.scored(task)
    assert sorted(seen.text for seen in endpoint.seen) == ["Question 0?", "Question 2?"]
    assert [row["score"] for row in scored] == [1.0, None, 1.0]
    assert scored[1]["unscored"].startswith("missing medium: file not found: absent.png")
    folder.picture("absent.png", 2)
    assert bench.asked(task) == ["Question 1?"]


def test_pictures_come_in_media_order_and_each_is_encoded_once(bench, folder, rows, endpoint, monkeypatch):
    encoded: Counter[str] = Counter()
    plain = Media.data_url.func

    def counting(media: Media) -> str:
        encoded[media.sha] += 1
        return plain(media)

    counted = cached_property(counting)
    counted.__set_name__(Media, "data_url")
    monkeypatch.setattr(Media, "data_url", counted)
    names = [folder.picture(f"{n}.png", n) for n in range(27)]
    data = [{**row, "image": names[i % 27]} for i, row in enumerate(rows(200))]
    task = folder.rows(data).task(doc_to_visual="image")
    assert len(bench.asked(task, concurrency=1)) == 200
    pictures = [seen.pictures[0] for seen in endpoint.seen]
    assert len(list(groupby(pictures))) == 27, "questions on one picture follow each other"
    assert len(encoded) == 27
    assert set(encoded.values()) == {1}


def test_large_media_are_read_a_few_at_a_time(bench, folder, rows, monkeypatch):
    """However many pictures there are, those that wait to be sent stay below the limit together."""
    monkeypatch.setattr(infer_module, "CHUNK_BYTES", 3000)
    held: list[int] = []
    load = infer_module.MediaPool._load

    def watching(pool, batch) -> None:
        load(pool, batch)
        held.append(sum(len(media.data) for sent in pool._held.values() for media in sent))

    monkeypatch.setattr(infer_module.MediaPool, "_load", watching)
    data = [{**row, "image": folder.picture(f"{i}.png", i, edge=200)} for i, row in enumerate(rows(40))]
    assert len(bench.asked(folder.rows(data).task(doc_to_visual="image"))) == 40
    assert len(held) > 3
    assert max(held) <= 3000


def test_seeds_differ_between_samples(bench, folder, rows, endpoint):
    gen = {"max_tokens": 8, "temperature": 0.7, "seed": 100}
    bench.infer(folder.rows(rows(3)).task(generation_kwargs=gen, repeats=3))
    seeds = sorted((seen.text, seen.body["seed"]) for seen in endpoint.seen)
    assert seeds == sorted((f"Question {i}?", 100 + sample) for i in range(3) for sample in range(3))


def test_what_may_pass_is_not_kept_and_asked_again_what_belongs_to_the_request_is_kept(bench, folder, rows, endpoint):
    def answer(request, number):
        if "Question 1?" in request.text:
            return Reply(text="maximum context length exceeded", status=400)
        if "Question 2?" in request.text:
            return Reply(text="unknown parameter", status=400)
        return Reply(text="oops", status=500) if "Question 3?" in request.text else Reply()

    endpoint.answer = answer
    task = folder.rows(rows(6)).task()
    with pytest.raises(InferenceIncomplete, match=r"2 requests failed .*unknown parameter.*4 answers .* are kept"):
        bench.infer(task)
    endpoint.answer = lambda request, number: Reply()
    assert bench.asked(task) == ["Question 2?", "Question 3?"]
    scored = bench.scored(task)
    assert [row["score"] for row in scored] == [1.0, None, 1.0, 1.0, 1.0, 1.0]
    assert scored[1]["unscored"].startswith("no response: too_long")


@pytest.mark.parametrize("status", [500, 401])
def test_an_endpoint_that_answers_nothing_is_given_up(bench, folder, rows, store, endpoint, status):
    endpoint.answer = lambda request, number: Reply(text="oops", status=status if number >= 20 else 200)
    task = folder.rows(rows(400)).task()
    cell = bench.cell(task, concurrency=8)
    with pytest.raises(ModelUnusable, match=r"one after another: .*server: 500|refused the key"):
        infer(cell, store, run_id="r", log=print)
    assert len(endpoint.seen) < 250, "not all 400 are tried"
    assert cell.outputs(store).count() == 20
    endpoint.answer = lambda request, number: Reply()
    assert len(bench.asked(task, concurrency=8)) == 380


def test_giving_up_while_the_next_questions_are_read_says_why(bench, folder, rows, store, endpoint, monkeypatch):
    """More places than a chunk has questions: some wait for the next chunk when the others have failed."""
    within, calls = infer_module.MediaPool.within, []

    def slow(pool, lacking, limit):
        calls.append(1)
        time.sleep(1.0 if len(calls) > 1 else 0.0)
        yield from within(pool, lacking, limit)

    monkeypatch.setattr(infer_module.MediaPool, "within", slow)
    endpoint.answer = lambda request, number: Reply(text="oops", status=500)
    cell = bench.cell(folder.rows(rows(200)).task(), concurrency=100)
    with pytest.raises(ModelUnusable, match="64 requests failed one after another"):
        infer(cell, store, run_id="r", log=print)


def test_the_data_version_is_of_the_answers_and_not_of_their_order(bench, folder, rows, endpoint, tmp_path):
    from resources.store import Store
    from tests.pipeline.conftest import Bench

    task = folder.rows(rows(30)).task()
    versions = []
    for number, delay in enumerate((0.0, 0.03, 0.0)):
        endpoint.answer = lambda request, n, d=delay: Reply(text=request.text, delay=d * (n % 3))
        if number == 2:
            endpoint.answer = lambda request, n: Reply(text=request.text.replace("7", "8"))
        versions.append(Bench(Store(tmp_path / str(number)), endpoint).infer(task, concurrency=4).version)
    assert versions[0] == versions[1] != versions[2]


def test_a_copied_checkpoint_finds_the_answers_again(bench, folder, rows, store, endpoint):
    task = folder.rows(rows(4)).task()
    bench.infer(task)
    assert bench.asked(task, key="same-model-other-name") == []
    with pytest.raises(ModelUnusable, match="environment variable"):
        register(store, Checkpoint("k", "openai", "gpt", {"api_key": "sk-1"}))


def test_half_an_emoji_in_an_answer_is_replaced_and_loses_no_other(bench, folder, rows, store, endpoint):
    body = b'{"choices": [{"message": {"content": "a \\ud83d\\ude00 b \\ud83d"}}]}'
    endpoint.answer = lambda request, number: Reply(body=body) if "Question 1?" in request.text else Reply()
    cell = bench.cell(folder.rows(rows(3)).task())
    infer(cell, store, run_id="r", log=print)
    assert [text for _, _, text in answers_of(store, cell)] == ["yes", "a \U0001f600 b \ufffd", "yes"]


def test_recorded_answers_go_through_the_same_chain(bench, store, tmp_path, rows):
    from resources.models.recorded import store_answers

    folder = TaskFolder(tmp_path / "t")
    task = folder.rows([*rows(3), {"id": "q3", "question": "Question 0?", "answer": "no"}]).task()
    uri = store.table("recorded", "old")
    store_answers(uri, "birds", [("q0", 0, "yes"), ("q1", 0, "no"), ("q3", 0, "no")])
    register(store, Checkpoint("old", "recorded", uri))
    from eval_assets.pipeline.cell import plan_cell
    from eval_assets.pipeline.ingest import ingest
    from eval_assets.pipeline.registering import identify_checkpoint
    from eval_assets.pipeline.scoring import judge_cell, scores_of

    ingest(task, store)
    cell = plan_cell(store, identify_checkpoint(store, "old"), task)
    infer(cell, store, run_id="r", log=print)
    judge_cell(cell, store, run_id="r", log=print)
    table = scores_of(store, "old", "birds").dataset().to_table()
    assert table["score"].to_pylist() == [1.0, 0.0, None, 1.0], "q0 and q3 ask the same and were answered apart"
    assert table["unscored"].to_pylist()[2].startswith("no response: not_recorded")
