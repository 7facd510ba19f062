"""The same questions without their media: what is asked, and what the difference says."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.blind import blind_comparison
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.leaderboard import leaderboard_data
from eval_assets.pipeline.questions import questions
from eval_assets.reporting.blind import blind_sentence
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from task_defs import load_task
from tests.conftest import Reply

BLIND = Variant(blind=True)


@pytest.fixture
def pictured(folder, rows):
    """40 questions on 20 pictures."""
    data = [{**row, "image": folder.picture(f"{i // 2}.png", i // 2)} for i, row in enumerate(rows(40))]
    return folder.rows(data)


def sees(request, number):
    """Right where there is a picture, and for every fourth question without one."""
    right = request.pictures or int(request.text.split()[1].rstrip("?")) % 4 == 0
    return Reply(text="yes" if right else "no")


def test_a_blind_run_asks_the_same_without_media_and_once(bench, pictured, endpoint):
    task = pictured.task(doc_to_visual="image", doc_to_text="<image>\nLook at <image2>: {{ question }}")
    bench.infer(task)
    assert all(seen.pictures for seen in endpoint.seen)
    asked = bench.asked(task, BLIND)
    assert asked == sorted(f"Look at : Question {i}?" for i in range(40))
    assert not any(seen.pictures for seen in endpoint.seen[40:])
    assert bench.asked(task, BLIND) == []
    assert bench.asked(task, Variant(blind=True, limit=5)) == [], "a smaller blind run has the same requests"


def test_the_normal_cell_keeps_its_key_and_its_requests(bench, pictured, store):
    task = pictured.task(doc_to_visual="image")
    cell, blind = bench.cell(task), bench.cell(task, BLIND)
    assert (cell.variant.id, blind.variant.id) == ("", "blind")
    assert Variant(limit=3, blind=True).id == "limit=3,blind"
    assert cell.key != blind.key
    plain = [q for batch in questions(store, task) for q in batch]
    without = [q for batch in questions(store, task, blind=True) for q in batch]
    assert all(q.whole == q.inputs for q in plain)
    assert [q.whole for q in without] == [q.whole for q in plain]
    assert not {q.inputs for q in without} & {q.inputs for q in plain}


def test_an_item_without_media_is_the_same_question(bench, folder, rows, endpoint):
    data = rows(4)
    data[0]["image"] = folder.picture("0.png", 0)
    task = folder.rows(data).task(doc_to_visual="image", doc_to_text="{{ question }} Is <image> a tag?")
    bench.infer(task)
    assert bench.asked(task, BLIND) == ["Question 0? Is  a tag?"]


def test_media_in_a_conversation_leave_every_turn(bench, folder, rows, endpoint):
    turns = [
        {"role": "system", "content": "Look well."},
        {"role": "user", "content": "<image>"},
        {"role": "assistant", "content": "A bird."},
        {"role": "user", "content": "{{ question }} <image>"},
    ]
    data = [{**row, "a": folder.picture("a.png", 1), "b": folder.picture("b.png", 2)} for row in rows(1)]
    task = folder.rows(data).task(doc_to_text=None, doc_to_messages=turns, doc_to_visual=["a", "b"])
    bench.infer(task, BLIND)
    assert [m["content"] for m in endpoint.seen[0].body["messages"]] == ["Look well.", "", "A bird.", "Question 0?"]


def test_what_the_picture_is_worth(bench, pictured, endpoint, store):
    endpoint.answer = sees
    task = pictured.task(doc_to_visual="image")
    bench.report(task)
    bench.report(task, BLIND)
    [entry] = blind_comparison(store, "m", task)
    assert (entry["with_media"], entry["without_media"], entry["mean_diff"]) == (1.0, 0.25, 0.75)
    assert (entry["n"], entry["n_clusters"]) == (40, 20), "clustered by the pictures that were not sent"
    assert entry["ci_low"] < 0.75 < entry["ci_high"]
    said = blind_sentence(entry, 0.5)
    assert said.startswith(
        "m on birds: accuracy 100.0 % with the media, 25.0 % without (chance 50.0 %): "
        "+75.0 points of the score need them, 95 % CI +"
    )
    assert said.endswith("p < 0.001, 40 items in 20 clusters")


def test_no_difference_is_not_sold_as_one(bench, pictured, endpoint, store):
    endpoint.answer = lambda request, number: Reply(text="yes" if "1" in request.text else "no")
    task = pictured.task(doc_to_visual="image")
    bench.scored(task)
    bench.scored(task, BLIND)
    [entry] = blind_comparison(store, "m", task)
    assert entry["mean_diff"] == 0
    assert "need them" not in blind_sentence(entry)


def test_a_blind_run_is_never_on_the_leaderboard(bench, pictured, store):
    bench.report(pictured.task(doc_to_visual="image"), BLIND)
    assert leaderboard_data(store)["rows"] == []


def test_items_whose_picture_is_missing_are_asked_blind_and_stay_out_of_the_difference(bench, pictured, rows, store):
    data = [{**row, "image": f"{i // 2}.png"} for i, row in enumerate(rows(40))]
    data[0]["image"] = data[1]["image"] = "lost.png"
    task = pictured.rows(data).task(doc_to_visual="image")
    bench.scored(task)
    assert len(bench.scored(task, BLIND)) == 40
    [entry] = blind_comparison(store, "m", task)
    assert (entry["n"], entry["only_blind"]) == (38, 2)


def test_a_side_that_is_not_there_is_named_with_its_command(bench, pictured, store):
    task = pictured.task(doc_to_visual="image")
    bench.scored(task)
    with pytest.raises(NotScored, match=r"without its media yet: run `evals run --checkpoint m --tasks birds --blind`"):
        blind_comparison(store, "m", task)


def test_where_there_is_nothing_to_leave_out_a_blind_run_is_refused(bench, folder, rows, endpoint):
    with pytest.raises(ModelUnusable, match="birds has no media"):
        bench.infer(folder.rows(rows(2)).task(), BLIND)
    assert endpoint.seen == []


def test_recorded_answers_were_given_with_the_media():
    from eval_assets.pipeline.cell import refuse_unanswerable

    with pytest.raises(ModelUnusable, match="recorded with the media"):
        refuse_unanswerable(Checkpoint("old", "recorded", "x"), load_task("mathvision"), blind=True)
