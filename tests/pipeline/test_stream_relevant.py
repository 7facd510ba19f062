"""The frames that a question needs: which they are, what ranks them, what is refused before that."""

from __future__ import annotations

import io
import re
import shutil

import pytest

from eval_assets.pipeline.cell import Variant
from resources.episodes.stream_frames import Frame
from resources.episodes.stream_relevant import Relevant
from resources.episodes.stream_scorer import Scorer
from resources.models import ModelUnusable
from resources.models.base import Media
from tests.pipeline.policies import EARLY, numbered, shown


@pytest.fixture
def stream(folder):
    return numbered(folder)


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
