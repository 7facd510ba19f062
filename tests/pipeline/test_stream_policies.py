"""Context policies that know the question or ask the model: what stays, what it costs, what is refused before that."""

from __future__ import annotations

import base64
import io
import re
import shutil
import threading

import pytest

from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.episodes import steps_of
from eval_assets.pipeline.inferred import InferenceIncomplete
from resources.episodes.stream_choice import REPAIRS, read_choice
from resources.episodes.stream_frames import Frame
from resources.episodes.stream_relevant import Relevant
from resources.episodes.stream_scorer import Scorer
from resources.models import ModelUnusable
from resources.models.base import Media, Response
from tests.conftest import Reply
from tests.pipeline.conftest import play
from tests.videos import number_of, video

pytest.importorskip("av")
FPS = 25
FILM = video(250, FPS)
JUDGE = {
    "name": "outcome",
    "shares": {"accuracy": ["right", "asked"], "unchosen": ["unchosen", "choices"]},
    "ratios": {"steps": ["steps", "asked"], "frames": ["frames", "steps"]},
}
EARLY = {
    "time": 9, "kind": "backward", "question": "Which?", "options": ["cat", "dog"], "answer": "dog",
    "evidence": [1, 1.5],
}  # fmt: skip


@pytest.fixture
def stream(folder):
    """A task over 10 s of numbered frames, one a second, with the budget 3."""

    def task(questions=(EARLY,), events=(), *, copies=1, max_steps=50, **params):
        rows = []
        for i in range(copies):
            (folder.path / f"v{i}.mp4").write_bytes(video(250, FPS, salt=i * 256) if i else FILM)
            rows.append({"id": f"s{i}", "video": f"v{i}.mp4", "questions": list(questions), "events": list(events)})
        folder.rows(rows)
        played = {"fps": 1, "budget": 3, **params}
        return folder.task(
            doc_to_text="", doc_to_visual="video", doc_to_target=None, judge=JUDGE,
            metric_list=["accuracy", "unchosen", "steps", "frames"],
            episode={"player": "stream", "max_steps": max_steps, "params": played},
        )  # fmt: skip

    return task


def shown(request) -> list[int]:
    """The seconds of the frames in the first user turn of a request."""
    content = next(m["content"] for m in request.body["messages"] if m["role"] == "user")
    urls = [p["image_url"]["url"] for p in content if "image_url" in p]
    return [number_of(base64.b64decode(u.partition(",")[2])) % 256 // FPS for u in urls]


# --- relevant ----------------------------------------------------------------------------------


class Words:
    """A scorer's stand-in, to count what is encoded: a frame's one feature is the number that its bytes say."""

    def __init__(self):
        self.batches = []

    def pictures(self, data):
        import numpy as np

        self.batches.append(len(data))
        return np.array([[float(one.split()[0])] for one in data], np.float32)

    def text(self, said):
        import numpy as np

        return np.array([-1.0 if said == "least" else 1.0], np.float32)


def fed(context, values, start=0):
    for number, value in enumerate(values, start):
        data = f"{value} of {number}".encode()
        context.add(Frame(number, float(number), Media(data, "image/jpeg", f"sha{number}"), 0.0))


@pytest.mark.parametrize(
    ("budget", "question", "wanted"),
    [
        (3, "most", [1, 3, 5]),  # of the three nearest the earliest two, and the newest
        (4, "most", [1, 3, 4, 5]),
        (3, "least", [0, 2, 5]),
        (1, "most", [5]),
        (9, "most", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_nearest_frames_are_shown_and_the_newest(budget, question, wanted):
    context = Relevant(budget, Words())
    values = [0.1, 0.5, 0.2, 0.5, 0.5, 0.0]
    fed(context, values)
    frames = context.frames(question)
    assert [f.number for f in frames] == wanted
    assert [f.media.data for f in frames] == [f"{values[n]} of {n}".encode() for n in wanted]
    assert [f.media.sha for f in frames] == [f"sha{n}" for n in wanted]


def test_a_frame_is_encoded_once_for_all_questions_few_at_a_time_and_not_before_it_is_needed():
    scorer = Words()
    context = Relevant(3, scorer)
    fed(context, [0.5] * 3)
    context.frames("most")
    assert scorer.batches == [], "three frames fit"
    fed(context, [0.5] * 40, start=3)
    context.frames("most")
    context.frames("least")
    assert scorer.batches == [16, 16, 10], "the newest is shown anyway"
    fed(context, [0.9, 0.1], start=43)
    assert [f.number for f in context.frames("most")] == [0, 43, 44]
    assert sum(scorer.batches) == 44


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """An untrained dual encoder in a folder."""
    torch = pytest.importorskip("torch")
    from examples.streams import scorer

    folder = tmp_path_factory.mktemp("encoder")
    processor = scorer.build_processor()
    torch.manual_seed(0)
    scorer.build_model(processor.tokenizer).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_a_request_shows_the_budget_and_the_same_frames_again(stream, bench, endpoint, encoder):
    task = stream([{**EARLY, "time": 6}, EARLY], policy="relevant", scorer=str(encoder))
    bench.infer(task)
    first = [shown(request) for request in endpoint.seen]
    assert [len(frames) for frames in first] == [3, 3]
    assert [frames[-1] for frames in first] == [6, 9]
    bench.infer(task, key="again", snapshot="2")
    assert [shown(request) for request in endpoint.seen[2:]] == first


def test_another_scorer_is_another_cell_and_a_copy_is_not_to_a_policy_without_one(stream, bench, encoder, tmp_path):
    from safetensors.torch import load_file, save_file

    mine = tmp_path / "mine"
    shutil.copytree(encoder, mine)
    relevant = stream(policy="relevant", scorer=str(mine))
    window = Variant(episode={"policy": "window"})
    before = bench.cell(relevant).key, bench.cell(relevant, window).key
    assert bench.cell(relevant).key == before[0]
    weights = {name: value * 1.01 for name, value in load_file(mine / "model.safetensors").items()}
    save_file(weights, mine / "model.safetensors", metadata={"format": "pt"})
    assert bench.cell(relevant).key != before[0]
    assert bench.cell(relevant, window).key == before[1]


def test_any_dual_encoder_ranks(encoder, tmp_path):
    """A SigLIP, which has no projections and whose texts are padded: features of length 1, the same again."""
    import numpy as np
    from transformers import AutoProcessor, SiglipConfig, SiglipModel, SiglipProcessor

    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**shape, "vocab_size": 64, "max_position_embeddings": 8, "projection_size": 32}
    config = SiglipConfig(text_config=text, vision_config={**shape, "image_size": 96, "patch_size": 24})
    SiglipModel(config).save_pretrained(tmp_path)
    parts = AutoProcessor.from_pretrained(encoder)
    SiglipProcessor(parts.image_processor, parts.tokenizer).save_pretrained(tmp_path)
    for folder in (encoder, tmp_path):
        scorer = Scorer(str(folder))
        seen, said = scorer.pictures([jpeg(10), jpeg(200)]), scorer.text("a handwritten digit " * 30)
        assert seen.shape == (2, len(said))
        assert np.linalg.norm(seen, axis=1) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(said) == pytest.approx(1, abs=1e-5)
        assert scorer.pictures([jpeg(200)])[0] == pytest.approx(seen[1], abs=1e-5)


def jpeg(grey):
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (grey, 90, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("change", "named", "words"),
    [
        (None, None, "policy `relevant` needs a scorer: the folder of a dual encoder"),
        (None, "/nowhere/clip", "scorer: no directory /nowhere/clip"),
        (None, "openai/clip-vit-base-patch32", "is named with the commit that is meant"),
        (_pickled, "", "pytorch_model.bin is a pickle, which can run any code"),
        (_cut, "", "model.safetensors is cut short"),
    ],
)
def test_what_is_no_scorer_is_told_before_anything_is_asked(
    stream, bench, endpoint, encoder, tmp_path, change, named, words
):
    mine = tmp_path / "mine"
    shutil.copytree(encoder, mine)
    if change:
        change(mine)
    task = stream(policy="relevant", scorer=str(mine) if named == "" else named)
    with pytest.raises(ModelUnusable, match=re.escape(words)):
        bench.infer(task)
    assert not endpoint.seen


def test_a_model_that_answers_is_no_scorer(stream, bench, endpoint, model_folder):
    with pytest.raises(ModelUnusable, match="a llava is no dual encoder of pictures and texts"):
        bench.infer(stream(policy="relevant", scorer=str(model_folder)))
    assert not endpoint.seen


# --- model -------------------------------------------------------------------------------------


def chooses(numbers, otherwise="B"):
    """A model that keeps these, and says something to everything else."""
    return lambda request, number: Reply(numbers if "can be kept" in str(request.body) else otherwise)


def test_the_model_keeps_what_it_names_and_is_never_shown_more_than_the_budget(stream, bench, endpoint):
    """Of four frames two stay whenever a fifth comes: always the first two, so the rest is what came since."""
    endpoint.answer = chooses("1 and 2")
    report = bench.report(stream(policy="model", budget=4))
    assert [shown(request) for request in endpoint.seen] == [
        [0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 6, 7], [0, 1, 8, 9],
    ]  # fmt: skip
    assert endpoint.seen[0].text.startswith("1:2:3:4:These are pictures of a video that goes on")
    assert "Of the 4 pictures 2 can be kept." in endpoint.seen[0].text
    found = {name: m["value"] for name, m in report["metrics"].items()}
    assert (found["accuracy"], found["unchosen"], found["steps"], found["frames"]) == (1, 0, 4, 4)
    kept = steps_of(bench.store, bench.cell(stream(policy="model", budget=4))).of("s0", 0)
    assert [step["action"] for step in kept] == ["1 2", "1 2", "1 2", "B"]


def test_it_is_told_what_it_waits_for(stream, bench, endpoint):
    endpoint.answer = chooses("1", "no")
    events = [
        {"question": "Has the gate opened?", "at": None, "from": 5},
        {"question": "Too late?", "at": 9, "from": 9},
    ]
    bench.infer(stream([], events, policy="model", budget=2))
    asked = [request.text for request in endpoint.seen if "can be kept" in request.text]
    assert len(asked) == 8
    assert ["gate" in text for text in asked] == [False] * 4 + [True] * 4
    assert not any("Too" in text for text in asked)


def test_an_answer_that_chooses_nothing_is_told_so_and_then_the_newest_stay(stream, bench, endpoint):
    endpoint.answer = chooses("I keep all of them.")
    found = bench.report(stream(policy="model", budget=4))["metrics"]
    first, second, third = (request.body["messages"] for request in endpoint.seen[:3])
    assert [len(m) for m in (first, second, third)] == [1, 3, 5]
    assert "I keep all of them." in str(second[1])
    assert "named no picture. Answer with at most 2 numbers from 1 to 4" in str(second[2])
    assert shown(endpoint.seen[3]) == [2, 3, 4, 5]
    assert found["unchosen"]["value"] == 1.0
    assert found["steps"]["value"] == 3 * (1 + REPAIRS) + 1
    endpoint.answer = lambda request, number: Reply("2" if len(request.body["messages"]) > 1 else "9")
    before = len(endpoint.seen)
    bench.infer(stream(policy="model", budget=4), key="mended", snapshot="2")
    assert shown(endpoint.seen[before + 2]) == [1, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1, 3", (1, 3)),
        ("[3, 1, 1]", (1, 3)),
        ("Of the 4 pictures these matter:\n2 and 4", (2, 4)),
        ("4", (4,)),
        ("", "named no picture"),
        ("0 1", "have the numbers 1 to 4"),
        ("1 5", "have the numbers 1 to 4"),
        ("1 2 3", "named 3 pictures, and there is room for 2"),
    ],
)
def test_how_a_choice_is_read(text, wanted):
    numbers, problem = read_choice(Response("r", text), 4, 2)
    assert (wanted in problem and numbers is None) if isinstance(wanted, str) else numbers == wanted


def test_a_choice_that_was_cut_off_is_none():
    assert read_choice(Response("r", "1 2", "length"), 40, 20)[0] is None


def test_a_choice_is_durable_and_a_broken_run_goes_on_behind_it(stream, bench, endpoint):
    task, lock = stream(policy="model", budget=4), threading.Lock()

    def fails_third(request, number):
        with lock:
            return Reply(status=500, body=b"{}") if number == 2 else chooses("1 2")(request, number)

    endpoint.answer = fails_third
    with pytest.raises(InferenceIncomplete):
        bench.infer(task)
    assert len(endpoint.seen) == 3
    endpoint.answer = chooses("1 2")
    bench.infer(task)
    assert [shown(request) for request in endpoint.seen[3:]] == [[0, 1, 6, 7], [0, 1, 8, 9]]


def test_choices_count_as_steps_and_a_stream_without_any_left_is_wrong(stream, bench, endpoint):
    endpoint.answer = chooses("1 2")
    (row,) = bench.scored(stream(policy="model", budget=4, max_steps=3))
    assert (row["score"], row["flags"]) == (0.0, ["budget"])
    assert len(endpoint.seen) == 3


def test_a_budget_of_one_has_no_room_and_asks_nothing(stream, bench, endpoint):
    endpoint.answer = chooses("1")
    bench.infer(stream(policy="model", budget=1))
    assert [shown(request) for request in endpoint.seen] == [[9]]


def test_the_observer_keeps_what_is_asked_for_later_where_a_window_has_lost_it(store, stream):
    lost = play(store, stream(policy="window", copies=6), "observer")[1]["metrics"]["accuracy"]["value"]
    kept = play(store, stream(policy="model", copies=6), "observer")[1]["metrics"]["accuracy"]["value"]
    random = play(store, stream(policy="model", copies=6), "random")[1]["metrics"]["accuracy"]["value"]
    assert kept == 1.0
    assert lost < 1.0
    assert random < 1.0
