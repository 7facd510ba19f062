"""Pictures of two real handwritten digits each, with questions about them.

The scans are split once, by a hash of their row number, into 1200 to train on and 597 to test on:
no scan is in both. The test pictures use each test scan at most once, so that pictures share
nothing and are independent clusters of questions.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TRAIN_SCANS = 1200
TEST_PICTURES = 80
ZOOM = 3  # an 8 x 8 scan is drawn as 24 x 24 pixels
SIDE = 48  # pixels of the square canvas

QUESTIONS = {
    "left": "Which digit is on the left?",
    "right": "Which digit is on the right?",
    "even": "How many digits are even?",
    "larger": "What is the larger digit?",
    "parity": "Are both digits even or both odd?",
    "sum": "What is the sum of the digits?",
}

Pixels = npt.NDArray[np.uint8]


def answer(kind: str, left: int, right: int) -> str:
    """The right answer to ``QUESTIONS[kind]`` on a picture of these two digits."""
    match kind:
        case "left":
            return str(left)
        case "right":
            return str(right)
        case "even":
            return str((left % 2 == 0) + (right % 2 == 0))
        case "larger":
            return str(max(left, right))
        case "parity":
            return "yes" if left % 2 == right % 2 else "no"
        case "sum":
            return str(left + right)
    raise ValueError(f"no question of kind {kind!r}: one of {', '.join(QUESTIONS)}")


def scans() -> tuple[Pixels, npt.NDArray[np.int64]]:
    """All scans: ink 0..16 as [1797, 8, 8] and labels [1797], from the file beside this one."""
    with gzip.open(Path(__file__).with_name("digits.csv.gz"), "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.int64)
    return rows[:, :64].reshape(-1, 8, 8).astype(np.uint8), rows[:, 64]


def split(count: int) -> tuple[list[int], list[int]]:
    """Row numbers of the training scans and of the test scans, each in a fixed shuffled order.

    Ordered by SHA-256 and not by a random generator, whose streams may change between versions.
    """
    order = sorted(range(count), key=lambda row: hashlib.sha256(f"digits/{row}".encode()).digest())
    return order[:TRAIN_SCANS], order[TRAIN_SCANS:]


def picture(left: Pixels, right: Pixels, *, left_low: bool, right_low: bool) -> Pixels:
    """Grey levels [48, 48] of two scans side by side, each in the upper or the lower half."""
    canvas = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    half = 8 * ZOOM
    for column, (scan, low) in enumerate(((left, left_low), (right, right_low))):
        ink = np.kron(scan, np.ones((ZOOM, ZOOM), dtype=np.uint8))
        grey = np.clip(255 - ink.astype(np.int64) * 16, 0, 255).astype(np.uint8)
        canvas[half * low : half * (low + 1), half * column : half * (column + 1)] = grey
    return canvas


def png(pixels: Pixels) -> bytes:
    """A greyscale PNG; the same pixels give the same bytes with the same Pillow and zlib."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def docs(root: Path, task: object) -> Iterator[dict[str, Any]]:
    """The test questions, six to a picture: documents of the task in ``digits.yaml``."""
    images, labels = scans()
    _, test = split(len(images))
    for number in range(TEST_PICTURES):
        left, right = test[2 * number], test[2 * number + 1]
        places = hashlib.sha256(f"places/{number}".encode()).digest()[0]
        canvas = picture(images[left], images[right], left_low=bool(places & 1), right_low=bool(places & 2))
        data = png(canvas)
        for kind, question in QUESTIONS.items():
            yield {
                "id": f"{number:03d}-{kind}",
                "picture_id": f"{number:03d}",
                "image": {"bytes": data},
                "question": question,
                "answer": answer(kind, int(labels[left]), int(labels[right])),
                "kind": kind,
                "scans": [left, right],
            }
