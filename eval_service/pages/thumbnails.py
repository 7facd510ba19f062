"""Small pictures of media, made when they are asked for and kept by content."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from resources.models.derived import cache_folder
from resources.store.media import MediaTable

EDGE = 220  # pixels


def thumbnail(media: MediaTable, sha: str, mime: str) -> bytes | None:
    """WebP of at most EDGE x EDGE pixels; None where the medium cannot be shown. KeyError where there is none.

    Of a video its first frame, where PyAV is installed.
    """
    kept = cache_folder() / "thumbnails" / f"{sha}.webp"
    if kept.is_file():
        return kept.read_bytes()
    made = _video(media, sha) if mime.startswith("video/") else _picture(media.read([sha])[sha])
    if made is not None:
        _keep(kept, made)
    return made


def _picture(data: bytes) -> bytes | None:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (EDGE, EDGE))  # a large JPEG is decoded at a fraction of its size
            return _small(ImageOps.exif_transpose(image))
    # What Pillow raises of a broken file depends on its format.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


def _video(media: MediaTable, sha: str) -> bytes | None:
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(media.open(sha)) as container:
            frame = next(container.decode(video=0), None)
            return None if frame is None else _small(frame.to_image())
    except av.FFmpegError:
        return None


def _small(image: object) -> bytes:
    from PIL import Image

    assert isinstance(image, Image.Image)
    image.thumbnail((EDGE, EDGE))
    out = io.BytesIO()
    image.convert("RGB").save(out, "WEBP", quality=80)
    return out.getvalue()


def _keep(path: Path, data: bytes) -> None:
    """Atomically; a cache that cannot be written costs time and nothing else."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
