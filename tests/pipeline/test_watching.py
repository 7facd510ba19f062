"""A directory of checkpoints, looked at while a training script writes into it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from eval_assets.pipeline.ledger import DONE, FAILED, settle, wishes
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.pipeline.watching import look
from eval_assets.settings import Settings, SettingsError, Watch, load_settings
from resources.models.checkpoint import Checkpoint
from resources.store import KeyRefused
from resources.store.records import checkpoints

SETTINGS = Settings(suites={"quick": ("gsm8k", "pope")})


def shard(data: bytes) -> bytes:
    size = len(data)
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def write(folder: Path, data: bytes = b"abcd") -> Path:
    """A whole checkpoint of two shards."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for name in names:
        (folder / name).write_bytes(shard(data))
    index = {"weight_map": {"a": names[0], "b": names[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    (tmp_path / "run1").mkdir()
    return Watch(path=tmp_path / "run1", suite="quick", priority=3)


def wanted(store) -> list[tuple[str, str]]:
    return sorted((w.checkpoint, w.task) for w in wishes(store))


def test_a_whole_checkpoint_is_wanted_once_with_its_suite(store, watch):
    write(watch.path / "step-10")
    seen = look(store, watch, SETTINGS)
    assert [p.key for p in seen.wanted] == ["run1.10"]
    assert seen.tasks == ("gsm8k", "pope")
    assert wanted(store) == [("run1.10", "gsm8k"), ("run1.10", "pope")]
    assert {(w.priority, w.who) for w in wishes(store)} == {(3, f"watch {watch.path}")}
    row = checkpoints(store).get(checkpoint="run1.10")
    assert (row["run"], row["step"], row["suite"], row["fingerprint"]) == ("run1", 10, "quick", None)
    for wish in wishes(store):
        settle(store, [wish], DONE)
    assert look(store, watch, SETTINGS).wanted == []
    identify_checkpoint(store, "run1.10")
    assert look(store, watch, SETTINGS).wanted == []
    assert wanted(store) == []


def test_nothing_there_is_nothing_wanted(store, watch):
    (watch.path / "notes.txt").touch()
    seen = look(store, watch, SETTINGS)
    assert (seen.wanted, seen.waiting, seen.gone) == ([], {}, [])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "model-00002-of-00002.safetensors").write_bytes(shard(b"abcd")[:-1]), "is cut short"),
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "1 of 2 weight files are missing"),
        (lambda f: (f / "model.safetensors.index.json").unlink(), "no weights"),
        (lambda f: (f / "config.json").write_text('{"a'), "not written in full"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: [p.unlink() for p in f.iterdir()], "is empty"),
    ],
)
def test_a_half_written_one_waits_with_its_reason_and_is_wanted_when_whole(store, watch, spoil, says):
    folder = write(watch.path / "step-10")
    spoil(folder)
    write(watch.path / "step-20")
    seen = look(store, watch, SETTINGS)
    assert says in seen.waiting["run1.10"]
    assert [p.key for p in seen.wanted] == ["run1.20"]
    assert checkpoints(store).get(checkpoint="run1.10") is None
    write(folder)
    seen = look(store, watch, SETTINGS)
    assert (seen.waiting, [p.key for p in seen.wanted]) == ({}, ["run1.10"])


def test_settling_waits_for_quiet(store, watch):
    folder = write(watch.path / "step-10")
    for path in folder.iterdir():
        os.utime(path, (1000, 1000))
    slow = watch.model_copy(update={"settle": 60})
    assert "changed 30 s ago" in look(store, slow, SETTINGS, now=1030).waiting["run1.10"]
    assert [p.key for p in look(store, slow, SETTINGS, now=1061).wanted] == ["run1.10"]


def test_one_replaced_in_place_is_wanted_again_when_it_is_whole(store, watch):
    folder = write(watch.path / "step-10")
    look(store, watch, SETTINGS)
    identify_checkpoint(store, "run1.10")
    for wish in wishes(store):
        settle(store, [wish], DONE)
    first = checkpoints(store).get(checkpoint="run1.10")["fingerprint"]
    (folder / "model-00001-of-00002.safetensors").write_bytes(shard(b"other weights")[:-3])
    seen = look(store, watch, SETTINGS)
    assert seen.wanted == []
    assert "cut short" in seen.waiting["run1.10"]
    write(folder, b"other weights")
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.10"]
    assert len(wanted(store)) == 2
    identify_checkpoint(store, "run1.10")
    assert checkpoints(store).get(checkpoint="run1.10")["fingerprint"] != first
    assert look(store, watch, SETTINGS).wanted == []


def test_a_renamed_folder_is_another_checkpoint_and_the_old_one_has_gone(store, watch):
    write(watch.path / "step-10")
    look(store, watch, SETTINGS)
    (watch.path / "step-10").rename(watch.path / "step-11")
    seen = look(store, watch, SETTINGS)
    assert ([p.key for p in seen.wanted], seen.gone) == (["run1.11"], ["run1.10"])
    assert {w.checkpoint for w in wishes(store)} == {"run1.11"}
    one, two = write(watch.path / "step-12"), watch.path / "step-0012"
    look(store, watch, SETTINGS)
    before = identify_checkpoint(store, "run1.12").fingerprint
    one.rename(two)
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.12"]
    assert identify_checkpoint(store, "run1.12").fingerprint == before
    assert look(store, watch, SETTINGS).wanted == []


def test_of_one_that_is_gone_the_open_wishes_fail_and_the_others_stay(store, watch):
    write(watch.path / "step-10")
    write(watch.path / "step-20")
    look(store, watch, SETTINGS)
    settle(store, [next(w for w in wishes(store) if w.checkpoint == "run1.10" and w.task == "pope")], DONE)
    shutil.rmtree(watch.path / "step-10")
    assert look(store, watch, SETTINGS).gone == ["run1.10"]
    assert [(w.checkpoint, w.task, w.reason) for w in wishes(store, FAILED)] == [
        ("run1.10", "gsm8k", "the checkpoint's folder is gone")
    ]
    assert [w.task for w in wishes(store, DONE)] == ["pope"]
    assert {w.checkpoint for w in wishes(store)} == {"run1.20"}


def test_a_checkpoint_of_the_same_run_from_elsewhere_is_not_gone(store, watch, tmp_path):
    from eval_assets.pipeline.ledger import Wish, wish_for
    from eval_assets.pipeline.registering import from_directory

    other = write(tmp_path / "kept" / "step-5")
    register(store, from_directory(other, run="run1"))
    wish_for(store, [Wish("run1.5", "pope", "me")])
    write(watch.path / "step-10")
    seen = look(store, watch, SETTINGS)
    assert seen.gone == []
    assert ("run1.5", "pope") in wanted(store)


def test_a_folder_whose_name_dagster_cannot_carry_is_told_and_the_others_go_on(store, watch):
    write(watch.path / "best|last")
    write(watch.path / "step-10")
    seen = look(store, watch, SETTINGS)
    assert [p.key for p in seen.wanted] == ["run1.10"]
    assert list(seen.waiting) == ["run1.best|last"]
    assert "separates checkpoint and task" in seen.waiting["run1.best|last"]
    with pytest.raises(KeyRefused, match="separates"):
        register(store, Checkpoint("a|b", "openai", "gpt"))


def test_two_folders_of_one_step_are_told_and_do_not_take_turns(store, watch):
    write(watch.path / "step-10")
    assert len(look(store, watch, SETTINGS).wanted) == 1
    write(watch.path / "step-010")
    for _ in range(3):
        seen = look(store, watch, SETTINGS)
        assert seen.wanted == []
        assert "step-010" in seen.waiting["run1.10"]
        assert "step-10" in seen.waiting["run1.10"]
    assert checkpoints(store).get(checkpoint="run1.10")["source"] == str(watch.path / "step-10")
    shutil.rmtree(watch.path / "step-010")
    assert look(store, watch, SETTINGS).waiting == {}


def test_a_link_to_a_checkpoint_is_no_second_one(store, watch):
    (watch.path / "latest").symlink_to(write(watch.path / "step-10"))
    (watch.path / "broken").symlink_to(watch.path / "absent")
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.10"]
    seen = look(store, watch, SETTINGS)
    assert (seen.wanted, seen.waiting, seen.gone) == ([], {}, [])


def test_one_that_was_registered_but_never_wished_for_is_wanted(store, watch):
    """As after a look that was killed in its middle, or a registration by hand."""
    from eval_assets.pipeline.registering import from_directory

    register(store, from_directory(write(watch.path / "step-10")))
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.10"]
    assert look(store, watch, SETTINGS).wanted == []


def test_a_pattern_chooses_and_an_unknown_suite_is_told(store, watch):
    write(watch.path / "step-10")
    write(watch.path / "tmp-20")
    seen = look(store, watch.model_copy(update={"pattern": "step-*"}), SETTINGS)
    assert [p.key for p in seen.wanted] == ["run1.10"]
    with pytest.raises(SettingsError, match="no suite 'nightly': there are quick"):
        look(store, watch.model_copy(update={"suite": "nightly"}), SETTINGS)
    assert look(store, watch.model_copy(update={"suite": "pope"}), SETTINGS).tasks == ("pope",)


# Formats of trainers


COPY = """
import shutil, sys
shutil.copytree(sys.argv[1] + "/model", sys.argv[2], dirs_exist_ok=True)
"""


@pytest.fixture
def converting(watch, tmp_path, monkeypatch) -> Watch:
    """The same directory with a program that converts; what it makes lies below the test's folder."""
    monkeypatch.setenv("EVAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "to_hf.py").write_text(COPY)
    command = (sys.executable, str(tmp_path / "to_hf.py"), "{source}", "{target}")
    return watch.model_copy(update={"convert": command})


def sharded(folder: Path, data: bytes = b"abcd") -> Path:
    """A distributed checkpoint, but for `.metadata`, which its trainer writes last."""
    write(folder / "model", data)
    (folder / "__0_0.distcp").write_bytes(data)
    return folder


def test_a_sharded_checkpoint_is_wanted_when_its_last_file_is_there_and_converted_when_hashed(store, converting):
    folder = sharded(converting.path / "step-10")
    assert ".metadata, which is written last" in look(store, converting, SETTINGS).waiting["run1.10"]
    (folder / ".metadata").touch()
    assert [p.key for p in look(store, converting, SETTINGS).wanted] == ["run1.10"]
    assert not Path(os.environ["EVAL_CACHE"]).exists(), "a look converts nothing"
    plain = register(store, Checkpoint("plain", "transformers", str(folder / "model")))
    found = identify_checkpoint(store, "run1.10")
    assert found.fingerprint == identify_checkpoint(store, plain.key).fingerprint
    assert look(store, converting, SETTINGS).wanted == []
    (folder / "__0_0.distcp").write_bytes(b"other")
    assert [p.key for p in look(store, converting, SETTINGS).wanted] == ["run1.10"]


def test_a_sharded_checkpoint_without_a_converter_waits_and_says_what_to_name(store, watch):
    (sharded(watch.path / "step-10") / ".metadata").touch()
    waits = look(store, watch, SETTINGS).waiting["run1.10"]
    assert "PyTorch distributed checkpoint" in waits
    assert 'convert: [python, tools/to_hf.py, "{source}", "{target}"]' in waits


def test_a_format_that_nobody_knows_waits_for_quiet(store, converting):
    folder = write(converting.path / "step-10" / "model").parent
    (folder / "weights.npz").write_bytes(b"x")
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1000, 1000))
    assert "changed 30 s ago" in look(store, converting, SETTINGS, now=1030).waiting["run1.10"]
    os.utime(folder / "model" / "config.json", (1050, 1050))  # deep in it
    assert "changed 20 s ago" in look(store, converting, SETTINGS, now=1070).waiting["run1.10"]
    assert [p.key for p in look(store, converting, SETTINGS, now=1111).wanted] == ["run1.10"]


def test_a_converter_is_read_from_the_settings_and_a_wrong_one_is_told(tmp_path, monkeypatch):
    file = tmp_path / "evals.yaml"
    monkeypatch.setenv("EVAL_CONFIG", str(file))
    file.write_text('watch: [{path: x, suite: pope, convert: [to_hf, "{source}", "{target}"], convert_timeout: 9}]')
    (found,) = load_settings().watch
    assert found.arguments == {"convert": ["to_hf", "{source}", "{target}"], "convert_timeout": 9}
    file.write_text("watch: [{path: x, suite: pope, convert: [to_hf, {source}, {target}]}]")
    with pytest.raises(SettingsError, match=r"watch.0.convert: .*a list of words with .*in quotes"):
        load_settings()


def test_an_adapter_waits_for_its_weights_and_for_its_base(store, watch, tmp_path):
    folder = watch.path / "step-10"
    folder.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path / "base")}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert "base=FOLDER" in look(store, watch, SETTINGS).waiting["run1.10"]
    write(tmp_path / "base")
    assert "adapter_model.safetensors is missing" in look(store, watch, SETTINGS).waiting["run1.10"]
    (folder / "adapter_model.safetensors").write_bytes(shard(b"lora"))
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.10"]
    first = identify_checkpoint(store, "run1.10").fingerprint
    assert look(store, watch, SETTINGS).wanted == []
    write(tmp_path / "base", b"other base")
    assert [p.key for p in look(store, watch, SETTINGS).wanted] == ["run1.10"]
    assert identify_checkpoint(store, "run1.10").fingerprint != first
