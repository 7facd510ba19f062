"""Bytes as a data set holds them → what a model takes: pictures within limits, frames of a video."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from resources.models.base import Media
from resources.models.pictures import BadPicture

QUALITY = 95  # of a JPEG that we make


@dataclass(frozen=True)
class MediaPolicy:
    """What is done to media before they are sent. By default nothing: bytes go as they came.

    frames: `{"num_frames": 8}` or `{"fps": 1.0, "max_frames": 32}`: a video becomes pictures. `start`
        and `end`, in seconds, beside them: of this part of it.
    min_pixels, max_pixels: a picture (or frame) with fewer or more is scaled, keeping its shape.
    """

    frames: Mapping[str, Any] = field(default_factory=dict)
    min_pixels: int | None = None
    max_pixels: int | None = None

    def within(self, window: Mapping[str, float] | None) -> MediaPolicy:
        """The same for a part of a video: `start` and `end` in seconds, or one of them."""
        return replace(self, frames={**self.frames, **window}) if window and self.frames else self

    def changes(self, kinds: Sequence[str]) -> dict[str, Any]:
        """As far as it concerns media of these kinds (`image`, `video`): part of a request's inputs."""
        framed = bool(self.frames) and "video" in kinds
        changes: dict[str, Any] = {"frames": dict(self.frames)} if framed else {}
        if (framed or "image" in kinds) and (self.min_pixels or self.max_pixels):
            changes["pixels"] = [self.min_pixels, self.max_pixels]
        return changes

    def applies(self, kind: str) -> bool:
        """Whether media of a kind are changed by it."""
        return bool(self.changes([kind]))

    def samples(self, kind: str) -> bool:
        """Whether a medium of this kind becomes several pictures."""
        return kind == "video" and bool(self.frames)

    def prepare(self, source: bytes | BinaryIO, mime: str, sha: str) -> tuple[Media, ...]:
        """The media that are sent for one that is stored; the same bytes where nothing is to be done.

        source: its bytes, or for a video that is sampled a file that seeks.
        Raises BadPicture or BadVideo where it cannot be decoded.
        """
        if self.samples(mime.split("/", 1)[0]):
            from resources.video import frames_of

            file = io.BytesIO(source) if isinstance(source, bytes) else source
            pictures = frames_of(file, sha[:12], **self.frames)
            return tuple(_medium(_encoded(self._scaled(picture), "JPEG"), "image/jpeg") for picture in pictures)
        data = source if isinstance(source, bytes) else source.read()
        if not self.applies(mime.split("/", 1)[0]):
            return (Media(data, mime, sha),)
        return (limited(Media(data, mime, sha), self.min_pixels, self.max_pixels),)

    def _scaled(self, picture: Any) -> Any:
        from PIL import Image

        size = size_within(picture.size, self.min_pixels, self.max_pixels)
        return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def limited(media: Media, least: int | None, most: int | None) -> Media:
    """The same picture with at least `least` and at most `most` pixels; the same object if it has.

    One that must be scaled is turned as its EXIF data say and encoded anew: a JPEG as JPEG (quality
    95), others as PNG. Raises BadPicture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(media.data)) as opened:
            size = size_within(opened.size, least, most)
            if size == opened.size:
                return media
            kind = "JPEG" if opened.format == "JPEG" else "PNG"
            picture = ImageOps.exif_transpose(opened)
            if picture.size != opened.size:  # turned by a quarter
                size = (size[1], size[0])
            scaled = _smooth(picture, kind).resize(size, Image.Resampling.LANCZOS)
            return _medium(_encoded(scaled, kind, opened.info.get("icc_profile")), f"image/{kind.lower()}")
    except Exception as error:  # broken bytes make Pillow's decoders raise almost anything
        raise BadPicture(f"picture {media.sha[:12]} ({media.mime}) cannot be decoded: {error}") from error


def size_within(size: tuple[int, int], least: int | None, most: int | None) -> tuple[int, int]:
    """(width, height) scaled so that their product lies between the limits, the shape kept.

    Rounded inwards, so that a limit holds exactly; no side is less than 1.
    """
    width, height = size
    if most and width * height > most:
        scale = math.sqrt(most / (width * height))
        short = max(1, math.floor(min(size) * scale))
        long = min(math.floor(max(size) * scale), most // short)  # a side that became 1 leaves less to the other
        return (long, short) if width > height else (short, long)
    if least and width * height < least:
        scale = math.sqrt(least / (width * height))
        width, height = math.ceil(width * scale), math.ceil(height * scale)
    return width, height


def _smooth(picture: Any, kind: str) -> Any:
    """In a mode that can be interpolated: palettes and bits cannot."""
    if picture.mode in ("L", "RGB") or (kind == "JPEG" and picture.mode == "CMYK"):
        return picture
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    return picture.convert("RGBA" if clear else "RGB")


def _encoded(picture: Any, kind: str, profile: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": QUALITY} if kind == "JPEG" else {}
    picture.save(buffer, kind, icc_profile=profile, **options)
    return buffer.getvalue()


def _medium(data: bytes, mime: str) -> Media:
    return Media(data, mime, hashlib.sha256(data).hexdigest())
