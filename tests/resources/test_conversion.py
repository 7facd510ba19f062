"""Checkpoints in other formats, made into Hugging Face folders by programs that really run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from resources.engines.processes import identity as process_identity
from resources.models.base import ModelUnusable
from resources.models.conversion import absolute, check_command, loadable
from resources.models.derived import cache_folder
from resources.models.identity import changed, identify, signature
from resources.models.sharded import unfinished
from tests.resources.folders import values, write_model

ROOT = Path(__file__).resolve().parents[2]
COPY = """
import os, shutil, sys, time
from pathlib import Path
source, target = map(Path, sys.argv[1:3])
with open({count!r}, "a") as file:
    file.write("x")
{before}
shutil.copytree(source / "model", target, dirs_exist_ok=True)
{after}
"""


class Trainer:
    """A folder in a format of its own, and programs that convert it; `runs` counts them."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, path / "count"
        self.source = path / "run" / "step-5"
        write_model(self.source / "model", b"abcd")
        (self.source / "optimizer.pt").write_bytes(b"state")

    @property
    def runs(self) -> int:
        return len(self.count.read_text()) if self.count.exists() else 0

    def hook(self, before: str = "", after: str = "", **more: Any) -> dict[str, Any]:
        script = self.path / "to_hf.py"
        script.write_text(COPY.format(count=str(self.count), before=before, after=after))
        return {"convert": [sys.executable, str(script), "{source}", "{target}"], **more}


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    monkeypatch.setenv("EVAL_HOME", str(tmp_path / "home"))
    return Trainer(tmp_path)


def left_overs() -> list[str]:
    root = cache_folder() / "converted"
    return sorted(p.name for p in root.iterdir() if p.is_dir() and p.name not in {"locks", "looked"})


def test_a_folder_is_converted_once_for_its_content(trainer, tmp_path):
    hook = trainer.hook()
    first = loadable(trainer.source, hook)
    assert (first / "model.safetensors").read_bytes() == (trainer.source / "model" / "model.safetensors").read_bytes()
    assert first.parent == tmp_path / "home" / "converted"
    assert loadable(trainer.source, hook) == first
    os.utime(trainer.source / "optimizer.pt", (1, 1))  # touched, not changed
    assert loadable(trainer.source, hook) == first
    moved = trainer.source.rename(tmp_path / "moved")
    assert loadable(moved, hook) == first
    assert trainer.runs == 1
    (moved / "optimizer.pt").write_bytes(b"other")  # any file of it may matter to the program
    assert loadable(moved, hook) != first
    assert trainer.runs == 2
    assert loadable(moved, trainer.hook(after="# mended")) != first
    assert trainer.runs == 3
    assert loadable(moved, {}) == moved


def test_the_fingerprint_is_of_what_came_out_and_the_signature_of_what_went_in(trainer):
    hook = trainer.hook()
    plain = identify("transformers", str(trainer.source / "model"), {})
    found = identify("transformers", str(trainer.source), hook)
    assert found.fingerprint == plain.fingerprint
    assert found.signature == signature(trainer.source, hook)
    (trainer.source / ".evals-hold-00000000.step-6").touch()
    assert not changed(trainer.source, hook, found.signature)
    (trainer.source / "optimizer.pt").write_bytes(b"other")
    assert changed(trainer.source, hook, found.signature)
    assert identify("transformers", str(trainer.source), hook).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ({"before": "print('no layer 7'); sys.exit(3)"}, r"failed with exit code 3. Its last words:\nno layer 7"),
        ({"before": "raise SystemExit"}, r"left no whole checkpoint: \{target\} is empty. It said nothing"),
        ({"after": "(target / 'tokenizer.json').unlink()"}, "left no whole checkpoint: .*there is no tokenizer"),
        ({"after": "print('done'); os.truncate(target / 'model.safetensors', 70)"}, "is cut short.*\n.*done"),
        ({"after": "(source / 'optimizer.pt').write_bytes(b'more')"}, "changed while it was converted"),
        ({"before": "print('loading', flush=True); time.sleep(60)", "convert_timeout": 2},
         r"did not end within 2 s \(convert_timeout\). Its last words:\nloading"),
    ],
)  # fmt: skip
def test_a_program_that_fails_is_told_and_leaves_nothing(trainer, program, says):
    import re

    with pytest.raises(ModelUnusable) as caught:
        loadable(trainer.source, trainer.hook(**program))
    assert re.search(says, str(caught.value)), caught.value
    assert left_overs() == []
    assert (loadable(trainer.source, trainer.hook()) / "config.json").is_file()


def test_a_program_that_is_not_there(trainer):
    with pytest.raises(ModelUnusable, match=r"exit code 127.*\n.*absent-program: No such file"):
        loadable(trainer.source, {"convert": ["absent-program", "{source}", "{target}"]})


@pytest.mark.parametrize(
    "value", ["to_hf {source} {target}", [], ["to_hf"], ["to_hf", "{source}"], ["to_hf", {"source": None}]]
)
def test_what_is_no_command_is_told(value):
    with pytest.raises(ModelUnusable, match=r'a list of words with "\{source\}" and "\{target\}"'):
        check_command(value)


def test_no_shell_reads_the_words(trainer, tmp_path):
    hook = trainer.hook()
    hook["convert"].append(f"; touch {tmp_path}/owned $(touch {tmp_path}/owned)")
    loadable(trainer.source, hook)
    assert not (tmp_path / "owned").exists()


def test_two_at_once_convert_once(trainer):
    hook = trainer.hook(before="time.sleep(0.5)")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(loadable(trainer.source, hook))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), trainer.runs) == (3, 1, 1)


def test_a_killed_run_leaves_no_process_and_the_next_converts(trainer, tmp_path):
    pid = tmp_path / "pid"
    mark = f"mark = Path({str(pid)!r})"
    hook = trainer.hook(before=f"{mark}\nif not mark.exists():\n    mark.write_text(str(os.getpid())); time.sleep(60)")
    code = "import sys, json; from pathlib import Path; from resources.models.conversion import loadable;"
    code += f"loadable(Path({str(trainer.source)!r}), {hook!r})"
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 20
    while process_identity(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process_identity(int(pid.read_text())) is None
    assert len(left_overs()) == 1  # half of it, under a name that nobody takes for whole
    assert [loadable(trainer.source, hook).name] == left_overs()


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("EVAL_HOME", "s3://bucket/evals")
    assert cache_folder() == tmp_path / "user" / "eval-assets"
    monkeypatch.setenv("EVAL_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"


def test_arguments_mean_the_same_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "to_hf.py").touch()
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    args = {"convert": ["python", "to_hf.py", "{source}", "{target}"], "base": "base", "dtype": "auto"}
    assert absolute(args) == {
        "convert": ["python", str(tmp_path / "to_hf.py"), "{source}", "{target}"],
        "base": str(tmp_path / "base"),
        "dtype": "auto",
    }
    assert absolute({"base": "owner/model"}) == {"base": "owner/model"}
    with pytest.raises(ModelUnusable, match="needs a directory"):
        identify("transformers", "owner/model", args)


# Whole or not


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["__0_0.distcp"], ".metadata, which is written last"),
        (["__0_0.distcp", ".metadata"], None),
        (["model_0/__0_0.distcp", "model_0/.metadata", "optim_0/__0_0.distcp"], "optim_0/.metadata"),
        (["mp_rank_00/model.pt"], "latest_checkpointed_iteration.txt, which is written last"),
        (["mp_rank_00/model.pt", "../latest_checkpointed_iteration.txt=99"], "says 99"),
        (["mp_rank_00/model.pt", "../latest_checkpointed_iteration.txt=100"], None),
        (["mp_rank_00/model.pt", "../latest_checkpointed_iteration.txt=200"], None),
        (["global_step100/mp_rank_00_model_states.pt"], "latest, which is written last"),
        (["global_step100/mp_rank_00_model_states.pt", "latest=global_step100"], None),
        (["weights.npz"], None),
        ([], "is empty"),
    ],
)
def test_a_format_is_whole_when_its_last_file_is_there(tmp_path, files, says):
    folder = tmp_path / "iter_0000100"
    folder.mkdir()
    for entry in files:
        name, _, text = entry.partition("=")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    found = unfinished(folder)
    assert (says is None and found is None) or says in found


# For real


def test_a_real_distributed_checkpoint_answers_as_the_model_that_was_saved(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    import torch.distributed.checkpoint as dcp
    from transformers import AutoModelForImageTextToText

    from examples.digits.train import train

    monkeypatch.setenv("EVAL_HOME", str(tmp_path / "home"))
    first, last = train(tmp_path / "hf", steps=2)
    sharded = tmp_path / "run" / "step-2"
    model = AutoModelForImageTextToText.from_pretrained(last)
    dcp.save({"model": model.state_dict()}, checkpoint_id=str(sharded), no_dist=True)
    assert unfinished(sharded) is None
    with pytest.raises(ModelUnusable, match="looks like a PyTorch distributed checkpoint"):
        values(sharded)
    command = [sys.executable, str(ROOT / "examples" / "convert_dcp.py"), "{source}", "{target}", "--like", str(first)]
    assert values(sharded, convert=command) == values(last) != values(first)
    found = identify("transformers", str(sharded), {"convert": command})
    assert found.fingerprint == identify("transformers", str(loadable(sharded, {"convert": command})), {}).fingerprint
