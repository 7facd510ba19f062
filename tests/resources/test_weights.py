"""Whole, cut short, missing, pickled: what is said of a directory of weights."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from resources.models.weights import checkpoint_problem, safetensors_problem


def safetensors_bytes(**tensors: int) -> bytes:
    """A safetensors file of float32 vectors of the given lengths."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, length in tensors.items():
        header[name] = {"dtype": "F32", "shape": [length], "data_offsets": [end, end + 4 * length]}
        end += 4 * length
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A whole checkpoint of two shards."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for name, shard in shards.items():
        (tmp_path / shard).write_bytes(safetensors_bytes(**{name: 100}))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    return tmp_path


def test_whole_file_has_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for data in (safetensors_bytes(a=3, b=5), safetensors_bytes()):
        path.write_bytes(data)
        assert safetensors_problem(path) is None


def test_a_file_of_the_library_itself_has_no_problem(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    import numpy as np

    numpy.save_file({"w": np.ones((3, 4)), "empty": np.ones((0, 2))}, tmp_path / "x.safetensors")
    assert safetensors_problem(tmp_path / "x.safetensors") is None


def test_every_shorter_file_is_cut_short(tmp_path: Path) -> None:
    whole, path = safetensors_bytes(a=3, b=5), tmp_path / "x.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        problem = safetensors_problem(path)
        assert problem is not None, length
        assert "x.safetensors" in problem
        assert "still being written" in problem.lower()
    path.write_bytes(whole[:-1])
    assert f"{len(whole) - 1} of {len(whole)} bytes" in str(safetensors_problem(path))


def test_trailing_bytes_and_other_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(a=3) + b"xx")
    assert "2 bytes longer" in str(safetensors_problem(path))
    path.write_bytes(bytes(1000))  # space reserved, nothing written yet
    assert "no whole safetensors header" in str(safetensors_problem(path))
    path.write_bytes(b"PK\x03\x04" + b"pickle in a zip" * 100)
    assert "not such a file" in str(safetensors_problem(path))
    assert "cannot be read" in str(safetensors_problem(tmp_path / "absent.safetensors"))


def test_whole_checkpoint(model: Path) -> None:
    assert checkpoint_problem(model) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "no tokenizer"),
        ("model-00002-of-00002.safetensors", "1 of 2 weight files are missing: model-00002"),
        ("model.safetensors.index.json", "no weights"),
    ],
)
def test_what_is_missing_is_named(model: Path, name: str, says: str) -> None:
    (model / name).unlink()
    assert says in str(checkpoint_problem(model))


def test_shard_cut_short_is_named(model: Path) -> None:
    shard = model / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "model-00002-of-00002.safetensors is cut short" in str(checkpoint_problem(model))


def test_half_written_json_is_told(model: Path) -> None:
    (model / "config.json").write_text('{"model_type": "lla')
    assert "config.json cannot be read, or is not written in full" in str(checkpoint_problem(model))


def test_index_cannot_lead_out_of_the_directory(model: Path) -> None:
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../a.safetensors"}}')
    assert "no file of this directory" in str(checkpoint_problem(model))


def test_pickles_count_only_when_allowed(model: Path) -> None:
    for path in model.glob("*.safetensors*"):
        path.unlink()
    (model / "optimizer.pt").touch()
    assert "no weights" in str(checkpoint_problem(model))
    (model / "pytorch_model.bin").touch()
    problem = str(checkpoint_problem(model))
    assert "pytorch_model.bin is a pickle" in problem
    assert "allow_pickle=True" in problem
    assert checkpoint_problem(model, allow_pickle=True) is None


def test_no_model_at_all(tmp_path: Path) -> None:
    assert "is empty" in str(checkpoint_problem(tmp_path))
    assert "no directory" in str(checkpoint_problem(tmp_path / "absent"))
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "its peft_type is None" in str(checkpoint_problem(tmp_path))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((".metadata", "__0_0.distcp"), "PyTorch distributed checkpoint"),
        (("pytorch_model_fsdp_0/.metadata", "pytorch_model_fsdp_0/__0_0.distcp", "config.json"), "FSDP"),
        (("mp_rank_00/model_optim_rng.pt", "mp_rank_01/model_optim_rng.pt"), "Megatron"),
        (("latest", "global_step10/mp_rank_00_model_states.pt", "config.json"), "DeepSpeed"),
    ],
)
def test_a_format_of_training_is_named_with_what_to_do(tmp_path: Path, files: tuple[str, ...], says: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    problem = str(checkpoint_problem(tmp_path))
    assert says in problem
    assert 'convert: [python, tools/to_hf.py, "{source}", "{target}"]' in problem


def test_a_whole_model_beside_training_state_is_a_model(model: Path) -> None:
    (model / "global_step10").mkdir()
    (model / "global_step10" / "mp_rank_00_model_states.pt").touch()
    assert checkpoint_problem(model) is None
