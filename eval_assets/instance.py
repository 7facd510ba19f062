"""The Dagster instance that a project gets by default: local, with the pools that cells want."""

from __future__ import annotations

import os
from pathlib import Path

from resources.store import StoreUnwritable

_DAGSTER_YAML = """\
# Written once by eval-assets; yours to change.
telemetry:
  enabled: false
concurrency:
  pools:
    # One slot a step, so that the next cell asks its model while this one is judged.
    granularity: op
    default_limit: 4
  runs:
    max_concurrent_runs: 4
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
            temporary.write_text(_DAGSTER_YAML)
            temporary.rename(config)
    except OSError as error:
        raise StoreUnwritable(f"DAGSTER_HOME={home} cannot be written ({error.strerror}): set it elsewhere") from error


if __name__ == "__main__":
    ensure_instance(Path(os.environ["DAGSTER_HOME"]))
