"""Checkpoint folders that clients upload: resumable, hashed, whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path, PurePosixPath
from threading import Lock

from eval_assets.versions import digest
from eval_service.schemas import Upload, UploadFile

# What a checkpoint folder is made of. Pickles and Python files would be code.
_KINDS = {".safetensors", ".json", ".jinja", ".txt", ".model", ".md", ".tiktoken"}
_MANIFEST = ".manifest.json"
_ABANDONED = 7 * 86400  # seconds without a byte, after which an upload that was never finished is removed


class UploadRefused(ValueError):
    """The files cannot be taken; the message says which and why."""


class UnknownUpload(LookupError):
    """There is no upload of that id."""


class WrongOffset(ValueError):
    """The file is longer or shorter than the offset that was given."""

    def __init__(self, path: str, have: int) -> None:
        super().__init__(f"{path} has {have} bytes so far: go on from there")
        self.have = have


class UploadFolders:
    """A folder for each client, so that no client sees, alters or evaluates what another has sent."""

    def __init__(self, folder: Path, most_bytes: float) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._of: dict[str, Uploads] = {}

    def of(self, client: str) -> Uploads:
        """client: the name of a configured token, or `local`."""
        return self._of.setdefault(client, Uploads(self.folder / "clients" / client, self.most_bytes))


class Uploads:
    """Of one client. Below `folder`: `<id>/` what is complete, `.<id>/` what is on its way."""

    def __init__(self, folder: Path, most_bytes: float) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._writing: set[tuple[str, str]] = set()
        self._lock, self._completing = Lock(), Lock()

    def begin(self, files: Sequence[UploadFile]) -> Upload:
        """Announce a folder, or find out how much of it is there. Raises UploadRefused."""
        names = [f.path for f in files]
        for name in names:
            _check_name(name)
        folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
        if len(names) != len(set(names)) or not folders.isdisjoint(names):
            raise UploadRefused("a file is named twice, or is a folder as well")
        total = sum(f.size for f in files)
        if total > self.most_bytes:
            raise UploadRefused(f"{total / 1e9:.1f} GB, and the service takes {self.most_bytes / 1e9:.1f} GB at most")
        manifest = sorted([f.path, f.size, f.sha256] for f in files)
        upload_id = digest(manifest)
        if not (self.folder / upload_id).is_dir():
            self._forget_abandoned(upload_id)
            if shutil.disk_usage(_existing(self.folder)).free < total:
                raise UploadRefused(f"{total / 1e9:.1f} GB do not fit on the service's disk")
            partial = self.folder / f".{upload_id}"
            partial.mkdir(parents=True, exist_ok=True)
            _write(partial / _MANIFEST, json.dumps(manifest))
        return self.state(upload_id)

    def _forget_abandoned(self, but: str) -> None:
        """Remove what nobody has sent a byte of for a week; `but` is being gone on with."""
        for partial in self.folder.glob(".*/"):
            latest = max((p.stat().st_mtime for p in (partial, *partial.rglob("*"))), default=0.0)
            if partial.name != f".{but}" and latest < time.time() - _ABANDONED:
                shutil.rmtree(partial)

    def state(self, upload_id: str) -> Upload:
        """Raises UnknownUpload."""
        complete = (self.folder / _checked_id(upload_id)).is_dir()
        missing = {}
        if not complete:
            partial = self.folder / f".{upload_id}"
            for name, size, _ in self._manifest(upload_id):
                file = partial / name
                have = file.stat().st_size if file.is_file() else 0
                if have < size or not file.is_file():
                    missing[name] = have
        return Upload(upload_id=upload_id, source=f"upload:{upload_id}", complete=complete, missing=missing)

    async def append(self, upload_id: str, path: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Write bytes behind what is there; how many there are then. What came before an error stays.

        Raises UnknownUpload, WrongOffset, UploadRefused.
        """
        sizes = {name: size for name, size, _ in self._manifest(_checked_id(upload_id))}
        if path not in sizes:
            raise UploadRefused(f"{path!r} is none of the announced files")
        file = self.folder / f".{upload_id}" / path
        with self._lock:
            if (upload_id, path) in self._writing:
                raise UploadRefused(f"{path} is being written by another request")
            self._writing.add((upload_id, path))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            have = file.stat().st_size if file.is_file() else 0
            if have != offset:
                raise WrongOffset(path, have)
            with file.open("ab") as target:
                async for chunk in chunks:
                    have += len(chunk)
                    if have > sizes[path]:
                        raise UploadRefused(f"{path} was announced with {sizes[path]} bytes, and more came")
                    target.write(chunk)
            return have
        finally:
            with self._lock:
                self._writing.discard((upload_id, path))

    def complete(self, upload_id: str) -> Upload:
        """Check every hash and give the folder its name. Raises UnknownUpload and UploadRefused.

        A file whose content is not what was announced is removed, to be sent again.
        """
        with self._completing:  # a client that lost the answer asks again while the first request still hashes
            state = self.state(upload_id)
            return state if state.complete else self._complete(upload_id, state)

    def _complete(self, upload_id: str, state: Upload) -> Upload:
        if state.missing:
            raise UploadRefused(f"not all there yet: {', '.join(sorted(state.missing)[:5])}")
        partial = self.folder / f".{upload_id}"
        for name, _, sha in self._manifest(upload_id):
            with (partial / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha:
                    (partial / name).unlink()
                    raise UploadRefused(f"{name} does not have the announced content: send it again")
        (partial / _MANIFEST).unlink()
        os.replace(partial, self.folder / upload_id)
        return self.state(upload_id)

    def complete_folder(self, upload_id: str) -> Path:
        """Where a complete upload lies. Raises UnknownUpload and UploadRefused."""
        if not self.state(upload_id).complete:
            raise UploadRefused(f"upload {upload_id} is not complete: finish it first")
        return self.folder / upload_id

    def _manifest(self, upload_id: str) -> list[tuple[str, int, str]]:
        try:
            rows = json.loads((self.folder / f".{upload_id}" / _MANIFEST).read_text())
        except FileNotFoundError:
            raise UnknownUpload(f"no upload {upload_id!r}: announce its files with POST /uploads") from None
        return [(name, size, sha) for name, size, sha in rows]


def _checked_id(upload_id: str) -> str:
    if len(upload_id) != 32 or not set(upload_id) <= set("0123456789abcdef"):
        raise UnknownUpload(f"no upload {upload_id!r}")
    return upload_id


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    too_long = any(len(part.encode()) > 200 for part in path.parts)
    hidden = any(part.startswith(".") for part in path.parts)
    if path.is_absolute() or hidden or too_long or "\\" in name or not name.isprintable() or str(path) != name:
        raise UploadRefused(f"{name!r} is no path inside a checkpoint folder")
    if path.suffix not in _KINDS:
        raise UploadRefused(
            f"{name}: only {', '.join(sorted(_KINDS))} are taken. Save weights as safetensors: pickles could run code"
        )


def is_taken(name: str) -> bool:
    """Whether a file of that name may be part of a checkpoint folder."""
    try:
        _check_name(name)
    except UploadRefused:
        return False
    return True


def _write(path: Path, text: str) -> None:
    """Atomically: another request may be reading it."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(name, path)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    return next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
