"""A CI job on the demo: a checkpoint whose weights were disturbed fails the gate, an equal one passes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CELL = "model_outputs,judge_scores,statistical_report,comparison"


def disturbed(source: Path, target: Path, share: float) -> Path:
    """A copy whose matrices have noise added, `share` of each one's standard deviation; the same every time."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    shutil.copytree(source, target)
    generator = torch.Generator().manual_seed(0)
    with safe_open(source / "model.safetensors", "pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dictionary
    for name, weight in weights.items():
        if weight.ndim > 1:
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
            weights[name] = (weight.float() + share * weight.float().std() * noise).to(weight.dtype)
    save_file(weights, target / "model.safetensors", metadata=metadata)
    return target


class Job:
    """A CI job's shell: a folder of its own with evals.yaml, nothing kept from before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "evals.yaml").write_text(
            yaml.safe_dump({"baseline": "out.good", "suites": {"ci": ["digits"]}, "gates": {"ci": {"margin": 0.05}}})
        )
        self.environment = {
            **os.environ, "EVAL_HOME": str(path / "home"), "DAGSTER_HOME": str(path / "dagster"),
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=self.path, env=self.environment, text=True, capture_output=True,
            timeout=200, check=False,
        )  # fmt: skip

    def run(self, checkpoint: str, *more: str) -> subprocess.CompletedProcess[str]:
        return self("eval_assets.cli", "run", "--checkpoint", checkpoint, "--tasks", "ci", *more)

    def materialize(self, checkpoint: str) -> subprocess.CompletedProcess[str]:
        return self(
            "dagster", "asset", "materialize", "-m", "eval_assets.definitions", "--select", CELL,
            "--partition", f"{checkpoint}|digits",
        )  # fmt: skip


@pytest.mark.slow
def test_a_degraded_checkpoint_fails_the_gate_and_an_equal_one_passes(tmp_path):
    pytest.importorskip("torch")
    sys.path.insert(0, str(ROOT))
    from examples.digits.train import train

    good = train(tmp_path / "train", steps=220, every=1000)[-1]
    for name, share in (("good", 0.0), ("equal", 1e-5), ("degraded", 2.0)):
        disturbed(good, tmp_path / "out" / name, share)
    job = Job(tmp_path)
    assert job.run("out/good").returncode == 0, "the baseline itself"

    for name in ("equal", "degraded"):
        first = job.run(f"out/{name}", "--limit", "1")  # makes both partition keys known
        assert first.returncode == 0, first.stderr[-3000:]
    passed, failed = job.materialize("out.equal"), job.materialize("out.degraded")
    assert passed.returncode == 0, passed.stderr[-3000:]
    assert failed.returncode == 1, failed.stderr[-3000:]
    assert "no_worse_than_baseline" in failed.stdout + failed.stderr

    # The shell, over what is stored already: nothing is asked, and nothing slips past.
    assert job.run("out.equal").returncode == 0
    for _ in range(2):
        again = job.run("out.degraded")
        assert again.returncode == 1
        assert "complete, nothing to run" in again.stderr
        assert "worse by more than 5.0 points" in again.stderr
