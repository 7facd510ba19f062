"""Checkpoints handed over from training loops: training does not wait, and nothing stops it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval_service.training import EvalCallback, Submitter
from resources.store.records import checkpoints

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rooted(served, tmp_path):
    served.project.configure(service={"roots": [str(tmp_path)]})
    served.restart()
    return served


def submitted(served) -> list[str]:
    queue = served.client().queue()
    return sorted(job["checkpoint"] for jobs in queue.values() for job in jobs)


def test_the_demos_training_script_submits_each_checkpoint(rooted, tmp_path):
    out = tmp_path / "exp"
    script = [sys.executable, str(ROOT / "examples" / "digits" / "train.py"), str(out), "--steps", "3", "--every", "0"]
    done = subprocess.run(
        [*script, "--evaluate-at", rooted.url, "--suite", "colours"], check=True, capture_output=True, text=True
    )
    assert "was not submitted" not in done.stdout
    assert submitted(rooted) == ["exp.0", "exp.1", "exp.2", "exp.3"]
    assert checkpoints(rooted.project.store).get(checkpoint="exp.2")["step"] == 2


def test_a_hugging_face_trainer_submits_when_it_has_saved(rooted, tmp_path):
    import torch
    from transformers import Trainer, TrainingArguments

    from examples.digits import data, model

    tokenizer = model.build_tokenizer(data.words())
    batches = data.batches(tokenizer, 4, 0)
    names = ("input_ids", "attention_mask", "pixel_values", "labels")
    callback = EvalCallback(rooted.url, "colours")
    trainer = Trainer(
        model=model.build_model(tokenizer, 0),
        args=TrainingArguments(
            str(tmp_path / "exp9"), max_steps=2, save_steps=1, per_device_train_batch_size=1, report_to=[], use_cpu=True
        ),
        train_dataset=[{"x": i} for i in range(4)],
        data_collator=lambda rows: {n: torch.from_numpy(getattr(next(batches), n)) for n in names},
        processing_class=model.build_processor(tokenizer),
        callbacks=[callback],
    )
    trainer.train()
    assert submitted(rooted) == ["exp9.1", "exp9.2"]


def test_a_service_that_is_down_costs_a_warning_and_no_time(tmp_path, model_folder, caplog):
    submit = Submitter("http://127.0.0.1:1", "colours", patience=0.5)
    began = time.monotonic()
    submit(model_folder)
    assert time.monotonic() - began < 0.1
    submit.finish()
    assert list(submit.failed) == [str(model_folder)]
    assert "was not submitted for evaluation" in caplog.text
