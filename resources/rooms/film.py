"""A room in MuJoCo, filmed off-screen on the CPU: pictures, depth, and which pixel is of which thing."""

from __future__ import annotations

import ctypes.util
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from resources.rooms import RoomsError
from resources.rooms.furniture import COLOURS, parts_of
from resources.rooms.scene import Scene, Thing
from resources.rooms.walk import EYES, PITCH

if TYPE_CHECKING:
    import numpy as np

SEEN = 0.0025  # share of a frame's pixels from which on a thing counts as seen
FOV = 60  # degrees, vertical
_WALL, _HEIGHT = 0.1, 2.7
_GREY = (0.82, 0.82, 0.80)
_INSTALL = (
    "no off-screen OpenGL was found: apt-get install libosmesa6 (software), or libegl1 with a driver; "
    "MUJOCO_GL=osmesa or egl chooses"
)


@dataclass
class Film:
    """pixels: (frames, things) of each thing in each frame. depth: (n, H, W) millimetres along the axis, uint16, and
    labels: (n, H, W) number of the thing + 1 or 0, uint8, of every `fps`-th frame. renderer: what drew it.
    """

    video: bytes
    pixels: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    renderer: dict[str, str] = field(default_factory=dict)


def make_film(scene: Scene, size: tuple[int, int]) -> Film:
    """Films the scene along its walk. size: width, height in pixels. Raises RoomsError without MuJoCo or OpenGL."""
    import numpy as np

    mujoco = _mujoco()
    model = mujoco.MjModel.from_xml_string(model_xml(scene, size))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    owner = _owners(mujoco, model)
    pixels = np.zeros((len(scene.walk), len(scene.things)), np.int64)
    kept = range(0, len(scene.walk), scene.fps)
    depth = np.zeros((len(kept), size[1], size[0]), np.uint16)
    labels = np.zeros((len(kept), size[1], size[0]), np.uint8)
    with _renderer(mujoco, model, size) as renderer:
        made_with = {**_drawn_by(), "mujoco": mujoco.__version__}
        video = encode((_shot(mujoco, renderer, data, pose) for pose in scene.walk), scene.fps, size)
        renderer.enable_segmentation_rendering()
        for number, pose in enumerate(scene.walk):
            found = owner[_shot(mujoco, renderer, data, pose)[..., 0]]
            pixels[number] = np.bincount(found.ravel(), minlength=len(scene.things) + 1)[1:]
            if number % scene.fps == 0:
                labels[number // scene.fps] = found
        renderer.disable_segmentation_rendering()
        renderer.enable_depth_rendering()
        for at, number in enumerate(kept):
            metres = _shot(mujoco, renderer, data, scene.walk[number])
            depth[at] = np.clip(np.round(metres * 1000), 0, 65535)
    return Film(video, pixels, depth, labels, made_with)


def with_sightings(scene: Scene, film: Film) -> Scene:
    """The scene with each thing's `first_seen`."""
    import numpy as np

    enough = film.pixels >= SEEN * film.labels[0].size
    when = [int(np.argmax(column)) / scene.fps if column.any() else None for column in enough.T]
    things = tuple(replace(thing, first_seen=t) for thing, t in zip(scene.things, when, strict=True))
    return replace(scene, things=things)


def model_xml(scene: Scene, size: tuple[int, int]) -> str:
    """The room as MuJoCo reads it. A geom is named by the number of its thing; walls and screens have no name."""
    geoms = [_floor(scene), *_walls(scene)]
    geoms += [_box(f"{number}_{part}", geom) for number, thing in enumerate(scene.things)
              for part, geom in enumerate(_thing(thing))]  # fmt: skip
    geoms += [_box("", geom) for screen in scene.screens for geom in _thing(screen)]
    visual = (
        f'<global offwidth="{size[0]}" offheight="{size[1]}" fovy="{FOV}"/><quality shadowsize="0" offsamples="4"/>'
        '<headlight ambient="0.42 0.42 0.42" diffuse="0.45 0.45 0.45" specular="0 0 0"/><map znear="0.01" zfar="50"/>'
    )
    wood = ('<texture name="wood" type="2d" builtin="checker" rgb1="0.62 0.48 0.34" rgb2="0.57 0.44 0.31" width="64" '
            'height="64"/><material name="wood" texture="wood" texrepeat="1 1" texuniform="true"/>')  # fmt: skip
    light = f'<light pos="{scene.width / 2} {scene.depth / 2} 2.6" diffuse="0.25 0.25 0.25" specular="0 0 0"/>'
    return (
        f'<mujoco><statistic extent="1"/><visual>{visual}</visual><asset>{wood}</asset>'
        f"<worldbody>{light}{''.join(geoms)}</worldbody></mujoco>"
    )


@dataclass(frozen=True)
class _Geom:
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float
    rgb: tuple[float, float, float]


def _thing(thing: Thing) -> Iterator[_Geom]:
    base = COLOURS.get(thing.name.split(" ")[0], _GREY)
    cos, sin = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    for part in parts_of(thing.kind):
        a, b, z = (share * whole for share, whole in zip(part.centre, thing.size, strict=True))
        half = tuple(share * whole for share, whole in zip(part.half, thing.size, strict=True))
        rgb = (0.75, 0.75, 0.72) if part.bright is None else tuple(part.bright * c for c in base)
        yield _Geom((thing.x + a * cos - b * sin, thing.y + a * sin + b * cos, z), half, thing.yaw, rgb)  # type: ignore[arg-type]


def _box(name: str, geom: _Geom) -> str:
    named = f'name="{name}" ' if name else ""
    return (
        f'<geom {named}type="box" pos="{_row(geom.centre)}" size="{_row(geom.half)}" euler="0 0 {geom.yaw}" '
        f'rgba="{_row(geom.rgb)} 1"/>'
    )


def _row(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _floor(scene: Scene) -> str:
    w, d = scene.width / 2, scene.depth / 2
    return f'<geom type="box" pos="{w} {d} -0.05" size="{w} {d} 0.05" material="wood"/>'


def _walls(scene: Scene) -> Iterator[str]:
    """Four walls, each of another tint, and the ceiling."""
    w, d, z = scene.width / 2, scene.depth / 2, _HEIGHT / 2
    half = _WALL / 2
    for x, y, a, b, rgb in (
        (w, -half, w, half, (0.80, 0.78, 0.72)), (w, 2 * d + half, w, half, (0.72, 0.77, 0.80)),
        (-half, d, half, d, (0.76, 0.80, 0.72)), (2 * w + half, d, half, d, (0.80, 0.74, 0.76)),
    ):  # fmt: skip
        yield _box("", _Geom((x, y, z), (a, b, z), 0, rgb))
    yield _box("", _Geom((w, d, _HEIGHT + half), (w, d, half), 0, (0.9, 0.9, 0.88)))


def _owners(mujoco: Any, model: Any) -> np.ndarray:
    """Geom's number -> number of its thing + 1; 0 for all else, and for the last entry, which is no geom (-1)."""
    import numpy as np

    names = [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM, i) or "" for i in range(model.ngeom)]
    return np.array([*(int(name.split("_")[0]) + 1 if name else 0 for name in names), 0], np.uint8)


def _shot(mujoco: Any, renderer: Any, data: Any, pose: tuple[float, float, float]) -> np.ndarray:
    x, y, heading = pose
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.azimuth, camera.elevation, camera.distance = heading, -PITCH, 1.0
    camera.lookat[:] = [x + ahead(heading)[0], y + ahead(heading)[1], EYES - math.sin(math.radians(PITCH))]
    renderer.update_scene(data, camera)
    return renderer.render()  # type: ignore[no-any-return]


def ahead(heading: float) -> tuple[float, float]:
    """What the camera's axis, one metre long, covers of the floor."""
    flat = math.cos(math.radians(PITCH))
    return flat * math.cos(math.radians(heading)), flat * math.sin(math.radians(heading))


def encode(frames: Iterator[np.ndarray], fps: int, size: tuple[int, int]) -> bytes:
    """H.264 in MP4. One thread and no mark of the encoder, so that the same frames give the same bytes."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", container_options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "medium", "flags": "+bitexact"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = 2 * fps
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return buffer.getvalue()


def _mujoco() -> Any:
    if not os.environ.get("MUJOCO_GL"):
        found = next(
            (gl for gl, library in (("osmesa", "OSMesa"), ("egl", "EGL")) if ctypes.util.find_library(library)), ""
        )
        if not found:
            raise RoomsError(_INSTALL)
        os.environ["MUJOCO_GL"] = found  # read once, when mujoco is imported
    try:
        import av  # noqa: F401
        import mujoco
    except ModuleNotFoundError as error:
        raise RoomsError(f"{error.name} is not installed: pip install 'eval-assets[spatial]'") from error
    except Exception as error:  # what OpenGL's bindings raise has many types
        raise RoomsError(f"{_INSTALL} ({type(error).__name__}: {error})") from error
    return mujoco


@contextmanager
def _renderer(mujoco: Any, model: Any, size: tuple[int, int]) -> Iterator[Any]:
    try:
        renderer = mujoco.Renderer(model, height=size[1], width=size[0])
    except Exception as error:
        raise RoomsError(f"{_INSTALL} ({type(error).__name__}: {error})") from error
    with renderer:
        yield renderer


def _drawn_by() -> dict[str, str]:
    """What the pictures' bytes depend on beside the scene."""
    import av
    from OpenGL import GL

    driver = {"renderer": GL.glGetString(GL.GL_RENDERER), "opengl": GL.glGetString(GL.GL_VERSION)}
    x264 = {"av": av.__version__, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}
    return {**{name: (value or b"").decode() for name, value in driver.items()}, **x264}
