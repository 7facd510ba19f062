"""Media as files, for an engine on the same disk: nothing is encoded, sent and decoded again."""

from __future__ import annotations

import mimetypes
import os
import shutil
import uuid
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from resources.engines.processes import identity
from resources.models.base import Instance, Media

KEPT = 1024  # files at a time: more than requests in flight have media; questions on one medium are neighbours


class MediaFiles:
    """Files of one model's requests, below a folder that the engine may read. `close` removes them.

    Those of processes that were killed are removed by whoever comes next.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():
            boot, pid, start, _ = left.name.split(":")
            if identity(int(pid)) != f"{boot}:{pid}:{start}":
                shutil.rmtree(left, ignore_errors=True)
        self._own = folder / f"{identity(os.getpid())}:{uuid.uuid4().hex}"
        self._own.mkdir()
        self._files: OrderedDict[str, tuple[Media, Path]] = OrderedDict()

    def instance(self, request: Instance) -> Instance:
        """The request with its pictures and videos by their files' addresses; sound has none in a request."""
        if not any(media.kind != "audio" and media.sha for media in request.media_list):
            return request
        return replace(request, media_list=[self._of(media) for media in request.media_list])

    def _of(self, media: Media) -> Media:
        if media.kind == "audio" or not media.sha:
            return media
        if media.sha not in self._files:
            path = self._own / f"{media.sha}{mimetypes.guess_extension(media.mime) or ''}"
            path.write_bytes(media.data)
            filed = replace(media)
            filed.__dict__["data_url"] = path.as_uri()  # in the place of what would be encoded
            self._files[media.sha] = filed, path
            if len(self._files) > KEPT:
                self._files.popitem(last=False)[1][1].unlink()
        self._files.move_to_end(media.sha)
        return self._files[media.sha][0]

    def close(self) -> None:
        shutil.rmtree(self._own, ignore_errors=True)
