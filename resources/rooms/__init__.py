"""Rooms whose truth is exact: furnished by a seed, filmed in MuJoCo, asked about as VSI-Bench asks about real ones.

`layout` makes the scene graph, `walk` the camera's way, `film` the video with depth and segmentation, `questions` the
questions, `oracle` and `chance` the baselines, `write` the folder that the task `spatial_rooms` reads.
"""


class RoomsError(ValueError):
    """Rooms cannot be made as asked; the message says what to do."""
