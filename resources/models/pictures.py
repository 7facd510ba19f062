"""Bytes of a picture → a Pillow image as models take it."""

from __future__ import annotations

import io
from typing import Any

from resources.models.base import Media


class BadPicture(ValueError):
    """The bytes are no picture that can be decoded whole."""


def decode_picture(media: Media) -> Any:
    """An RGB ``PIL.Image``, turned as its EXIF data say, transparency put on white.

    Raises BadPicture where the bytes cannot be decoded to the end.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(media.data)) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                # Plain convert("RGB") would show whatever colour lies under transparent pixels.
                picture = picture.convert("RGBA")
                paper = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(paper, picture)
            return picture.convert("RGB")
    except Exception as error:  # broken bytes make Pillow's decoders raise almost anything
        name = media.sha[:12] or f"{len(media.data)} bytes"
        raise BadPicture(f"picture {name} ({media.mime}) cannot be decoded: {error}") from error
