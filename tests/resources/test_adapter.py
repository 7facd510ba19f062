"""Adapters: a real one made with PEFT on a tiny model, and folders that only look like one."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from resources.models.adapter import base_of
from resources.models.base import Instance, Media, ModelUnusable
from resources.models.identity import changed, identify, pinned, signature
from resources.models.merging import companions, served_weights
from resources.models.weights import checkpoint_problem
from tests.resources.folders import ask, tensors, values, write_model


def fingerprint(folder: Path, **args: Any) -> str:
    return identify("transformers", str(folder), args).fingerprint


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Files of a whole model, of which nothing is loaded."""
    return write_model(tmp_path / "models" / "base", b"base")


@pytest.fixture
def adapter(tmp_path: Path, base: Path) -> Path:
    return write_adapter(tmp_path / "run" / "step-5", str(base))


def write_adapter(folder: Path, base: str | None, **more: Any) -> Path:
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "base_model_name_or_path": base, **more}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(tensors(b"lora"))
    return folder


# Whole or not


def test_a_whole_adapter_has_no_problem(adapter):
    assert checkpoint_problem(adapter) is None


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f, b: (f / "adapter_model.safetensors").write_bytes(tensors(b"lora")[:-1]), "is cut short"),
        (lambda f, b: (f / "adapter_model.safetensors").unlink(), "adapter_model.safetensors is missing"),
        (lambda f, b: (f / "adapter_config.json").write_text('{"peft'), "not written in full"),
        (lambda f, b: (f / "adapter_config.json").write_text("[]"), "no JSON object"),
        (lambda f, b: (f / "adapter_config.json").unlink(), "an adapter that is still being written"),
        (lambda f, b: shutil.rmtree(b), "is not there: say where it is with base=FOLDER"),
        (lambda f, b: (b / "model.safetensors").unlink(), "its base model: .*no weights"),
        (lambda f, b: shutil.copy(b / "model.safetensors", f), "both an adapter .* and whole weights"),
        (
            lambda f, b: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"),
            "adapter_model.bin is a pickle",
        ),
    ],
)
def test_what_is_wrong_with_an_adapter_is_said(adapter, base, spoil, says):
    import re

    spoil(adapter, base)
    assert re.search(says, str(checkpoint_problem(adapter))), checkpoint_problem(adapter)


def test_kinds_that_cannot_be_merged_and_stacked_adapters_are_refused(adapter, tmp_path):
    prompts = write_adapter(tmp_path / "prompts", "x", peft_type="PROMPT_TUNING")
    assert "peft_type is PROMPT_TUNING" in str(checkpoint_problem(prompts))
    assert "is an adapter itself" in str(checkpoint_problem(write_adapter(tmp_path / "second", str(adapter))))


# Which base


def test_a_base_is_found_from_the_adapter_then_from_here_and_an_argument_goes_first(base, tmp_path, monkeypatch):
    beside = write_adapter(tmp_path / "models" / "lora", "../base")
    assert base_of(beside, {}).name == str(base)
    monkeypatch.chdir(tmp_path)
    here = write_adapter(tmp_path / "run" / "here", "models/base")
    assert base_of(here, {}).name == str(base)
    other = write_model(tmp_path / "other", b"other")
    assert base_of(here, {"base": str(other)}).name == str(other)
    assert checkpoint_problem(write_adapter(tmp_path / "nowhere", "/absent"), base=str(other)) is None


def test_what_is_no_folder_is_a_hub_id_with_its_revision(tmp_path):
    folder = write_adapter(tmp_path / "a", "owner/model", revision="v2")
    assert (base_of(folder, {}).name, base_of(folder, {}).revision) == ("owner/model", "v2")
    assert base_of(folder, {"revision": "main"}).revision == "main"


@pytest.mark.parametrize("name", [None, "", "./absent", "/absent/model", "some/path/model"])
def test_no_base_is_told_with_what_to_do(tmp_path, name):
    folder = write_adapter(tmp_path / "a", name)
    with pytest.raises(ModelUnusable, match="base=FOLDER"):
        base_of(folder, {})


# Which model


def test_the_base_counts_by_content_in_fingerprint_and_signature(adapter, base, tmp_path):
    before, looked = fingerprint(adapter), signature(adapter)
    same = Path(shutil.copytree(base, tmp_path / "copy"))
    assert fingerprint(adapter, base=str(same)) == before != fingerprint(base)
    (base / "model.safetensors").write_bytes(tensors(b"more"))
    assert signature(adapter) != looked
    assert changed(adapter, {}, looked)
    assert fingerprint(adapter) != before
    assert fingerprint(adapter, base=str(same)) == before
    shutil.rmtree(base)
    assert changed(adapter, {}, looked)


def test_a_base_on_the_hub_is_loaded_at_the_commit_that_was_hashed(adapter, tmp_path, monkeypatch):
    hub = write_adapter(tmp_path / "hub", "owner/model")
    commits = iter("ab")
    monkeypatch.setattr("resources.models.identity.hub_commit", lambda repo, revision: next(commits))
    first, second = (identify("transformers", str(hub), {}) for _ in range(2))
    assert first.fingerprint != second.fingerprint
    assert not changed(hub, {}, first.signature)
    assert pinned(str(hub), {"dtype": "float32"}, first.signature) == {"dtype": "float32", "revision": "a"}
    assert pinned(str(adapter), {}, identify("transformers", str(adapter), {}).signature) == {}
    assert pinned("owner/model", {}, "c0ffee") == {"revision": "c0ffee"}


def test_files_beside_the_weights_come_in_groups_from_the_adapter_or_else_from_the_base(adapter, base):
    for name in ("tokenizer_config.json", "preprocessor_config.json", "chat_template.jinja", "generation_config.json"):
        (base / name).write_text("{}")
    (adapter / "tokenizer.json").write_text("{}")
    (adapter / "config.json").write_text("{}")

    def from_adapter() -> set[str]:
        return {name for name, file in companions(adapter, base_of(adapter, {})).items() if file.parent == adapter}

    found = companions(adapter, base_of(adapter, {}))
    assert from_adapter() == {"tokenizer.json"}
    assert set(found) == {
        "config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja", "generation_config.json"
    }  # fmt: skip
    (adapter / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert "chat_template.jinja" not in companions(adapter, base_of(adapter, {}))
    (adapter / "chat_template.jinja").write_text("x")
    assert from_adapter() == {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}


# For real


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny model and an adapter on it that changes what it says."""
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from transformers import AutoModelForImageTextToText

    from examples.digits.train import train

    base = train(tmp_path_factory.mktemp("base"), steps=30)[-1]
    torch.manual_seed(1)
    config = peft.LoraConfig(r=4, target_modules=r".*language_model.*(q|v)_proj", init_lora_weights=False)
    folder = tmp_path_factory.mktemp("lora") / "step-5"
    peft.get_peft_model(AutoModelForImageTextToText.from_pretrained(base), config).save_pretrained(folder)
    return base, folder


def unmerged(base: Path, folder: Path) -> list[float]:
    """The same by PEFT alone: the adapter beside the base's weights, not in them."""
    import peft
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from resources.models.transformers_run import Runner
    from tests.conftest import png

    model = peft.PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), str(folder)).eval()
    runner = Runner(model, AutoProcessor.from_pretrained(base), None)
    found = []
    for n in (5, 500000, 5000):
        turns = Instance(prompt="Which digit is on the left?", media_list=[Media(png(n, 48), "image/png", str(n))])
        for text in ("3", "7", "yes"):
            choice = runner.prompts.choice(turns.turns(), turns.media_list, text)
            (scores,) = runner.score([[choice]])
            found.append((n, scores.logprobs[0]))
    return [value for n, value in sorted(found, key=lambda pair: str(pair[0]))]


def test_an_adapter_answers_as_peft_does_and_as_the_merged_folder_not_as_its_base(real, tmp_path, monkeypatch):
    base, folder = real
    monkeypatch.setenv("EVAL_CACHE", str(tmp_path))
    found = values(folder)
    assert found == pytest.approx(unmerged(base, folder), abs=1e-4)
    assert max(abs(a - b) for a, b in zip(found, values(base), strict=True)) > 0.1
    whole = served_weights(str(folder), {})
    assert checkpoint_problem(whole) is None
    assert values(whole) == found
    assert [r.text for r in ask(whole, "generate_until")] == [r.text for r in ask(folder, "generate_until")]
    made = Path(whole, "model.safetensors").stat().st_mtime_ns
    assert served_weights(str(folder), {}) == whole
    assert Path(whole, "model.safetensors").stat().st_mtime_ns == made
    assert served_weights(str(base), {}) == str(base)
    assert served_weights("owner/model", {}) == "owner/model"


def test_the_merged_folder_keeps_the_bases_names_and_every_other_byte(real, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    base, folder = real
    monkeypatch.setenv("EVAL_CACHE", str(tmp_path))
    before = load_file(base / "model.safetensors")
    after = load_file(Path(served_weights(str(folder), {}), "model.safetensors"))
    assert set(before) == set(after)
    differing = {name for name in before if not before[name].equal(after[name])}
    assert {name.rsplit(".", 2)[1] for name in differing} == {"q_proj", "v_proj"}
    assert len(differing) == 8


def test_an_adapter_of_another_architecture_does_not_answer_as_its_base(real, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = real[1]
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    weights = load_file(other / "adapter_model.safetensors")
    first = sorted(weights)[0]
    save_file({name: w for name, w in weights.items() if name != first}, other / "adapter_model.safetensors")
    with pytest.raises(ModelUnusable, match=r"does not fit its base.*1 of its weights are missing.*lora_A"):
        values(other)
    save_file(
        {**weights, first.replace("layers.0", "layers.99"): weights[first].clone()}, other / "adapter_model.safetensors"
    )
    with pytest.raises(ModelUnusable, match=r"1 of its weights have no place.*layers\.99"):
        values(other)


def test_without_peft_the_error_says_what_to_install(real, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelUnusable, match=r"pip install 'eval-assets\[lora\]'"):
        values(real[1])


def test_a_base_given_as_argument_is_the_one_that_is_loaded(real, tmp_path):
    base, folder = real
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    config = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "/absent"}))
    with pytest.raises(ModelUnusable, match="base=FOLDER"):
        values(moved)
    assert values(moved, base=str(base)) == values(folder)
