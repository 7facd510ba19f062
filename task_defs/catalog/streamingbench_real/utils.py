"""Rows of StreamingBench: one for each question that is asked of a stream, with the part seen before it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTEXT = 60  # seconds


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`start` and `end`: the seconds before the question's time stamp; `options` begin with their letters."""
    asked: Counter[str] = Counter()
    for doc in docs:
        video = doc["video_path"].removeprefix("./")
        for question in doc["questions"]:
            end = _seconds(question["time_stamp"])
            options = question["options"]
            if not options[0].startswith("A."):
                options = [f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True)]
            yield {
                "id": f"{Path(video).stem}_{asked[video]}",
                "video": video,
                "start": max(0, end - CONTEXT),
                "end": end,
                "task_type": question["task_type"],
                "question": question["question"],
                "options": options,
                "answer": question["answer"],
            }
            asked[video] += 1


def _seconds(clock: str) -> int:
    """Of "00:03:10", or "03:10"."""
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds
