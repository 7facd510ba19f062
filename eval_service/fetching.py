"""Checkpoints on object storage: copied to a local folder, file by file, resumed after a restart.

Engines load from a local path. The folder is registered at once; until the copy is whole its cells wait in the
ledger like those of any checkpoint that is still being written.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from eval_assets.versions import digest
from eval_service.uploads import is_taken

_PIECE = 8 * 2**20
# Read while a folder is copied, so that its index, which says what is missing, comes first.
_FIRST = (".json", ".jinja", ".txt", ".model")


def tidy(uri: str) -> str:
    """The path without `.`, `..` and double slashes, so that one prefix has one spelling."""
    return "s3://" + posixpath.normpath("/" + uri.removeprefix("s3://")).lstrip("/")


def is_plain(uri: str) -> bool:
    """Whether it is a path and nothing else: Arrow takes an endpoint, keys and escapes from a URI as well."""
    return not any(c in "?#%@\\" or not c.isprintable() for c in uri)


def is_below(uri: str, root: str) -> bool:
    """Whether a path lies below a prefix, both with `s3://`."""
    return f"{uri}/".startswith(f"{tidy(root)}/")


def name_of(uri: str) -> str:
    """`<run>.<step>` or `<run>.<name>` of a path, as of a local folder; "" for none."""
    if not uri:
        return ""
    from eval_assets.pipeline.registering import directory_key

    path = Path(uri.removeprefix("s3://"))
    return directory_key(path, path.parent.name or "run")


def folder_for(uri: str, uploads: Path) -> Path:
    """Where its copy lies."""
    return uploads / f"fetched-{digest(uri)[:16]}"


def fetch(uri: str, folder: Path, most_bytes: float) -> None:
    """Copy what is not there yet of what an upload may hold. A file has its name when it is whole.

    Names in a bucket are anybody's who may write there: one that leads out of the folder, and pickles, stay there.
    """
    from pyarrow import fs

    remote, base = fs.FileSystem.from_uri(uri)
    found = remote.get_file_info(fs.FileSelector(base, recursive=True))
    files = [f for f in found if f.type == fs.FileType.File and is_taken(posixpath.relpath(f.path, base))]
    if (total := sum(f.size for f in files)) > most_bytes:
        raise ValueError(f"{total / 1e9:.1f} GB, and the service takes {most_bytes / 1e9:.1f} GB at most")
    folder.mkdir(parents=True, exist_ok=True)
    for info in sorted(files, key=lambda f: (not f.path.endswith(_FIRST), f.path)):
        target = folder / posixpath.relpath(info.path, base)
        if not target.is_file() or target.stat().st_size != info.size:
            _copy(remote, info.path, target)


def _copy(remote: Any, path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    with remote.open_input_stream(path) as source, partial.open("wb") as sink:
        shutil.copyfileobj(source, sink, _PIECE)
    os.replace(partial, target)


class Fetcher:
    """Copies in the background, one after another. failed: is told of each that could not be copied."""

    def __init__(self, most_bytes: float, failed: Callable[[str, str], None]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fetch")
        self._most_bytes, self._failed = most_bytes, failed
        self._known: set[str] = set()

    def want(self, uri: str, folder: Path) -> None:
        if uri not in self._known:
            self._known.add(uri)
            self._pool.submit(self._fetch, uri, folder)

    def _fetch(self, uri: str, folder: Path) -> None:
        try:
            fetch(uri, folder, self._most_bytes)
        except Exception as error:  # of any store; the job says it
            self._failed(uri, f"{uri} could not be fetched: {error}")
        finally:
            self._known.discard(uri)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
