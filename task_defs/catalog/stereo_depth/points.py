"""Questions about depth on a real photograph, whose truth is the disparity that was measured with it."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from judges import TextJudge, get_judge
from task_defs.sources.locate import how_to_get

# Of the pair as scikit-image has it, a quarter of Middlebury's resolution (skimage.data.stereo_motorcycle).
FOCAL, BASELINE, OFFSET = 994.978, 0.193001, 31.086  # pixels, metres, pixels between the principal points
GAPS = (10, 20, 40)  # per cent by which the farther point is farther: from here to the next
EACH = 12  # pairs of a gap
DEPTHS = 24
_MARGIN, _STEP, _WINDOW = 30, 11, 4  # pixels: from the border, between candidates, around a point
_APART = 80  # pixels between the two points of a pair
_FLAT = 0.03  # how much disparity may change inside the window, as a share

Disparity = npt.NDArray[np.float32]


class Spot(NamedTuple):
    """A pixel, and how far away it is along the camera's axis, metres."""

    row: int
    column: int
    depth: float


def depth_of(disparity: float) -> float:
    """Metres along the axis of the left camera: focal length x baseline / (disparity + offset)."""
    return FOCAL * BASELINE / (disparity + OFFSET)


def spots(disparity: Disparity) -> list[Spot]:
    """Pixels whose surroundings have one known depth, in a fixed mixed order: no point lies at an edge."""
    found = []
    rows, columns = (range(_MARGIN, side - _MARGIN, _STEP) for side in disparity.shape)
    for row, column in product(rows, columns):
        around = disparity[row - _WINDOW : row + _WINDOW + 1, column - _WINDOW : column + _WINDOW + 1]
        if np.isfinite(around).all() and np.ptp(around) <= _FLAT * around.min():
            found.append(Spot(row, column, depth_of(float(disparity[row, column]))))
    return sorted(found, key=lambda spot: _mixed(f"{spot.row}/{spot.column}"))


def pairs(found: list[Spot]) -> Iterator[tuple[int, Spot, Spot]]:
    """(gap, nearer, farther), no point twice. In half of a gap's pairs the nearer point is the lower one in the
    picture: who only looks at that is right as often as a coin."""
    wanted = {(gap, lower): EACH // 2 for gap in GAPS for lower in (True, False)}
    used: set[Spot] = set()
    for one, other in combinations(found, 2):
        if not any(wanted.values()):
            return
        near, far = sorted((one, other), key=lambda spot: spot.depth)
        percent = 100 * (far.depth / near.depth - 1)
        gap = max((g for g in GAPS if percent >= g), default=None)
        separate = abs(near.row - far.row) >= 20 and np.hypot(near.row - far.row, near.column - far.column) >= _APART
        if gap is None or not separate or {near, far} & used or not wanted[gap, near.row > far.row]:
            continue
        wanted[gap, near.row > far.row] -= 1
        used |= {near, far}
        yield gap, near, far


def spread(found: list[Spot]) -> list[Spot]:
    """By turns from each 0.4 m of depth, so that not nearly all lie on the motorcycle."""
    so_far: Counter[int] = Counter()
    turns = []
    for spot in found:
        layer = int(spot.depth / 0.4)
        turns.append(so_far[layer])
        so_far[layer] += 1
    return [found[i] for i in sorted(range(len(found)), key=turns.__getitem__)]


def docs(root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """All questions; each has a picture of its own with the points marked. Raises FileNotFoundError."""
    from PIL import Image

    names = ("motorcycle_left.png", "motorcycle_disp.npz")
    if missing := [name for name in names if not (root / name).is_file()]:
        raise FileNotFoundError(f"{', '.join(missing)} not found in {root}{how_to_get(task)}")
    with Image.open(root / names[0]) as file:
        photograph = file.convert("RGB")
    with np.load(root / names[1], allow_pickle=False) as file:
        disparity = file["arr_0"]
    found = spots(disparity)
    paired = list(pairs(found))
    taken = {spot for _, *two in paired for spot in two}
    alone = spread([spot for spot in found if spot not in taken])[:DEPTHS]
    for number, (gap, near, far) in enumerate(paired):
        a, b = (near, far) if number % 2 else (far, near)
        yield {
            "id": f"nearer-{number:02d}", "kind": "nearer", "gap": gap,
            "question": "Two points are marked in the picture, A and B. Which of them is nearer to the camera?",
            "options": ["A. the point A", "B. the point B"], "answer": "A" if a is near else "B", "chance": 0.5,
            "depths_m": [round(a.depth, 3), round(b.depth, 3)],
            "image": {"bytes": _marked(photograph, {"A": a, "B": b})},
        }  # fmt: skip
    labels = [f"{spot.depth:.2f}" for spot in alone]
    for number, (spot, label) in enumerate(zip(alone, labels, strict=True)):
        yield {
            "id": f"depth-{number:02d}", "kind": "depth", "gap": None,
            "question": "A point is marked in the picture, A. How far from the camera is it, measured along the "
            "camera's viewing direction (in meters)?",
            "options": None, "answer": label, "chance": _guess(label, labels), "depths_m": [round(spot.depth, 3)],
            "image": {"bytes": _marked(photograph, {"A": spot})},
        }  # fmt: skip


def _guess(label: str, labels: list[str]) -> float:
    """What one scores who says the depth of any of the points."""
    judge, item = get_judge("mra"), {"target": label, "choices": None}
    assert isinstance(judge, TextJudge)
    scores = [judge.judge(item, other).score for other in labels]
    return round(sum(score for score in scores if score is not None) / len(labels), 6)


def _marked(photograph: Any, points: dict[str, Spot]) -> bytes:
    """A JPEG with a ring around each point and its letter beside it."""
    from PIL import ImageDraw, ImageFont

    picture = photograph.copy()
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=22)
    for letter, spot in points.items():
        x, y = spot.column, spot.row
        for radius, colour in ((9, "black"), (8, "yellow"), (6, "black")):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
        pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill="yellow")
        pen.text((x + 12, y - 14), letter, fill="yellow", font=font, stroke_width=2, stroke_fill="black")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _mixed(key: str) -> str:
    """Sorts at random, and the same everywhere."""
    return hashlib.sha256(f"stereo/{key}".encode()).hexdigest()
