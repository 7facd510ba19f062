"""Reading media: bytes unchanged, and a reason wherever there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from task_defs import MediaBytes, MissingMedia, read_media

from .conftest import picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(picture())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(picture()[:-2])
    (folder / "cut.png").write_bytes(picture(kind="PNG")[:-12])
    (folder / "cut.webp").write_bytes(picture(kind="WEBP")[:-4])
    (folder / "note.jpg").write_text("not found (404)")
    (folder / "folder.jpg").mkdir()
    (tmp_path / "secret.jpg").write_bytes(picture())
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "inner.jpg").symlink_to(folder / "good.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    return folder


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("7.jpg", "file not found: 7.jpg"),
        ("empty.jpg", "empty (0 bytes): empty.jpg"),
        ("cut.jpg", "damaged (JPEG without its end mark): cut.jpg"),
        ("cut.png", "damaged (PNG without its end chunk): cut.png"),
        ("cut.webp", "damaged (WebP shorter than its header says): cut.webp"),
        ("note.jpg", "not a known image, video or audio format: note.jpg"),
        ("folder.jpg", "cannot be read: folder.jpg: Is a directory"),
        ("../secret.jpg", "outside the data folder: ../secret.jpg"),
        ("link.jpg", "outside the data folder: link.jpg"),
        ("/etc/passwd", "outside the data folder: /etc/passwd"),
        ("loop.jpg", "cannot be read: loop.jpg: "),
        ("a\0b.jpg", "cannot be read: a\0b.jpg: "),
        ("https://example.org/1.jpg", "not a local file (download it into the data folder): https://example"),
        (b"", "empty (0 bytes): bytes in the row"),
        ({"bytes": None, "path": None}, "the row has neither bytes nor a path"),
        ({"bytes": b"text", "path": "x.jpg"}, "not a known image, video or audio format: x.jpg"),
        (3, "expected a path, bytes or {bytes, path}, found a int"),
    ],
)
def test_a_medium_that_cannot_be_had_has_a_reason(root, name, reason):
    found = read_media(name, root)
    assert isinstance(found, MissingMedia)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("name", ["good.jpg", "inner.jpg", "./good.jpg", {"bytes": None, "path": "good.jpg"}])
def test_a_file_comes_as_it_is(root, name):
    found = read_media(name, root)
    assert isinstance(found, MediaBytes)
    assert (found.data, found.mime) == (picture(), "image/jpeg")


def test_bytes_need_no_folder():
    assert read_media(picture(), None) == MediaBytes(picture(), "image/jpeg", "")
    held = {"bytes": picture(), "path": "a/1.jpg"}
    assert read_media(held, None) == MediaBytes(picture(), "image/jpeg", "a/1.jpg")
    assert read_media("1.jpg", None) == MissingMedia("no folder to look in for 1.jpg")


def test_an_end_mark_in_a_thumbnail_is_no_end():
    whole = picture()
    thumbnail = b"\xff\xe1" + (2 + len(whole)).to_bytes(2, "big") + whole
    nested = whole[:2] + thumbnail + whole[2:]
    assert isinstance(read_media(nested, None), MediaBytes)
    assert isinstance(read_media(nested[:-2], None), MissingMedia)
    assert isinstance(read_media(nested + b"what a camera appends", None), MediaBytes)


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp")])
def test_pictures_of_other_formats(kind, mime):
    found = read_media(picture(kind=kind), None)
    assert isinstance(found, MediaBytes)
    assert found.mime == f"image/{mime}"


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x1cftypM4A ", "audio/mp4"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x04\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x44\0\0", "audio/mpeg"),
        (b"fLaC\0\0", "audio/flac"),
        (b"OggS\0\x02", "audio/ogg"),
    ],
)
def test_video_and_sound_by_signature(head, mime):
    found = read_media(head, None)
    assert isinstance(found, MediaBytes)
    assert found.mime == mime


@pytest.mark.parametrize("data", [b"BM, a text", b"\xff\xff\xff\xff", b"RIFF\0\0\0\0ABCD", b"<html>", b"\xff"])
def test_what_only_begins_like_a_format_is_none(data):
    assert isinstance(read_media(data, None), MissingMedia)


@pytest.mark.real
def test_every_real_file_is_known_for_what_it_is(data):
    wanted = {
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".png": "image/png",
        ".gif": "image/gif",
        ".mp4": "video/mp4",
    }
    seen = 0
    for file in sorted([*(data / "media").rglob("*"), *(data / "mathvision/images").iterdir()]):
        if file.suffix in wanted:
            found = read_media(str(file.relative_to(data)), data)
            assert isinstance(found, MediaBytes), found
            assert found.mime == wanted[file.suffix]
            assert found.data == file.read_bytes()
            seen += 1
    assert seen > 304
