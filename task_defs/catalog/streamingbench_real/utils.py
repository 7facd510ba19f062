"""Rows of StreamingBench: one for each question with the part seen before it, or one for each video as a stream."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTEXT = 60  # seconds
AFTER = 4  # seconds behind the right time up to which a model is asked whether to speak


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`start` and `end`: the seconds before the question's time stamp; `options` begin with their letters."""
    asked: Counter[str] = Counter()
    for doc in docs:
        video = doc["video_path"].removeprefix("./")
        for question in doc["questions"]:
            end = _seconds(question["time_stamp"])
            yield {
                "id": f"{Path(video).stem}_{asked[video]}",
                "video": video,
                "start": max(0, end - CONTEXT),
                "end": end,
                "task_type": question["task_type"],
                "question": question["question"],
                "options": _lettered(question["options"]),
                "answer": question["answer"],
            }
            asked[video] += 1


def streams(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """A row each video, its questions at their times: entries about one video are put together."""
    for video, asked in _by_video(docs):
        questions = [
            {
                "kind": "present",
                "time": _seconds(question["time_stamp"]),
                "question": question["question"],
                "options": _lettered(question["options"]),
                "answer": question["answer"],
            }
            for question in asked
        ]
        yield {"id": Path(video).stem, "video": video, "questions": questions}


def proactive(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """A row each video; of each of its questions, when the model is to speak. Asked each second from the one behind
    its time stamp on, up to 4 s behind the right time (StreamingBenchProactive.py of the authors).
    """
    for video, asked in _by_video(docs):
        events = [
            {
                "question": _now(question["question"], question["ground_truth_output"]),
                "from": _seconds(question["time_stamp"]) + 1,
                "at": _seconds(question["ground_truth_time_stamp"]),
                "until": _seconds(question["ground_truth_time_stamp"]) + AFTER,
            }
            for question in asked
        ]
        yield {"id": Path(video).stem, "video": video, "events": events}


def _now(question: str, output: str) -> str:
    return f'{question} Is it the right time to output "{output}"? You can only answer yes or no.'


def _by_video(docs: Iterator[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for doc in docs:
        found.setdefault(doc["video_path"].removeprefix("./"), []).extend(doc["questions"])
    return list(found.items())


def _lettered(options: list[str]) -> list[str]:
    if options[0].startswith("A."):
        return options
    return [f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True)]


def _seconds(clock: str) -> int:
    """Of "00:03:10", or "03:10"."""
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds
