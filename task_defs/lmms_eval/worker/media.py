"""Rows as lmms-eval's functions expect them, and the media that come out of these as bytes."""

import base64
import io
import os

import datasets
import pyarrow as pa
from PIL import Image

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_SOUNDS = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def opened(path: str) -> datasets.Dataset:
    """The rows of an Arrow stream file, memory-mapped; columns of pictures decode when they are looked at."""
    found = datasets.Dataset.from_file(path)
    for name, feature in found.features.items():
        if (kind := _kind(found, name)) is not None:
            found = found.cast_column(name, kind if not _is_list(feature) else datasets.Sequence(kind))
    return found


def _is_list(feature) -> bool:
    return isinstance(feature, (list, datasets.Sequence)) or type(feature).__name__ in ("List", "LargeList")


def _kind(found: datasets.Dataset, name: str):
    """`Image()` for a column of {bytes, path} (or lists of them) whose first bytes are a picture's."""
    column = found.data.column(name).type
    while pa.types.is_list(column) or pa.types.is_large_list(column):
        column = column.value_type
    if not pa.types.is_struct(column) or {f.name for f in column} != {"bytes", "path"}:
        return None
    for chunk in found.data.column(name).chunks:
        flat = chunk
        while not pa.types.is_struct(flat.type):
            flat = flat.flatten()
        for i in range(len(flat)):
            value = flat[i].as_py()
            if value and value["bytes"]:
                return datasets.Image() if _is_picture(value["bytes"]) else None
    return None


def _is_picture(data: bytes) -> bool:
    return data.startswith(_PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _is_sound(data: bytes) -> bool:
    return data.startswith(_SOUNDS) or (data[:4] == b"RIFF" and data[8:12] == b"WAVE")


def undecoded(found: datasets.Dataset) -> datasets.Dataset:
    """The same rows with the bytes of their pictures."""
    for name, feature in found.features.items():
        if isinstance(feature, datasets.Image):
            found = found.cast_column(name, datasets.Image(decode=False))
        elif _is_list(feature):
            inner = feature[0] if isinstance(feature, list) else feature.feature
            if isinstance(inner, datasets.Image):
                found = found.cast_column(name, datasets.Sequence(datasets.Image(decode=False)))
    return found


def without(raw: dict) -> dict:
    """A row without its media, as lmms-eval hands it to process_results."""
    return {k: v for k, v in raw.items() if not _is_media(v)}


def _is_media(value) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_media(v) for v in value)
    return isinstance(value, (bytes, Image.Image)) or (isinstance(value, dict) and set(value) == {"bytes", "path"})


class Held:
    """The media of one question in order, those of its own row by their own bytes.

    media: [{"bytes": base64, "path"} or {"path"}], as the messages name them one after another.
    """

    def __init__(self, doc: dict, raw: dict) -> None:
        self.media: list[dict] = []
        self._own = [pair for name in raw for pair in _pairs(doc.get(name), raw[name])]
        # lmms-eval's chat messages name a sound of the row, bytes and all, by its path, as a video.
        named = [one for value in raw.values() for one in _held(value)]
        self._named = {path: data for path, data in named if all(d == data for p, d in named if p == path)}

    def add(self, kind: str, value) -> str:
        """Keep one medium; returns its kind: image, video or audio."""
        if isinstance(value, Image.Image):
            self.media.append(_inline(self._bytes_of(value), ""))
            return "image"
        if isinstance(value, bytes):
            self.media.append(_inline(value, ""))
            return kind
        if isinstance(value, dict) and value.get("bytes"):
            self.media.append(_inline(value["bytes"], value.get("path") or ""))
            return "audio" if kind == "video" and not value.get("video_start") else kind
        if isinstance(value, dict) and ("video_start" in value or "video_end" in value):
            raise ValueError("a part of a video (video_start, video_end) is not supported here")
        path = value.get("path") or value.get("url") if isinstance(value, dict) else value
        if isinstance(path, str) and (data := self._named.get(path)) is not None:
            self.media.append(_inline(data, path))
            return "audio" if _is_sound(data) else kind
        if isinstance(path, str):
            self.media.append({"path": os.path.abspath(os.path.expanduser(path))})
            return kind
        raise TypeError(f"a medium of type {type(value).__name__} is not supported here")

    def _bytes_of(self, picture: Image.Image) -> bytes:
        for own, data in self._own:
            if same_picture(picture, own):
                return data
        return png(picture)


def same_picture(shown: Image.Image, own: Image.Image) -> bool:
    """Whether a picture is the row's own, perhaps as RGB where that takes nothing from it."""
    if shown is own:
        return True
    if shown.size != own.size:
        return False
    if shown.mode != own.mode and not (shown.mode == "RGB" and _opaque(own)):
        return False
    return shown.tobytes() == (own if shown.mode == own.mode else own.convert(shown.mode)).tobytes()


def _opaque(own: Image.Image) -> bool:
    return own.mode in ("L", "1", "RGB") or (own.mode == "P" and "transparency" not in own.info)


def png(picture: Image.Image) -> bytes:
    if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        picture = picture.convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _pairs(doc, raw):
    """(decoded, its bytes) of each picture in a field."""
    if isinstance(doc, Image.Image) and isinstance(raw, dict) and raw.get("bytes"):
        yield doc, raw["bytes"]
    elif isinstance(doc, list) and isinstance(raw, list):
        for d, r in zip(doc, raw, strict=False):
            yield from _pairs(d, r)


def _held(raw):
    """(path, bytes) of each medium in a field that has both."""
    if isinstance(raw, dict) and set(raw) == {"bytes", "path"} and raw["bytes"] and raw["path"]:
        yield raw["path"], raw["bytes"]
    elif isinstance(raw, list):
        for one in raw:
            yield from _held(one)


def _inline(data: bytes, path: str) -> dict:
    return {"bytes": base64.b64encode(data).decode(), "path": path}
