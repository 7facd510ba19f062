"""What arrives at an endpoint: system prompts, turns, pictures in their places, template arguments."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.cell import Variant
from task_defs import RenderError
from tests.conftest import Reply
from tests.pipeline.arriving import media_of, shape


def test_a_system_prompt_stands_before_the_question(bench, folder, rows, endpoint):
    task = folder.rows(rows(2, style="plain")).task(system_prompt="Answer in {{ style }} words.", description="Look. ")
    bench.infer(task)
    assert sorted(shape(seen.body) for seen in endpoint.seen) == [
        [("system", "Answer in plain words."), ("user", f"Look. Question {i}?")] for i in range(2)
    ]


def test_pictures_stand_where_the_prompt_has_them(bench, folder, endpoint, png):
    names = [folder.picture(f"{n}.png", n) for n in range(3)]
    folder.rows([{"id": "1", "question": "<image2> or <image1>? Not:", "answer": "yes", "image": names}])
    bench.infer(folder.task(doc_to_visual="image", doc_to_text="{{ question }} <image>!"))
    (seen,) = endpoint.seen
    assert shape(seen.body) == [("user", "[i] or [i]? Not: [i]!")]
    assert media_of(seen.body) == [("image/png", png(n)) for n in (1, 0, 2)]


def test_a_history_is_sent_turn_by_turn_with_its_media(bench, folder, endpoint, png):
    names = [folder.picture(f"{n}.png", n) for n in range(2)]
    folder.rows([{"id": "1", "animal": "owl", "question": "And here?", "answer": "yes", "image": names}])
    task = folder.task(
        doc_to_text=None,
        doc_to_visual="image",
        system_prompt="You know birds.",
        doc_to_messages=[
            {"role": "user", "content": "<image> Which bird?"},
            {"role": "assistant", "content": "An {{ animal }}."},
            {"role": "user", "content": [{"type": "text", "text": "{{ question }} <image>"}, {"type": "image"}]},
        ],
    )
    bench.infer(task)
    (seen,) = endpoint.seen
    assert shape(seen.body) == [
        ("system", "You know birds."),
        ("user", "[i] Which bird?"),
        ("assistant", "An owl."),
        ("user", "And here? <image>[i]"),
    ]
    assert media_of(seen.body) == [("image/png", png(n)) for n in range(2)]


def test_a_picture_without_a_place_is_told_before_anything_is_asked(bench, folder, endpoint):
    folder.rows(
        [{"id": "q1", "question": "?", "answer": "yes", "image": [folder.picture(f"{n}.png", n) for n in range(2)]}]
    )
    task = folder.task(
        doc_to_text=None, doc_to_visual="image", doc_to_messages=[{"role": "user", "content": "<image>?"}]
    )
    with pytest.raises(
        RenderError, match=r"birds\.yaml:\d+: doc_to_messages: task birds, item q1: the item has 2 images"
    ):
        bench.infer(task)
    assert not endpoint.seen


def test_an_item_whose_picture_is_missing_is_no_error_of_its_messages(bench, folder, endpoint):
    folder.rows([{"id": "q1", "question": "?", "answer": "yes", "image": "not-there.png"}])
    task = folder.task(
        doc_to_text=None, doc_to_visual="image", doc_to_messages=[{"role": "user", "content": "<image>?"}]
    )
    assert bench.infer(task).missing_media == 1
    assert not endpoint.seen


def test_template_arguments_reach_the_endpoint_and_the_request_key(bench, folder, rows, endpoint):
    gen = {"max_tokens": 8, "chat_template_kwargs": {"enable_thinking": False}}
    plain = folder.rows(rows(1)).task()
    bench.infer(plain)
    bench.infer(folder.task(generation_kwargs=gen))
    bench.infer(plain, Variant(gen={"chat_template_kwargs": {"enable_thinking": True}}))
    sent = [seen.body.get("chat_template_kwargs") for seen in endpoint.seen]
    assert sent == [None, {"enable_thinking": False}, {"enable_thinking": True}]


def test_an_endpoint_that_refuses_template_arguments_is_quoted_with_the_field(bench, folder, rows, endpoint):
    endpoint.answer = lambda request, number: Reply("Unknown parameter: 'chat_template_kwargs'.", status=400)
    task = folder.rows(rows(1)).task(generation_kwargs={"chat_template_kwargs": {"enable_thinking": False}})
    with pytest.raises(Exception, match="chat_template_kwargs"):
        bench.infer(task)
