"""Which changes of a task make another request: what was asked before keeps its key."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.questions import NotIngested, request_digest
from task_defs import load_task
from tests.pipeline.arriving import inputs

ROWS = {
    "digits": {"id": "7-left", "question": "Which digit is on the left?", "answer": "3", "picture_id": "7"}
    | {"kind": "left"},
    "gsm8k": {"question": "Two and two?", "solution": "2 + 2 = 4\nA: 4", "answer": "4"},
    "mathvision": {"id": "1", "question": "Which bike?\n<image1> or <image2>", "options": ["$1$", "two", "3"]}
    | {"answer": "B", "image": "images/1.jpg", "level": 2, "subject": "arithmetic"},
    "pope": {"question_id": 4, "text": "Is there a dog?\nAnswer with one word.", "image": "a.jpg"}
    | {"category": "random", "label": "no"},
}
INPUTS = {
    "digits": "fe3d89401bdf8301d85edb9f1635a317",
    "gsm8k": "e97bd561f129e3a782dbbcc9eefa9118",
    "mathvision": "c3f374ae06b0761955240436bc68552c",
    "pope": "3caee1a5d8a1612e76cc7bca671fcec6",
}


@pytest.mark.parametrize("name", INPUTS)
def test_what_was_asked_before_has_the_key_that_it_had(name):
    """These were computed before conversations and media policies existed; another would buy every answer again."""
    assert inputs(load_task(name), ROWS[name], *(() if name == "gsm8k" else ("image/png",))) == INPUTS[name]


def test_what_a_model_sees_differently_has_another_key_and_only_that(folder):
    doc = {"id": "1", "question": "Owl?", "answer": "yes"}
    usual = inputs(folder.task(), doc, "video/mp4", "image/png")
    for changes, mimes, differs in (
        ({"system_prompt": "Be brief."}, [], True),
        ({"system_prompt": ""}, [], False),
        ({"video": {"mode": "native"}}, ["video/mp4"], False),
        ({"video": {"num_frames": 4}}, ["video/mp4"], True),
        ({"video": {"num_frames": 4}}, ["image/png"], False),
        ({"max_pixels": 100}, ["image/png"], True),
        ({"max_pixels": 100}, ["video/mp4"], False),
        ({"max_pixels": 100}, [], False),
    ):
        usual = inputs(folder.task(), doc, *mimes)
        assert (inputs(folder.task(**changes), doc, *mimes) != usual) == differs, changes
    frames = [{"num_frames": 4}, {"num_frames": 5}, {"fps": 1}, {"fps": 1, "max_frames": 5}]
    assert len({inputs(folder.task(video=v), doc, "video/mp4") for v in frames}) == len(frames)
    assert inputs(folder.task(video={"fps": 1}), doc, "video/mp4") == inputs(
        folder.task(video={"fps": 1.0, "max_frames": 32}), doc, "video/mp4"
    )


def test_a_changed_policy_is_not_hidden_by_the_digest_of_the_one_before(folder, store, png):
    folder.rows([{"id": "1", "question": "Owl?", "answer": "yes", "image": folder.picture("a.png", 1)}])
    digests = []
    for changes in ({}, {"max_pixels": 4}, {"max_pixels": 5}, {"system_prompt": "Hm."}):
        task = folder.task(doc_to_visual="image", **changes)
        ingest(task, store)
        digests.append(request_digest(store, task))
    assert len(set(digests)) == 4


def test_nothing_is_ingested_yet(folder, store):
    with pytest.raises(NotIngested):
        request_digest(store, folder.task())
