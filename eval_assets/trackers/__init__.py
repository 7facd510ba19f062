"""Where trainers look: scores with their intervals in W&B, MLflow and TensorBoard, at the training step.

Knows neither Dagster nor the store: `point_of` takes a checkpoint's report as data, `push` hands points
to one tracker through its own library. Those are optional extras, imported when they are needed.
"""

from eval_assets.trackers.points import Point, point_of
from eval_assets.trackers.pushing import TrackerFailed, push
from eval_assets.trackers.settings import MLflow, TensorBoard, TrackerSettings, Wandb

__all__ = ["MLflow", "Point", "TensorBoard", "TrackerFailed", "TrackerSettings", "Wandb", "point_of", "push"]
