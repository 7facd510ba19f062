"""Which model it is: by content, whatever the folder is called and whoever trained it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint, step_of
from resources.models.identity import identify, model_files, signature
from resources.models.openai import OpenAIModel
from resources.models.registry import build_model, check_model, model_names, source_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "step-1"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"):
        (folder / name).write_text(json.dumps({"name": name}))
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    return folder


def fingerprint(folder: Path) -> str:
    return identify("transformers", str(folder), {}).fingerprint


def test_a_renamed_or_copied_folder_is_the_same_model(model, tmp_path):
    before = fingerprint(model)
    assert identify("transformers", str(model), {}).size == sum(p.stat().st_size for p in model.iterdir())
    copy = shutil.copytree(model, tmp_path / "elsewhere" / "best")
    assert fingerprint(Path(copy)) == before
    assert fingerprint(model.rename(tmp_path / "renamed")) == before


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"]
)
def test_any_file_that_decides_an_answer_counts(model, name):
    before, looked = fingerprint(model), signature(model)
    data = bytearray((model / name).read_bytes())
    data[-2] ^= 1
    (model / name).write_bytes(data)
    assert fingerprint(model) != before
    assert signature(model) != looked
    (model / name).unlink()
    assert fingerprint(model) != before


def test_a_renamed_shard_is_another_model(model):
    before = fingerprint(model)
    (model / "model.safetensors").rename(model / "other.safetensors")
    assert fingerprint(model) != before


@pytest.mark.parametrize(
    "name",
    [
        "optimizer.pt",
        "trainer_state.json",
        "training_args.bin",
        "scheduler.pt",
        "rng_state_0.pth",
        "scaler.pt",
        "README.md",
    ],
)
def test_what_trainers_leave_beside_the_weights_does_not_matter(model, name):
    before, looked = fingerprint(model), signature(model)
    (model / name).write_bytes(b"state")
    assert (fingerprint(model), signature(model)) == (before, looked)


def test_a_signature_reads_no_content_but_sees_sizes_and_times(model):
    before = signature(model)
    os.utime(model / "model.safetensors", ns=(1, 1))
    assert signature(model) != before
    assert model / "model.safetensors" in model_files(model)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    for name in (str(tmp_path / "absent"), "./absent", "~/absent-model"):
        with pytest.raises(ModelUnusable, match="no directory"):
            identify("transformers", name, {})


def test_an_api_model_is_its_name_endpoint_and_snapshot(monkeypatch):
    def of(source: str = "gpt", **args) -> str:
        return identify("openai", source, args).fingerprint

    plain = of()
    assert of(base_url="https://api.openai.com/v1/") == plain
    assert len({plain, of("other"), of(base_url="http://localhost/v1"), of(snapshot="2026-01-01")}) == 4
    assert of(concurrency=3, timeout=9, api_key_env="OTHER", max_retries=0) == plain
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost/v1")
    assert of() == of(base_url="http://localhost/v1") != plain


def test_a_wrong_argument_or_model_names_the_nearest(tmp_path):
    with pytest.raises(ModelUnusable, match=r"no argument 'concurency' \(did you mean 'concurrency'\?\)"):
        build_model("openai", "gpt", {"concurency": 3}, task="t")
    with pytest.raises(ModelUnusable, match=r"no argument 'api_key' .*api_key_env"):
        build_model("openai", "gpt", {"api_key": "sk-secret"}, task="t")
    with pytest.raises(ModelUnusable, match="did you mean 'openai'"):
        check_model("opnai")
    assert {"openai", "recorded", "transformers"} <= set(model_names())
    built = build_model("openai", "gpt", {"model": "gpt", "concurrency": 3}, task="t")
    assert isinstance(built, OpenAIModel)
    assert source_of("openai", {"model": "gpt"}) == "gpt"
    assert source_of("openai", {}) is None
    with pytest.raises(ModelUnusable, match="import-answers"):
        identify("recorded", str(tmp_path / "absent.lance"), {})


@pytest.mark.parametrize(
    ("name", "step"), [("step-004000", 4000), ("epoch2-step10", 10), ("final", None), ("v2-best", 2), ("0", 0)]
)
def test_the_step_is_the_last_number_of_a_name(name, step):
    assert step_of(name) == step


def test_a_checkpoint_survives_its_record():
    point = Checkpoint("run.1", "openai", "gpt", {"extra": {"a": [1]}}, run="run", step=1, suite="s")
    assert Checkpoint.from_record(point.record()) == point
    known = point.with_identity("f", "s", 10)
    assert Checkpoint.from_record(known.record()) == known
