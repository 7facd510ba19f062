"""The demo's task and model: what its pictures show, and that its checkpoints are real ones."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from task_defs.catalog.digits import compose

ROOT = Path(__file__).resolve().parents[2]


def test_no_scan_is_both_trained_on_and_asked_about() -> None:
    scans, _ = compose.scans()
    train, test = compose.split(len(scans))
    assert (len(train), len(test)) == (1200, 597)
    assert not set(train) & set(test)
    asked = [scan for doc in compose.docs(ROOT, None) for scan in doc["scans"]]
    assert set(asked) <= set(test)


def test_no_two_pictures_share_a_scan() -> None:
    pictures = {doc["picture_id"]: tuple(doc["scans"]) for doc in compose.docs(ROOT, None)}
    scans = [scan for pair in pictures.values() for scan in pair]
    assert len(scans) == len(set(scans)) == 2 * len(pictures)


def test_documents_are_the_same_each_time() -> None:
    first, second = list(compose.docs(ROOT, None)), list(compose.docs(ROOT, None))
    assert first == second
    assert len({doc["id"] for doc in first}) == len(first) == 6 * compose.TEST_PICTURES


def test_answers_are_those_of_the_labels_of_the_scans_in_the_picture() -> None:
    from PIL import Image

    scans, labels = compose.scans()
    by_picture: dict[str, dict[str, str]] = {}
    for doc in compose.docs(ROOT, None):
        left, right = doc["scans"]
        pixels = np.asarray(Image.open(io.BytesIO(doc["image"]["bytes"])))
        assert pixels.shape == (48, 48)
        # Half of the left column is white, the other half is the left scan, enlarged.
        halves = [pixels[:24, :24], pixels[24:, :24]]
        ink = next(half for half in halves if (half < 255).any())
        shrunk = (255 - ink[::3, ::3].astype(int) + 8) // 16
        assert np.array_equal(shrunk, scans[left])
        a, b = int(labels[left]), int(labels[right])
        by_picture.setdefault(doc["picture_id"], {})[doc["kind"]] = doc["answer"]
        expected = {
            "left": str(a),
            "right": str(b),
            "even": str([a % 2, b % 2].count(0)),
            "larger": str(a if a > b else b),
            "parity": "yes" if (a + b) % 2 == 0 else "no",
            "sum": str(a + b),
        }
        assert doc["answer"] == expected[doc["kind"]]
    assert all(len(answers) == 6 for answers in by_picture.values())


def test_no_question_is_answered_by_always_saying_the_same() -> None:
    answers: dict[str, list[str]] = {}
    for doc in compose.docs(ROOT, None):
        answers.setdefault(doc["kind"], []).append(doc["answer"])
    for kind, given in answers.items():
        assert max(map(given.count, given)) / len(given) < 0.6, kind


def test_task_loads() -> None:
    from task_defs.loader import load_task

    task = load_task("digits")
    assert task.docs is not None
    assert task.generation_kwargs.to_dict() == {"max_tokens": 4, "temperature": 0.0}
    assert task.report_by == ("kind",)


def test_training_reads_pictures_and_prompts_as_the_processor_does(digits_checkpoint: Path) -> None:
    """Otherwise a model would be trained on something else than what it is asked."""
    from PIL import Image
    from transformers import AutoProcessor

    from examples.digits import data

    processor = AutoProcessor.from_pretrained(digits_checkpoint)
    doc = next(iter(compose.docs(ROOT, None)))
    picture = Image.open(io.BytesIO(doc["image"]["bytes"]))
    conversation = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": doc["question"]}]}]
    text = processor.apply_chat_template(conversation, add_generation_prompt=True)
    seen = processor(text=text, images=[picture], return_tensors="np", add_special_tokens=False)
    ids, reply = data.encode(processor.tokenizer, doc["question"], doc["answer"])
    assert reply == 2
    assert seen["input_ids"][0].tolist() == ids[:-reply]
    trained = data.pixel_values(np.asarray(picture)[None])
    assert np.allclose(seen["pixel_values"], trained, atol=1e-6)


def test_every_answer_is_one_token_and_known() -> None:
    from examples.digits import data, model

    tokenizer = model.build_tokenizer(data.words())
    for doc in compose.docs(ROOT, None):
        for text, length in ((doc["answer"], 1), (doc["question"], None)):
            ids = tokenizer.encode(text, add_special_tokens=False)
            assert tokenizer.unk_token_id not in ids
            assert length in (None, len(ids))


def test_checkpoints_load_with_plain_transformers_and_lack_nothing(digits_checkpoint: Path) -> None:
    from safetensors import safe_open
    from transformers import AutoModelForImageTextToText

    _, info = AutoModelForImageTextToText.from_pretrained(digits_checkpoint, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with safe_open(digits_checkpoint / "model.safetensors", "np") as file:
        names = set(file.keys())
    # vLLM finds the vision tower under this name only.
    assert "vision_tower.vision_model.embeddings.patch_embedding.weight" in names


def test_same_seed_and_steps_give_the_same_weights(train_digits: Callable[..., list[Path]]) -> None:
    weights = [
        [path.joinpath("model.safetensors").read_bytes() for path in train_digits(steps=3, seed=seed, threads=1)]
        for seed in (0, 0, 1)
    ]
    assert [len(run) for run in weights] == [2, 2, 2]
    assert weights[0] == weights[1]
    assert weights[0][0] != weights[0][1]
    assert weights[0][1] != weights[2][1]


@pytest.mark.slow
def test_training_from_a_shell_learns(tmp_path: Path) -> None:
    """Loss falls from about 3.8 (log of the vocabulary) within a few seconds, from any folder."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples/digits/train.py", "run", "--steps", "60", "--every", "1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "step      0" in lines[0]
    assert lines[-1].split()[3] == "60"
    assert float(lines[-1].split()[5]) < 2.0
    assert (tmp_path / "run" / "step-000060" / "model.safetensors").is_file()
