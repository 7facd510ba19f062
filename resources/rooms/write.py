"""A folder of rooms as VSI-Bench publishes its own, which the task `spatial_rooms` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resources.rooms import RoomsError
from resources.rooms.baselines import answer_at_random, guess_levels, seen_at_a_glance
from resources.rooms.layout import LEVELS, Crowded, furnish
from resources.rooms.oracle import answer
from resources.rooms.questions import ask
from resources.rooms.scene import Scene
from resources.rooms.walk import walk

DATASET = "rooms"  # the folder of the videos
_MOST_PIXELS = 1920 * 1080


@dataclass(frozen=True)
class Plan:
    """rooms: of each level. each: questions of a type in a room, at most. size: width, height in pixels."""

    seed: int = 0
    levels: tuple[int, ...] = tuple(LEVELS)
    rooms: int = 5
    each: int = 2
    size: tuple[int, int] = (640, 480)
    fps: int = 8

    def __post_init__(self) -> None:
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise RoomsError(
                f"levels are {min(LEVELS)} to {max(LEVELS)}, not {', '.join(map(str, self.levels)) or 'none'}"
            )
        for name, value, low, high in (
            ("rooms", self.rooms, 1, 1000), ("questions", self.each, 1, 20), ("fps", self.fps, 2, 60),
        ):  # fmt: skip
            if not low <= value <= high:
                raise RoomsError(f"{name}: expected {low} to {high}, found {value}")
        width, height = self.size
        if width % 2 or height % 2 or min(self.size) < 64 or width * height > _MOST_PIXELS:
            raise RoomsError(f"size: expected even numbers from 64 on, 1920x1080 at most, found {width}x{height}")

    @property
    def fixed(self) -> dict[str, Any]:
        """What all rooms of a folder share."""
        return {"seed": self.seed, "size": list(self.size), "fps": self.fps}


def make_rooms(folder: Path, plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Films the rooms that are not there yet and writes the questions of all. Returns the rows.

    A room that is there is kept: what was cut off goes on, more rooms or levels can be added. Raises RoomsError, also
    for a folder that was made with another seed, size or rate.
    """
    _claim(folder, plan)
    scenes = []
    for level in plan.levels:
        for number in range(plan.rooms):
            name = f"level{level}_{number:03d}"
            file = folder / "scenes" / f"{name}.json"
            if not file.is_file():
                _film(folder, file, plan, level, name)
                say(f"{name}: filmed")
            scenes.append(Scene.from_json(json.loads(file.read_text(encoding="utf-8"))["scene"]))
    rows = [row for scene in scenes for row in rows_of(scene, plan)]
    levels = guess_levels(rows)
    rows = [{**row, "chance": round(level, 6)} for row, level in zip(rows, levels, strict=True)]
    _write_baselines(folder / "answers", rows, {scene.name: scene for scene in scenes}, f"{plan.seed}/random")
    _write_lines(folder / "test.jsonl", rows)
    return rows


def make_scene(name: str, level: int, fps: int, seed: str) -> Scene:
    """A furnished room with a way through it, the same for equal seeds."""
    attempt = 0
    while True:
        scene = furnish(name, level, f"{seed}/{attempt}")
        try:
            return replace(scene, fps=fps, walk=walk(scene, fps, f"{seed}/{attempt}/walk"))
        except Crowded:
            attempt += 1


def _claim(folder: Path, plan: Plan) -> None:
    """The folder's own settings, written first of all."""
    file = folder / "rooms.json"
    try:
        if not file.exists():
            if folder.exists() and any(folder.iterdir()):
                raise RoomsError(f"{folder} holds something else: name a new folder")
            _write(file, json.dumps(plan.fixed).encode())
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if isinstance(error, RoomsError):
            raise
        raise RoomsError(f"{folder} cannot be used: {error}") from error
    if found != plan.fixed:
        shown = ", ".join(f"{key} {found.get(key)}" for key, value in plan.fixed.items() if found.get(key) != value)
        raise RoomsError(f"{folder} was made with {shown}: ask for the same, or name a new folder")


def _film(folder: Path, file: Path, plan: Plan, level: int, name: str) -> None:
    import numpy as np

    from resources.rooms.film import make_film, with_sightings

    scene = make_scene(name, level, plan.fps, f"{plan.seed}/{name}")
    film = make_film(scene, plan.size)
    _write(folder / DATASET / f"{name}.mp4", film.video)
    diagnosis = folder / "diagnosis" / f"{name}.npz"
    diagnosis.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(diagnosis, depth=film.depth, labels=film.labels, pixels=film.pixels.astype(np.int32))
    # Last: a scene that is there is a room that is whole.
    told = {"scene": with_sightings(scene, film).to_json(), "made_with": film.renderer}
    _write(file, json.dumps(told, ensure_ascii=False).encode())


def rows_of(scene: Scene, plan: Plan) -> Iterable[dict[str, Any]]:
    """The questions about a filmed scene, as VSI-Bench's rows with what makes them hard beside."""
    about = {
        "difficulty": scene.difficulty, "things": len(scene.things), "screens": len(scene.screens),
        "path_m": round(scene.path_length, 1), "seconds": round(len(scene.walk) / scene.fps, 1),
    }  # fmt: skip
    for number, q in enumerate(ask(scene, plan.each, f"{plan.seed}/{scene.name}/questions")):
        letters = "ABCD"[: len(q.options)]
        yield {
            "id": f"{scene.name}-{number:02d}", "dataset": DATASET, "scene_name": scene.name, "question_type": q.kind,
            "question": q.text, "options": [f"{x}. {o}" for x, o in zip(letters, q.options, strict=True)] or None,
            "ground_truth": letters[q.options.index(q.truth)] if q.options else q.truth, **about,
        }  # fmt: skip


def _write_baselines(folder: Path, rows: list[dict[str, Any]], scenes: dict[str, Scene], seed: str) -> None:
    """Answers of one who knows the room, of one who guesses, and of one who knows what a glance shows."""
    right = [answer(scenes[row["scene_name"]], row["question"], row["options"]) for row in rows]
    guessed = list(answer_at_random(rows, seed))
    known = [seen_at_a_glance(scenes[row["scene_name"]], row["question"]) for row in rows]
    glance = [a if there else b for a, b, there in zip(right, guessed, known, strict=True)]
    for name, answers in (("oracle", right), ("random", guessed), ("glance", glance)):
        lines = ({"id": row["id"], "text": text} for row, text in zip(rows, answers, strict=True))
        _write_lines(folder / f"{name}.jsonl", lines)


def _write_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    _write(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_bytes(data)
    os.replace(part, file)
