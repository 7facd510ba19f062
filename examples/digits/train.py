"""Train a tiny vision-language model on handwritten digits, writing a checkpoint every few seconds.

    python examples/digits/train.py OUT --seconds 90 --every 10

``OUT/step-000000`` is the untrained model, so that a learning curve starts at chance. The same
seed and number of steps give the same weights on one machine; how many steps fit into the seconds
does not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: let it find its own package from any working directory
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from examples.digits import data, model

BATCH = 24
LEARNING_RATE = 5e-4  # 1e-3 learns slower, 2e-3 not at all
WARMUP_STEPS = 50


def train(
    out: Path,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    every: float = 10.0,
    threads: int = 1,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    on_save: Callable[[Path], None] = lambda folder: None,
) -> list[Path]:
    """Train until ``seconds`` have passed or ``steps`` are done; the checkpoints, oldest first.

    every: seconds between checkpoints; the first one is untrained, the last one is always written.
    threads: CPU threads. Two are a fifth faster on idle cores and several times slower on cores
    that something else uses as well, where they wait for each other.
    ``steps=0`` writes the untrained checkpoint only (about a second).
    on_save: called with each checkpoint's folder, such as `eval_service.training.Submitter`.
    """
    import torch

    if seconds is None and steps is None:
        raise ValueError("say when to stop: seconds, steps, or both")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _train(out, seconds=seconds, steps=steps, every=every, seed=seed, report=report, on_save=on_save)
    finally:
        torch.set_num_threads(before)


def _train(
    out: Path,
    *,
    seconds: float | None,
    steps: int | None,
    every: float,
    seed: int,
    report: Callable[[str], None],
    on_save: Callable[[Path], None],
) -> list[Path]:
    import torch

    tokenizer = model.build_tokenizer(data.words())
    processor = model.build_processor(tokenizer)
    network = model.build_model(tokenizer, seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01, fused=True)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARMUP_STEPS))
    batches = data.batches(tokenizer, BATCH, seed)

    written: list[Path] = []
    start = saved = time.monotonic()
    step, loss = 0, float("nan")

    def checkpoint() -> None:
        directory = out / f"step-{step:06d}"
        model.save(network, processor, directory)
        written.append(directory)
        report(f"{time.monotonic() - start:6.1f} s  step {step:6d}  loss {loss:.3f}  {directory}")
        on_save(directory)

    checkpoint()
    while (steps is None or step < steps) and (seconds is None or time.monotonic() - start < seconds):
        loss = _step(network, optimizer, next(batches))
        warmup.step()
        step += 1
        if time.monotonic() - saved >= every:
            checkpoint()
            saved = time.monotonic()
    if written[-1].name != f"step-{step:06d}":
        checkpoint()
    return written


def _step(network: Any, optimizer: Any, batch: data.Batch) -> float:
    """One update; the mean loss over the answers' tokens."""
    import torch

    network.train()
    loss = network(
        input_ids=torch.from_numpy(batch.input_ids),
        attention_mask=torch.from_numpy(batch.attention_mask),
        pixel_values=torch.from_numpy(batch.pixel_values),
        labels=torch.from_numpy(batch.labels),
    ).loss
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, help="directory for the checkpoints")
    parser.add_argument("--seconds", type=float, help="stop after this many seconds (90 without --steps)")
    parser.add_argument("--steps", type=int, help="stop after this many updates")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between checkpoints")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-at", metavar="URL", help="hand each checkpoint to the service there (evals serve)")
    parser.add_argument("--suite", default="digits", help="on what it evaluates them")
    options = vars(parser.parse_args())
    if options["seconds"] is None and options["steps"] is None:
        options["seconds"] = 90.0
    url, suite = options.pop("evaluate_at"), options.pop("suite")
    submit = _submitter(url, suite) if url else None
    train(**options, report=lambda line: print(line, flush=True), on_save=submit or (lambda folder: None))
    if submit:
        submit.finish()
        for folder, problem in submit.failed.items():
            print(f"{folder} was not submitted: {problem}")


def _submitter(url: str, suite: str) -> Any:
    from eval_service.training import Submitter

    return Submitter(url, suite)


if __name__ == "__main__":
    main()
