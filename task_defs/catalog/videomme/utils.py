"""Rows of Video-MME: where each video lies, and the subtitles that are shown with the sampled frames."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FRAMES = 32  # as `video.num_frames` in the YAML: chosen at ingestion, which does not look at that field
_SUFFIXES = (".mp4", ".MP4", ".mkv")
_TIMES = re.compile(r"(\d+):(\d+):(\d+)[,.](\d+)\s*-->\s*(\d+):(\d+):(\d+)[,.](\d+)")
_TAG = re.compile(r"<[^>]*>")  # <font color="white" size=".72c">


def with_video(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`video`: its path, with the suffix that the file has."""
    for doc in docs:
        names = [f"data/{doc['videoID']}{suffix}" for suffix in _SUFFIXES]
        yield {**doc, "video": next((name for name in names if (root / name).is_file()), names[0])}


def with_subtitles(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`subtitles`: the lines that are shown at one of the frames, one a line; "" where the video has none."""
    if task.video.num_frames != FRAMES:
        raise ValueError(
            f"subtitles are chosen for {FRAMES} frames, the task takes {task.video.num_frames}: "
            "copy videomme/utils.py beside your task and change FRAMES there as well"
        )
    read: dict[str, str] = {}
    for doc in with_video(docs, root, task):
        name = doc["videoID"]
        if name not in read:
            read = {name: _subtitles(root / "subtitle" / f"{name}.srt", root / doc["video"])}  # questions lie together
        yield {**doc, "subtitles": read[name]}


def _subtitles(file: Path, video: Path) -> str:
    if not file.is_file() or not video.is_file():  # without its video a question is never asked
        return ""
    times = _frame_times(video)
    lines = parse_srt(file.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(text for start, end, text in lines if any(start <= time < end for time in times))


def parse_srt(text: str) -> Iterable[tuple[float, float, str]]:
    """(start, end, text) of each entry, in seconds; markup is left out, the lines of an entry joined."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        _, found, rest = block.partition("-->")
        if not found or not (match := _TIMES.search(block)):
            continue
        hours, minutes, seconds, milli, *end = map(int, match.groups())
        words = _TAG.sub("", " ".join(rest.splitlines()[1:])).strip()
        if words:
            yield _seconds(hours, minutes, seconds, milli), _seconds(*end), words


def _seconds(hours: int, minutes: int, seconds: int, milli: int) -> float:
    return hours * 3600 + minutes * 60 + seconds + milli / 1000


def _frame_times(video: Path) -> list[float]:
    """Seconds at which the FRAMES frames that are sent stand, from the video's header."""
    import av

    with av.open(str(video), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        length = (container.duration or 0) / 1_000_000
        frames = stream.frames or round(length * rate)
    return [i * (frames - 1) // (FRAMES - 1) / rate for i in range(FRAMES)]
