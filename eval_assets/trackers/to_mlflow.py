"""MLflow: metrics at the training step; steps may come in any order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval_assets.trackers.points import Point, safe
from eval_assets.trackers.settings import MLflow

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SERIES = "eval.run"


def push_mlflow(settings: MLflow, points: Sequence[Point]) -> str:
    """Log the values, and the facts as tags `eval.<step>.<fact>`; a checkpoint without a step stands at 0.

    The training's own run stays as it is otherwise: its state is not touched.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunTag

    client = MlflowClient(tracking_uri=settings.tracking_uri)
    run = _run_id(client, settings, points[0])
    now = int(time.time() * 1000)
    for point in points:
        step = point.step or 0
        metrics = [Metric(name, value, now, step) for name, value in point.values.items()]
        tags = [RunTag(f"eval.{step}.{name}", fact) for name, fact in point.facts.items()]
        client.log_batch(run, metrics=metrics, tags=tags)
    experiment = client.get_run(run).info.experiment_id
    address = client.tracking_uri
    if address.startswith("http"):
        return f"{address.rstrip('/')}/#/experiments/{experiment}/runs/{run}"
    return f"{address}, run {run} of experiment {experiment}"


def _run_id(client: MlflowClient, settings: MLflow, point: Point) -> str:
    """The training's run, or the one that was made for this series before, or a new one."""
    if settings.run and point.step is not None:
        return settings.run.replace("{run}", point.series)
    known = client.get_experiment_by_name(settings.experiment)
    experiment = known.experiment_id if known else client.create_experiment(settings.experiment)
    series = safe(point.series)
    found = client.search_runs(
        [experiment], f"tags.`{_SERIES}` = '{series}'", max_results=1, order_by=["attributes.start_time ASC"]
    )
    if found:
        return str(found[0].info.run_id)
    made = client.create_run(experiment, run_name=point.series, tags={_SERIES: series})
    client.set_terminated(made.info.run_id)  # scores are added to an ended run as well
    return str(made.info.run_id)
