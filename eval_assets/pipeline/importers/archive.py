"""Members of zip files that strangers may have made: bounded, never written to disk, zstd included."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from eval_assets.pipeline.importers.base import ImportRefused

_ZSTD = 93  # APPNOTE.TXT 4.4.5; zipfile knows it from Python 3.14 on
_MEMBERS = 4_000_000
_RATIO = 1100  # deflate cannot do more than 1032
_SLACK = 64 * 2**20
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field


def check_archive(file: IO[bytes], path: Path, limits: Mapping[str, int], *, xml: bool = False) -> None:
    """Refuse an archive that is no honest one, before anything of it is unpacked.

    limits: bytes that these members may have. xml: refuse document types (entities that unfold).
    """
    with ZipFile(file) as archive:
        members = archive.infolist()
        packed, unpacked = sum(m.compress_size for m in members), sum(m.file_size for m in members)
        if len(members) > _MEMBERS or packed > path.stat().st_size:
            raise ImportRefused(f"{path}: its parts overlap or are too many: no honest archive")
        if unpacked > _RATIO * path.stat().st_size + _SLACK:
            raise ImportRefused(f"{path}: would unpack to {unpacked / 2**30:.1f} GiB: no honest archive")
        for member in members:
            if member.flag_bits & 1:
                raise ImportRefused(f"{path}: {member.filename!r} is encrypted")
            limit = limits.get(member.filename)
            if limit is not None and member.file_size > limit:
                raise ImportRefused(_too_large(path, member, limit))
            if xml and member.filename.endswith((".xml", ".rels")) and _has_doctype(archive, member):
                raise ImportRefused(f"{path}: {member.filename!r} defines entities, which no table needs")
    file.seek(0)


def read_member(archive: ZipFile, member: ZipInfo, path: Path, limit: int) -> bytes:
    """A member's bytes. limit: bytes at most. Raises ImportRefused where it is too large or damaged."""
    if member.file_size > limit:
        raise ImportRefused(_too_large(path, member, limit))
    if member.flag_bits & 1:
        raise ImportRefused(f"{path}: {member.filename!r} is encrypted")
    try:
        if member.compress_type in (ZIP_STORED, ZIP_DEFLATED):
            return archive.read(member)
        if member.compress_type == _ZSTD:
            return _read_zstd(archive, member)
    except (BadZipFile, zlib.error, OSError, EOFError, struct.error) as error:
        raise ImportRefused(f"{path}: {member.filename!r} is damaged ({error})") from error
    raise ImportRefused(f"{path}: {member.filename!r} is packed by method {member.compress_type}, which is not read")


def _read_zstd(archive: ZipFile, member: ZipInfo) -> bytes:
    """Through Arrow's codec; a member may be several frames. Never more than the directory says it has."""
    import pyarrow as pa

    file = archive.fp
    assert file is not None
    file.seek(member.header_offset)
    signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise BadZipFile("its place in the file is another one")
    file.seek(name + extra, 1)
    packed = file.read(member.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        data = bytes(stream.read(member.file_size))
        if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise BadZipFile("its checksum is another one")
    return data


def _has_doctype(archive: ZipFile, member: ZipInfo) -> bool:
    """Said early and in clear words; where one hides further behind, the parser's own bound ends it."""
    with archive.open(member) as stream:
        return b"<!DOCTYPE" in stream.read(4096)


def _too_large(path: Path, member: ZipInfo, limit: int) -> str:
    return (
        f"{path}: {member.filename!r} unpacks to {member.file_size / 2**20:.0f} MiB, more than {limit / 2**20:g}: "
        "raise --max-part if you trust the file"
    )
