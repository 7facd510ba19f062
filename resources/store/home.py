"""Where everything lies: one root, local or on object storage, and the names below it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from resources.store.keys import slug

DEFAULT_HOME = ".evals"


class StoreUnwritable(RuntimeError):
    """EVAL_HOME cannot be written; the message says why and what to do."""


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
            probe = root / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            hint = "free some space" if error.errno == errno.ENOSPC else "set EVAL_HOME to a folder you can write"
            raise StoreUnwritable(f"EVAL_HOME={self.root} is not writable ({error.strerror}): {hint}") from error

    # --- plain files (reports) ------------------------------------------------------------

    @cached_property
    def _fs(self) -> tuple[Any, str]:
        from pyarrow import fs

        if self.is_local:
            return fs.LocalFileSystem(), self.root
        return fs.FileSystem.from_uri(self.root)

    def file(self, *parts: str) -> str:
        """Path or URI of a plain file; the last part keeps its extension."""
        *folders, name = parts
        return "/".join([self.root, *(slug(p) for p in folders), name])

    def write_file(self, data: bytes, *parts: str) -> str:
        """Publish a file atomically (on object storage a put is); returns its path or URI."""
        filesystem, base = self._fs
        target = "/".join([base, *self.file(*parts)[len(self.root) + 1 :].split("/")])
        filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
        temporary = f"{target}.{os.getpid()}.tmp" if self.is_local else target
        with filesystem.open_output_stream(temporary) as stream:
            stream.write(data)
        if self.is_local:
            os.replace(temporary, target)
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
