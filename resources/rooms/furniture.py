"""Kinds of furniture as boxes, so that the box around a thing is also its outermost shape."""

from __future__ import annotations

from typing import NamedTuple

from resources.rooms.draw import Draw

COLOURS = {
    "red": (0.80, 0.10, 0.10), "orange": (0.95, 0.50, 0.05), "yellow": (0.95, 0.85, 0.10), "green": (0.10, 0.55, 0.15),
    "blue": (0.10, 0.25, 0.80), "purple": (0.50, 0.15, 0.65), "pink": (0.95, 0.55, 0.75), "black": (0.10, 0.10, 0.12),
}  # fmt: skip
_RANGES = {  # width, depth and height from .. to, metres
    "table": ((0.9, 1.6), (0.7, 0.95), (0.70, 0.78)),
    "chair": ((0.42, 0.5), (0.42, 0.5), (0.85, 0.95)),
    "sofa": ((1.5, 2.2), (0.8, 0.95), (0.75, 0.85)),
    "bed": ((1.9, 2.1), (1.0, 1.6), (0.85, 1.0)),
    "bookshelf": ((0.7, 1.1), (0.3, 0.36), (1.6, 2.0)),
    "refrigerator": ((0.6, 0.7), (0.6, 0.7), (1.6, 1.9)),
    "lamp": ((0.36, 0.44), (0.36, 0.44), (1.4, 1.7)),
    "stool": ((0.36, 0.42), (0.36, 0.42), (0.48, 0.6)),
    "crate": ((0.4, 0.7), (0.4, 0.6), (0.35, 0.55)),
    "television": ((1.0, 1.4), (0.26, 0.32), (0.9, 1.1)),
}  # fmt: skip
KINDS = tuple(_RANGES)
SMALL = ("chair", "stool", "crate", "lamp")  # of which there may be several


class Part(NamedTuple):
    """A box: centre and half sizes as shares of the thing's own size, and how bright its colour is (None: grey)."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    bright: float | None = 1.0


def size_of(kind: str, draw: Draw) -> tuple[float, float, float]:
    """Width, depth, height, in whole centimetres."""
    width, depth, height = (round(draw.between(*ends), 2) for ends in _RANGES[kind])
    return width, depth, height


def _legs(top: float, thick: float = 0.06, bright: float = 0.6) -> list[Part]:
    at = 0.5 - thick
    return [Part((x * at, y * at, top / 2), (thick, thick, top / 2), bright) for x in (-1, 1) for y in (-1, 1)]


def parts_of(kind: str) -> list[Part]:
    """The boxes of a kind; x and y from -0.5 to 0.5, z from 0 to 1. Its back is at y = 0.5."""
    whole = Part((0, 0, 0.5), (0.5, 0.5, 0.5))
    match kind:
        case "table":
            return [Part((0, 0, 0.95), (0.5, 0.5, 0.05)), *_legs(0.9, 0.035)]
        case "chair":
            return [Part((0, 0, 0.48), (0.5, 0.5, 0.035)), Part((0, 0.46, 0.74), (0.5, 0.04, 0.26)), *_legs(0.45)]
        case "stool":
            return [Part((0, 0, 0.94), (0.5, 0.5, 0.06)), *_legs(0.88, 0.07)]
        case "sofa":
            arms = [Part((side * 0.45, 0, 0.35), (0.05, 0.5, 0.35), 0.85) for side in (-1, 1)]
            return [Part((0, -0.03, 0.27), (0.4, 0.47, 0.27)), Part((0, 0.4, 0.5), (0.5, 0.1, 0.5), 0.9), *arms]
        case "bed":
            pillow = Part((-0.36, 0, 0.56), (0.08, 0.34, 0.05), None)
            return [Part((0, 0, 0.25), (0.5, 0.5, 0.25)), Part((-0.48, 0, 0.5), (0.02, 0.5, 0.5), 0.7), pillow]
        case "bookshelf":
            shelves = [Part((0, 0, z), (0.46, 0.49, 0.012), 0.8) for z in (0.03, 0.26, 0.5, 0.74)]
            books = [Part((-0.1, 0.1, z), (0.3, 0.3, 0.07), None) for z in (0.34, 0.58, 0.82)]
            sides = [Part((side * 0.48, 0, 0.5), (0.02, 0.5, 0.5)) for side in (-1, 1)]
            return [*sides, Part((0, 0.48, 0.5), (0.5, 0.02, 0.5), 0.7), Part((0, 0, 0.985), (0.5, 0.5, 0.015)),
                    *shelves, *books]  # fmt: skip
        case "refrigerator":
            body = Part((0, 0.02, 0.5), (0.5, 0.48, 0.5))
            doors = [Part((0, -0.48, 0.32), (0.48, 0.02, 0.3), 0.9), Part((0, -0.48, 0.82), (0.48, 0.02, 0.17), 0.9)]
            return [body, *doors, Part((0.36, -0.49, 0.5), (0.03, 0.01, 0.1), None)]
        case "lamp":
            return [Part((0, 0, 0.015), (0.4, 0.4, 0.015), 0.6), Part((0, 0, 0.4), (0.05, 0.05, 0.4), None),
                    Part((0, 0, 0.86), (0.5, 0.5, 0.14))]  # fmt: skip
        case "television":
            screen = Part((0, -0.22, 0.66), (0.46, 0.01, 0.28), None)
            return [Part((0, 0, 0.66), (0.5, 0.2, 0.34)), screen, Part((0, 0, 0.16), (0.1, 0.2, 0.16), 0.6),
                    Part((0, 0, 0.015), (0.4, 0.5, 0.015), 0.6)]  # fmt: skip
    return [whole]
