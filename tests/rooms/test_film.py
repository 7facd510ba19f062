"""What is seen agrees with the scene graph: the film is the truth's other half."""

from __future__ import annotations

import io
import math
from itertools import combinations

import numpy as np
import pytest

from resources.rooms.film import FOV, SEEN, make_film, model_xml
from resources.rooms.scene import gap
from resources.rooms.walk import EYES, PITCH
from tests.rooms.conftest import SIZE

FOCAL = SIZE[1] / 2 / math.tan(math.radians(FOV / 2))
TILT = math.radians(PITCH)


def test_a_thing_is_where_the_camera_should_see_it(filmed):
    """The centre of a solid thing, projected by hand, falls on its pixels, or on something that is nearer."""
    on_it = 0
    for scene, film in filmed:
        for at, labels in enumerate(film.labels):
            x, y, heading = scene.walk[at * scene.fps]
            cos, sin = math.cos(math.radians(heading)), math.sin(math.radians(heading))
            for number, thing in enumerate(scene.things):
                dx, dy, dz = thing.x - x, thing.y - y, thing.size[2] / 4 - EYES
                ahead, left = dx * cos + dy * sin, dy * cos - dx * sin
                forward, up = ahead * math.cos(TILT) - dz * math.sin(TILT), ahead * math.sin(TILT) + dz * math.cos(TILT)
                if thing.kind not in ("crate", "refrigerator", "sofa", "bed") or forward < 0.5:
                    continue
                column, row = int(SIZE[0] / 2 - FOCAL * left / forward), int(SIZE[1] / 2 - FOCAL * up / forward)
                if 0 <= column < SIZE[0] and 0 <= row < SIZE[1]:
                    on_it += labels[row, column] == number + 1
                    assert film.depth[at][row, column] / 1000 < forward, (thing, at)
                    assert labels[row, column] == number + 1 or film.depth[at][row, column] / 1000 < forward - 0.1
    assert on_it > 20


def test_depth_is_metric(filmed):
    """The floor below the picture's centre line is as far as the camera's height and pitch say."""
    checked = 0
    for scene, film in filmed:
        for at in range(len(film.depth)):
            x, y, heading = scene.walk[at * scene.fps]
            for row in range(SIZE[1] // 2, SIZE[1], 10):
                down = TILT + math.atan((row + 0.5 - SIZE[1] / 2) / FOCAL)
                away = EYES / math.tan(down)
                spot = x + away * math.cos(math.radians(heading)), y + away * math.sin(math.radians(heading))
                free = film.labels[at][row, SIZE[0] // 2 - 1 : SIZE[0] // 2 + 1].max() == 0
                inside = 0.2 < spot[0] < scene.width - 0.2 and 0.2 < spot[1] < scene.depth - 0.2
                if not (free and inside and not scene.screens):
                    continue
                wanted = EYES / math.sin(down) * math.cos(down - TILT)
                checked += 1
                assert film.depth[at][row, SIZE[0] // 2] / 1000 == pytest.approx(wanted, rel=0.02)
    assert checked > 10


def test_as_many_things_are_seen_as_the_scene_says(filmed):
    for scene, film in filmed:
        seen = film.pixels.max(axis=0) >= SEEN * SIZE[0] * SIZE[1]
        assert [t.first_seen is not None for t in scene.things] == list(seen)
        assert seen.mean() > 0.8, "the camera looks around"
        for at, labels in enumerate(film.labels):
            counted = np.bincount(labels.ravel(), minlength=len(scene.things) + 1)[1:]
            assert (counted == film.pixels[at * scene.fps]).all()


def test_the_order_of_appearance_is_that_of_the_frames(filmed):
    for scene, film in filmed:
        least = SEEN * SIZE[0] * SIZE[1]
        for number, thing in enumerate(scene.things):
            frames = [frame for frame in range(len(scene.walk)) if film.pixels[frame, number] >= least]
            assert thing.first_seen == (frames[0] / scene.fps if frames else None)


def test_the_video_shows_what_was_labelled(filmed):
    """Each thing is drawn in its colour: by the hue of its pixels in the decoded video."""
    import av

    strong, plain = {"red": 0, "green": 1, "blue": 2}, ("crate", "sofa", "bed", "stool", "chair")
    checked = 0
    for scene, film in filmed:
        with av.open(io.BytesIO(film.video)) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert len(frames) == len(scene.walk)
        for at, labels in enumerate(film.labels):
            for number, thing in enumerate(scene.things):
                channel = strong.get(thing.name.split()[0])
                pixels = frames[at * scene.fps][labels == number + 1]
                if channel is not None and len(pixels) > 600 and thing.kind in plain:
                    checked += 1
                    assert pixels.mean(axis=0).argmax() == channel, (thing, at)
    assert checked > 5


def test_distances_are_those_of_mujoco_where_a_thing_is_one_box(filmed):
    import mujoco

    checked = 0
    for scene, _ in filmed:
        model = mujoco.MjModel.from_xml_string(model_xml(scene, SIZE))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        whole = [i for i, thing in enumerate(scene.things) if thing.kind == "crate"]
        for a, b in combinations(whole, 2):
            ids = [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, f"{i}_0") for i in (a, b)]
            found = mujoco.mj_geomDistance(model, data, *ids, 20.0, None)
            checked += 1
            assert found == pytest.approx(gap([scene.things[a]], [scene.things[b]]), abs=2e-3)
    assert checked


def test_the_same_scene_is_the_same_film_to_the_byte(filmed):
    scene, film = filmed[0]
    again = make_film(scene, SIZE)
    assert again.video == film.video
    assert (again.depth == film.depth).all()
    assert (again.labels == film.labels).all()
