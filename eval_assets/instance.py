"""The Dagster instance that a project gets by default: local, with the pools that cells want."""

from __future__ import annotations

import os
from pathlib import Path

from resources.store import StoreUnwritable

# {runs}: each run is a process that may load a model; more of them than cores only wait for each other.
_DAGSTER_YAML = """\
# Written once by eval-assets; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    # One slot a step, so that the next cell asks its model while this one is judged.
    granularity: op
    default_limit: 4
  runs:
    max_concurrent_runs: {runs}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1  # 5 by default: a checkpoint's runs would wait 15 s in all
run_monitoring:
  enabled: true
  # Without this a crashed run keeps its slot in a pool for ever.
  free_slots_after_run_end_seconds: 5
sensors:
  use_threads: true
  num_workers: 4
"""


def ensure_instance(home: Path) -> None:
    """Make DAGSTER_HOME with a dagster.yaml, unless there is one. Raises StoreUnwritable."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            temporary = home / f".dagster.yaml.{os.getpid()}"
            runs = max(2, min(8, os.cpu_count() or 2))
            temporary.write_text(_DAGSTER_YAML.format(runs=runs))
            temporary.rename(config)
    except OSError as error:
        raise StoreUnwritable(f"DAGSTER_HOME={home} cannot be written ({error.strerror}): set it elsewhere") from error


if __name__ == "__main__":
    ensure_instance(Path(os.environ["DAGSTER_HOME"]))
