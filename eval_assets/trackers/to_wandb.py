"""Weights & Biases: scores over an axis of their own, `eval/step`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eval_assets.trackers.points import Point, safe
from eval_assets.trackers.pushing import TrackerFailed
from eval_assets.trackers.settings import Wandb

if TYPE_CHECKING:
    import wandb

STEP = "eval/step"
# Seconds for the upload at the end: by default W&B waits for ever where the network has gone.
_UPLOAD = 120.0


def push_wandb(settings: Wandb, points: Sequence[Point]) -> str:
    """Log the values, and the facts as config `eval_step_<step>`. Returns the run's URL, or its folder offline.

    W&B drops what comes at a lower step than the last one, and evaluations end in any order. So the training
    step is a metric, the axis of all others (`define_metric`), and W&B counts its own steps.
    """

    mode = os.environ.get("WANDB_MODE", "")
    if mode in {"disabled", "dryrun"} or os.environ.get("WANDB_DISABLED", "").lower() in {"true", "1"}:
        raise TrackerFailed("the environment disables W&B: unset WANDB_MODE, or take wandb out of `trackers`")
    if settings.shared and mode == "offline":
        raise TrackerFailed("a shared run needs a connection: unset WANDB_MODE=offline, or push without `shared`")
    theirs = bool(settings.run) and points[0].step is not None
    if theirs and not settings.shared and mode != "offline":
        _refuse_live(settings, points[0])
    run = _open(settings, points[0], theirs)
    try:
        _log(run, points)
        place = f"{os.path.dirname(run.dir)} (offline: `wandb sync` uploads it)" if run.offline else str(run.url)
    except BaseException:
        run.finish(exit_code=None if theirs else 1)
        raise
    run.finish()
    return place


def _open(settings: Wandb, point: Point, theirs: bool) -> wandb.Run:
    import wandb

    series = safe(point.series)
    own = {"id": f"eval-{series}", "name": f"eval {point.series}", "group": series, "job_type": "eval"}
    who: dict[str, Any] = own | {"resume": "allow"}
    sharing: dict[str, Any] = {}
    if theirs:
        who = {"id": _their_id(settings, point)}
        if settings.shared:
            sharing = {"mode": "shared", "x_primary": False, "x_label": "evals"}
        else:
            who["resume"] = "must"
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, finish_timeout=_UPLOAD,
        finish_timeout_raises=True, x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
        # A training's run is the training's to end.
        x_update_finish_state=not theirs, **sharing,
    )  # fmt: skip
    return wandb.init(project=settings.project, entity=settings.entity, reinit="create_new", settings=quiet, **who)


def _their_id(settings: Wandb, point: Point) -> str:
    return settings.run.replace("{run}", point.series)


def _refuse_live(settings: Wandb, point: Point) -> None:
    """Raises TrackerFailed where the training still writes to its run.

    W&B keeps a run's history by line number: a second writer overwrites lines of the first
    (wandb/wandb issues 10349 and 12269).
    """
    import wandb

    path = "/".join(part for part in (settings.entity, settings.project, _their_id(settings, point)) if part)
    if wandb.Api().run(path).state == "running":
        raise TrackerFailed(
            f"run {path} is still being written, and a second writer would overwrite its history: leave `run` out "
            "(the scores get a run of their own beside it), or start the training with "
            'wandb.Settings(mode="shared", x_primary=True) and set `shared: true`, or `evals push` when it has ended'
        )


def _log(run: wandb.Run, points: Sequence[Point]) -> None:
    for point in points:
        key = "eval" if point.step is None else f"eval_step_{point.step}"
        run.config.update({key: dict(point.facts)}, allow_val_change=True)
        if point.step is None:
            run.summary.update(dict(point.values))
    steps = [point.step for point in points if point.step is not None]
    if not steps:
        return
    names = {name for point in points for name in point.values}
    run.define_metric(STEP, hidden=True)
    for name in names:  # each by its name: `eval/*` would take hold of the training's own metrics
        run.define_metric(name, step_metric=STEP)
    # W&B's summary is what was logged last, and that may be an earlier step.
    latest = run.summary.get(STEP)
    later = latest is not None and latest > max(steps)
    kept = {name: run.summary.get(name) for name in (STEP, *names)} if later else {}
    for point in points:
        run.log({STEP: point.step, **point.values})
    run.summary.update({name: value for name, value in kept.items() if value is not None})
