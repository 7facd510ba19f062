"""What arrives at an endpoint: pictures, videos, sounds."""

from __future__ import annotations

import threading

import pytest

from eval_assets.pipeline import infer as infer_module
from eval_assets.pipeline import media_pool
from eval_assets.pipeline.infer import infer
from resources.models import ModelUnusable
from resources.store.tables import open_table
from task_defs import RenderError
from tests.pipeline.arriving import media_of, shape
from tests.videos import number_of, sound, video


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
