"""Where everything lies: one root, local or on object storage, and the names below it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from resources.store.keys import slug

DEFAULT_HOME = ".evals"


class StoreUnwritable(RuntimeError):
    """EVAL_HOME cannot be written; the message says why and what to do."""


# What an operating system says of a place that cannot be written, and what to do. Lance's errors
# have no errno, but their text ends in the system's own.
_CAUSES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space: the quota is used up",
    errno.EFBIG: "the limit for the size of a file is too low",
    errno.EACCES: "set EVAL_HOME to a folder you can write",
    errno.EPERM: "set EVAL_HOME to a folder you can write",
    errno.EROFS: "set EVAL_HOME to a folder you can write",
    errno.ENOTDIR: "set EVAL_HOME to a folder",
    errno.EEXIST: "set EVAL_HOME to a folder",
}


def unwritable(place: str, error: BaseException) -> StoreUnwritable | None:
    """The error as one that says what to do; None where it is about something else."""
    text = str(error)
    for number, hint in _CAUSES.items():
        if isinstance(error, OSError) and (error.errno == number or f"os error {number})" in text):
            return StoreUnwritable(f"EVAL_HOME: {place} cannot be written ({os.strerror(number)}): {hint}")
    return None


class Store:
    """The root of all state. Tables are Lance datasets below it, reports are plain files.

    home: a local path or a URI that Lance's object store takes (`s3://bucket/evals`).
    """

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        text = str(home or os.environ.get("EVAL_HOME") or DEFAULT_HOME)
        parsed = urlparse(text)
        if parsed.scheme == "file":
            text = unquote(parsed.path)
        self.is_local = "://" not in text
        self.root = str(Path(text).expanduser().absolute()) if self.is_local else text.rstrip("/")

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def table(self, *parts: str) -> str:
        """URI of a table: `table("scores", task, checkpoint)`; every part is slugged."""
        return "/".join([self.root, *(slug(p) for p in parts)]) + ".lance"

    def ensure_writable(self) -> None:
        """Raise `StoreUnwritable` early, before an hour of inference finds it out."""
        if not self.is_local:
            return
        try:
            root = Path(self.root)
            root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=root).close()
        except OSError as error:
            problem = unwritable(self.root, error)
            raise problem or StoreUnwritable(f"EVAL_HOME: {self.root} cannot be written: {error}") from error

    # --- plain files (reports) ------------------------------------------------------------

    @cached_property
    def _fs(self) -> tuple[Any, str]:
        from pyarrow import fs

        if self.is_local:
            return fs.LocalFileSystem(), self.root
        # A small file is one put: atomic, and understood by every S3 look-alike.
        delayed = "?allow_delayed_open=true" if self.root.startswith("s3://") else ""
        return fs.FileSystem.from_uri(self.root + delayed)

    def file(self, *parts: str) -> str:
        """Path or URI of a plain file; the last part keeps its extension."""
        *folders, name = parts
        return "/".join([self.root, *(slug(p) for p in folders), name])

    def write_file(self, data: bytes | BinaryIO, *parts: str) -> str:
        """Publish a file atomically (on object storage a put is); returns its path or URI.

        data: the content, or an open file to copy from its position. Raises StoreUnwritable.
        """
        filesystem, base = self._fs
        target = "/".join([base, *self.file(*parts)[len(self.root) + 1 :].split("/")])
        temporary = f"{target}.{uuid.uuid4().hex}.tmp" if self.is_local else target
        try:
            filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
            with filesystem.open_output_stream(temporary) as stream:
                shutil.copyfileobj(io.BytesIO(data) if isinstance(data, bytes) else data, stream)
            if self.is_local:
                os.replace(temporary, target)
        except BaseException as error:
            if self.is_local:
                with contextlib.suppress(OSError):  # it may be what could not be made
                    Path(temporary).unlink(missing_ok=True)
            if problem := unwritable(target, error):
                raise problem from error
            raise
        return self.file(*parts)

    def read_file(self, *parts: str) -> bytes | None:
        """The file's bytes, or None where there is none."""
        filesystem, base = self._fs
        target = "/".join([base, *self.file(*parts)[len(self.root) + 1 :].split("/")])
        try:
            with filesystem.open_input_stream(target) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def read_json(self, *parts: str) -> Any | None:
        data = self.read_file(*parts)
        return None if data is None else json.loads(data)

    # --- one writer per cell --------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
        """Hold `name` exclusively among this host's processes; a dead holder frees it.

        It spares work, correctness does not rest on it: rows are told apart by their keys, so on
        object storage, where there is no such lock, two writers cost requests and nothing else.
        """
        if not self.is_local:
            yield
            return
        path = Path(self.root) / "locks" / f"{slug(name)}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as handle:
            _flock(handle, waiting)
            handle.truncate(0)
            handle.write(f"process {os.getpid()}".encode())
            handle.flush()
            yield


def _flock(handle: BinaryIO, waiting: Callable[[str], None]) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        waiting(handle.read().decode(errors="replace") or "another process")
        fcntl.flock(handle, fcntl.LOCK_EX)
