"""From the task's YAML to what arrives at an endpoint: conversations, pictures, videos, sounds, seeds."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from eval_assets.pipeline import infer as infer_module
from eval_assets.pipeline import media_pool
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.questions import NotIngested, question, request_digest
from resources.models import ModelUnusable
from resources.store.tables import open_table
from task_defs import RenderError, TaskDef, load_task
from tests.conftest import Reply
from tests.videos import number_of, sound, video


def media_of(body: dict) -> list[tuple[str, bytes]]:
    """(kind, bytes) of the media in a request, in order."""
    found = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "input_audio":
                found.append(("audio", base64.b64decode(part["input_audio"]["data"])))
            elif part["type"] != "text":
                url = part[part["type"]]["url"]
                found.append((url[5:].partition(";")[0], base64.b64decode(url.partition(",")[2])))
    return found


def shape(body: dict) -> list[tuple[str, str]]:
    """(role, text with a mark for each medium) of the messages."""
    marks = {"image_url": "[i]", "video_url": "[v]", "input_audio": "[a]"}

    def text(content: str | list[dict]) -> str:
        return (
            content if isinstance(content, str) else "".join(p.get("text", marks.get(p["type"], "")) for p in content)
        )

    return [(message["role"], text(message["content"])) for message in body["messages"]]


# --- keys stay ------------------------------------------------------------------------------------

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


def inputs(task: TaskDef, doc: dict, *mimes: str) -> str:
    media = [{"sha": f"{n:02x}" * 32, "mime": mime, "missing": None} for n, mime in enumerate(mimes, 0xAB)]
    row = {"item_id": "0", "doc": json.dumps(doc), "media": media, "media_cluster": None}
    return question(task, row).inputs


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


# --- conversations ----------------------------------------------------------------------------------


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


# --- media ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("a.png", "image/png"), ("b.mp4", "video/mp4"), ("c.wav", "audio")])
def test_media_arrive_byte_for_byte(bench, folder, endpoint, png, name, kind):
    if name == "b.mp4":
        pytest.importorskip("av")
    data = {"a.png": lambda: png(7), "b.mp4": lambda: video(8), "c.wav": sound}[name]()
    (folder.path / name).write_bytes(data)
    folder.rows([{"id": "1", "question": "What?", "answer": "yes", "medium": name}])
    bench.infer(folder.task(doc_to_visual="medium", max_pixels=16))
    (seen,) = endpoint.seen
    assert media_of(seen.body) == [(kind, data)]


def test_a_large_picture_is_sent_within_the_limit_and_encoded_once(bench, folder, rows, endpoint, monkeypatch):
    scaled: list[str] = []
    plain = media_pool.MediaPolicy.prepare

    def counting(policy, source, mime, sha):
        scaled.append(sha)
        return plain(policy, source, mime, sha)

    monkeypatch.setattr(media_pool.MediaPolicy, "prepare", counting)
    names = [folder.picture(f"{n}.png", n, edge=40) for n in range(3)]
    data = [{**row, "image": names[i % 3]} for i, row in enumerate(rows(200))]
    bench.infer(folder.rows(data).task(doc_to_visual="image", max_pixels=100))
    assert len(endpoint.seen) == 200
    assert len({picture for seen in endpoint.seen for picture in seen.pictures}) == 3
    # 64 questions make a chunk: a picture whose questions lie in two is held from one to the next.
    assert len(scaled) == 3


def test_frames_of_a_video_are_sent_in_order_and_decoded_once_for_all_questions(
    bench, folder, rows, endpoint, monkeypatch
):
    pytest.importorskip("av")
    from resources import media

    decoded: list[str] = []
    plain = media.frames_of
    monkeypatch.setattr(media, "frames_of", lambda file, name, **s: decoded.append(name) or plain(file, name, **s))
    for n in range(3):
        (folder.path / f"{n}.mp4").write_bytes(video(50, salt=100 * n))
    data = [{**row, "video": f"{i % 3}.mp4"} for i, row in enumerate(rows(150))]
    bench.infer(
        folder.rows(data).task(
            doc_to_visual="video", doc_to_text="At first <video> then {{ question }}", video={"num_frames": 4}
        )
    )
    assert len(endpoint.seen) == 150
    assert len(decoded) == 3
    found = set()
    for seen in endpoint.seen:
        assert shape(seen.body)[0][1].startswith("At first [i][i][i][i] then Question")
        sent = media_of(seen.body)
        assert {kind for kind, _ in sent} == {"image/jpeg"}
        found.add(tuple(number_of(data) for _, data in sent))
    assert found == {tuple(100 * n + frame for frame in (0, 16, 32, 49)) for n in range(3)}


def test_frames_and_pictures_of_one_item_keep_their_places(bench, folder, endpoint, png):
    pytest.importorskip("av")
    (folder.path / "v.mp4").write_bytes(video(3))
    folder.rows(
        [
            {
                "id": "1",
                "question": "?",
                "answer": "yes",
                "media": [folder.picture("a.png", 1), "v.mp4", folder.picture("b.png", 2)],
            }
        ]
    )
    task = folder.task(doc_to_visual="media", doc_to_text="<image2> <video> <image1>?", video={"num_frames": 2})
    bench.infer(task)
    (seen,) = endpoint.seen
    assert shape(seen.body) == [("user", "[i] [i][i] [i]?")]
    kinds = [kind for kind, _ in media_of(seen.body)]
    assert kinds == ["image/png", "image/jpeg", "image/jpeg", "image/png"]
    assert media_of(seen.body)[0][1] == png(2)


def test_a_broken_video_is_that_items_error_and_the_others_are_asked(bench, folder, rows, endpoint, store):
    pytest.importorskip("av")
    (folder.path / "good.mp4").write_bytes(video(4))
    (folder.path / "broken.mp4").write_bytes(video(60)[:-3000])
    (folder.path / "sound.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 300)
    names = ["good.mp4", "broken.mp4", "sound.mp4", "good.mp4"]
    data = [{**row, "video": name} for row, name in zip(rows(4), names, strict=True)]
    task = folder.rows(data).task(doc_to_visual="video", video={"num_frames": 2})
    cell = bench.cell(task)
    done = infer(cell, store, run_id="r", log=print)
    assert (done.asked, done.errors, len(endpoint.seen)) == (4, 2, 2)
    stored = {r["item_id"]: r for r in open_table(cell.outputs(store).uri).to_table().to_pylist()}
    assert [stored[f"q{i}"]["error_kind"] for i in range(4)] == [None, "bad_media", "bad_media", None]
    assert "cannot be decoded" in stored["q1"]["error_message"]
    assert infer(cell, store, run_id="r", log=print).asked == 0, "it is not tried again"
    verdicts = {v["item_id"]: v for v in bench.scored(task)}
    assert verdicts["q1"]["unscored"], "what the model would have said is unknown"


def test_without_pyav_the_cell_says_what_to_install_before_a_model_is_loaded(
    bench, folder, rows, endpoint, monkeypatch
):
    pytest.importorskip("av")
    (folder.path / "v.mp4").write_bytes(video(4))
    task = folder.rows(rows(1, video="v.mp4")).task(doc_to_visual="video", video={"num_frames": 2})
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ModelUnusable, match=r"eval-assets\[video\]"):
        bench.infer(task)
    assert not endpoint.seen


def test_a_video_where_the_prompt_has_a_picture_is_told(bench, folder, rows, endpoint):
    (folder.path / "v.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 300)
    task = folder.rows(rows(1, image="v.mp4")).task(doc_to_visual="image", doc_to_text="<image>{{ question }}")
    with pytest.raises(
        RenderError, match=r"doc_to_text: task birds, item q0: the prompt has <image>, but the item has a video"
    ):
        bench.infer(task)
    assert not endpoint.seen


def test_however_large_frames_are_those_that_wait_stay_below_the_limit(bench, folder, rows, endpoint, monkeypatch):
    pytest.importorskip("av")
    limit = 40_000
    monkeypatch.setattr(infer_module, "CHUNK_BYTES", limit)
    sizes: list[int] = []
    threads: list[int] = []
    plain = infer_module.MediaPool.within

    def watching(pool, lacking, most):
        for batch in plain(pool, lacking, most):
            sizes.append(media_pool._bytes(pool._held))
            threads.append(threading.active_count())
            yield batch

    monkeypatch.setattr(infer_module.MediaPool, "within", watching)
    for n in range(24):
        (folder.path / f"{n}.mp4").write_bytes(video(6, salt=10 * n))
    data = [{**row, "video": f"{i}.mp4"} for i, row in enumerate(rows(24))]
    bench.infer(folder.rows(data).task(doc_to_visual="video", video={"num_frames": 6}))
    assert len(endpoint.seen) == 24
    assert sum(sizes) > 3 * limit, "all frames together are far more than the limit"
    assert max(sizes) <= limit
    found = sorted(number_of(media_of(seen.body)[0][1]) for seen in endpoint.seen)
    assert found == [10 * n for n in range(24)]


def test_nothing_is_ingested_yet(folder, store):
    with pytest.raises(NotIngested):
        request_digest(store, folder.task())
