"""TensorBoard: one new event file a push, in a folder of the series' own."""

from __future__ import annotations

import os
from collections.abc import Sequence

from eval_assets.trackers.points import Point, safe
from eval_assets.trackers.settings import TensorBoard


def push_tensorboard(settings: TensorBoard, points: Sequence[Point]) -> str:
    """Append scalars; a checkpoint without a step stands at 0. Returns the folder.

    TensorBoard's own writer: tensorboardX loads torch where there is one (2 s), and loses events without a
    word when the disk is full; this one raises.
    """
    from tensorboard.summary import Writer

    # Not a Path: TensorBoard takes URLs as well, and a Path would make one slash of their two.
    folder = f"{os.path.expanduser(settings.logdir).rstrip('/')}/{safe(points[0].series)}/eval"
    writer = Writer(folder)
    for point in points:
        for name, value in point.values.items():
            writer.add_scalar(name, value, step=point.step or 0)
    writer.close()
    return folder
