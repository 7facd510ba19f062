"""The trackers that `evals.yaml` can name, as its `trackers:` list."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_USERINFO = re.compile(r"://[^/@\s]*@")


class _Tracker(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wandb(_Tracker):
    """Weights & Biases; the key comes from WANDB_API_KEY or `wandb login`.

    run:    id of the training's own W&B run, `{run}` in it stands for the run's name here; without one, the
            scores get a run of their own, `eval-<run>` in the group `<run>`.
    shared: the training writes to that run meanwhile, and was itself started with mode="shared".
    """

    kind: Literal["wandb"]
    project: str = Field(min_length=1)
    entity: str | None = None
    run: str = ""
    shared: bool = False

    @model_validator(mode="after")
    def _shares_a_run(self) -> Wandb:
        if self.shared and not self.run:
            raise ValueError("shared: true shares the training's own run: give its id as `run`")
        return self


class MLflow(_Tracker):
    """MLflow.

    tracking_uri: of the server or database (default: MLFLOW_TRACKING_URI, as MLflow itself reads it).
    run: id of the training's own MLflow run, with `{run}` as above; without one, a run `<run>` is made.
    """

    kind: Literal["mlflow"]
    tracking_uri: str | None = None
    experiment: str = Field("evals", min_length=1)
    run: str = ""

    @field_validator("tracking_uri")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        if value and _USERINFO.search(value):
            raise ValueError(
                "no user or password in a file: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                "or the whole address as MLFLOW_TRACKING_URI"
            )
        return value


class TensorBoard(_Tracker):
    """TensorBoard: event files in `<logdir>/<run>/eval`.

    A folder of their own: TensorBoard stops reading a folder's older event file, the training's, once there is a newer.
    """

    kind: Literal["tensorboard"]
    logdir: str = Field(min_length=1)


TrackerSettings: TypeAlias = Annotated[Wandb | MLflow | TensorBoard, Field(discriminator="kind")]
