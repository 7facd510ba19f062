"""How long a comparison of a million items in 100 000 clusters takes.

Run from the repository root: ``python -m bench.stats_speed``. The best of three runs each; the first three are
held to a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import stats
from bench._common import print_table, verdict

ITEMS, CLUSTERS, CHECKPOINTS = 1_000_000, 100_000, 20


def seconds(work: Callable[[], Any], runs: int = 3) -> float:
    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return min(once() for _ in range(runs))


def main() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.random((2, ITEMS)) < 0.5).astype(float)
    codes = rng.integers(0, CLUSTERS, ITEMS)
    names = [f"picture {code}" for code in codes.tolist()]
    series = {step: (rng.random(ITEMS) < 0.5).astype(float) for step in range(CHECKPOINTS)}
    held = {
        "paired difference, integer clusters": seconds(lambda: stats.paired_difference(a, b, codes, margin=0.01)),
        "paired difference, text clusters": seconds(lambda: stats.paired_difference(a, b, names, margin=0.01)),
        "mean": seconds(lambda: stats.mean_estimate(a, codes)),
    }
    shown = {
        f"band over {CHECKPOINTS} checkpoints": seconds(lambda: stats.simultaneous_band(series, codes, seed=1), 1),
        f"best of {CHECKPOINTS} checkpoints": seconds(lambda: stats.best_checkpoint(series, codes, seed=1), 1),
    }
    rows = [[name, value, "1" if name in held else "-"] for name, value in {**held, **shown}.items()]
    print_table(f"{ITEMS:,} items in {CLUSTERS:,} clusters", ["", "seconds", "bound"], rows)
    verdict({f"{name} in under a second": value < 1 for name, value in held.items()})


if __name__ == "__main__":
    main()
