"""Media formats by their first bytes, and whether a picture reaches its end."""

from __future__ import annotations

_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # sizes of the second header of a BMP
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a length: TEM, RST0-7, SOI
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def mime_of(data: bytes) -> str | None:
    """The media type by signature; None where it is none that is known."""
    by_start = next((mime for start, mime in _STARTS if data.startswith(start)), None)
    return by_start or _container(data[:64])


def _container(head: bytes) -> str | None:
    """Formats that one signature is not enough to tell apart."""
    mime: str | None = None
    if head[:4] == b"RIFF":
        mime = _RIFF.get(head[8:12])
    elif head[4:8] == b"ftyp":
        mime = _BRANDS.get(head[8:12], "video/mp4")
    elif head[4:8] in (b"moov", b"mdat", b"wide"):  # QuickTime from before `ftyp`
        mime = "video/quicktime"
    elif head[:4] == b"\x1aE\xdf\xa3":
        mime = "video/webm" if b"webm" in head else "video/x-matroska"
    elif head[:4] == b"OggS":
        mime = "video/ogg" if b"\x80theora" in head else "audio/ogg"
    elif head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        mime = "image/bmp"
    elif _is_mp3_frame(head):
        mime = "audio/mpeg"
    return mime


def _is_mp3_frame(head: bytes) -> bool:
    """An MPEG audio frame header: 11 bits of sync, layer III, no reserved value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3


def damage(data: bytes, mime: str) -> str | None:
    """What shows that the file was cut off, without decoding it; None where nothing does."""
    if mime == "image/jpeg" and not _jpeg_ends(data):
        return "JPEG without its end mark"
    if mime == "image/png" and _PNG_END not in data:
        return "PNG without its end chunk"
    if mime == "image/webp" and len(data) < int.from_bytes(data[4:8], "little") + 8:
        return "WebP shorter than its header says"
    return None


def _jpeg_ends(data: bytes) -> bool:
    """Whether an end mark follows the first scan.

    Coded data holds no bare end mark, but a thumbnail in a header segment has one: so segments are
    stepped over by their lengths first (ITU-T T.81, B.1). What follows the end mark is not judged:
    cameras append there.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _START_OF_SCAN:
            return data.find(_END_OF_IMAGE, at) >= 0
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False
