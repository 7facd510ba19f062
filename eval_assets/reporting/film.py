"""An episode as a moving picture: what was seen, the action under it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

MOST = 60  # frames of a film that stands in a page; of a longer episode, evenly chosen ones
_SIDE, _LINE, _MARGIN = 320, 22, 8
_PAUSE, _END = 500, 2000  # milliseconds of a frame, and of the last one
_INK, _SOFT, _PAPER, _GOOD, _BAD = "#222222", "#5f6670", "#ffffff", "#00704f", "#b34f00"


@dataclass(frozen=True)
class Frame:
    """picture: the bytes of an image. action: None where the answer held none. reward: None where there is none."""

    picture: bytes
    number: int
    action: str | None
    reward: float | None = None


def film(frames: Sequence[Frame], end: str, *, good: bool, most: int | None = None) -> bytes:
    """A GIF that plays once through and begins again. end: how the episode ended, said under the last frame.

    Raises ValueError without frames.
    """
    if not frames:
        raise ValueError("no step of this episode shows a picture")
    total, shown = frames[-1].number, _evenly(list(frames), most)
    drawn = [_draw(frame, total, None) for frame in shown[:-1]]
    drawn.append(_draw(shown[-1], total, (end, _GOOD if good else _BAD)))
    times = [_PAUSE] * (len(drawn) - 1) + [_END]
    out = io.BytesIO()
    drawn[0].save(out, "GIF", save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True)
    return out.getvalue()


def _evenly(frames: list[Frame], most: int | None) -> list[Frame]:
    if most is None or len(frames) <= most:
        return frames
    return [frames[round(i * (len(frames) - 1) / (most - 1))] for i in range(most)]


def _draw(frame: Frame, total: int, end: tuple[str, str] | None) -> Image.Image:
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(frame.picture)) as opened:
        picture = _scaled(opened.convert("RGB"))
    height = picture.height + 2 * _LINE + _MARGIN
    canvas = Image.new("RGB", (picture.width, height), _PAPER)
    canvas.paste(picture, (0, 0))
    draw, top = ImageDraw.Draw(canvas), picture.height
    draw.rectangle((0, top, round(picture.width * frame.number / max(total, 1)), top + 3), fill="#0072b2")
    said, look = ("no action", _BAD) if frame.action is None else (frame.action, _INK)
    font, y = _font(), top + _MARGIN
    counted = f"{frame.number}/{total}"
    draw.text((_MARGIN, y), _cut(draw, said, picture.width - 90), look, font)
    draw.text((picture.width - _MARGIN, y), counted, _SOFT, font, anchor="ra")
    reward = f"reward {frame.reward:g}" if frame.reward else ""
    if end:
        draw.text((_MARGIN, y + _LINE), _cut(draw, end[0], picture.width - 130), end[1], font)
    draw.text((picture.width - _MARGIN, y + _LINE), reward, _SOFT, font, anchor="ra")
    return canvas.quantize(128)


def _scaled(picture: Image.Image) -> Image.Image:
    """Small pictures by whole numbers, so that their squares stay square; large ones down to a width to read in."""
    from PIL import Image

    longest = max(picture.size)
    if longest <= _SIDE:
        times = max(1, round(_SIDE / longest))
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    share = 1.5 * _SIDE / longest
    if share >= 1:
        return picture
    return picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(15)


def _cut(draw: Any, text: str, width: int) -> str:
    """On one line, and no wider than that."""
    said = " ".join(text.split())
    while said and draw.textlength(said, _font()) > width:
        said = said[:-2].rstrip("…") + "…"
    return said
