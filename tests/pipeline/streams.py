"""Streams of numbered frames, 25 a second for 10 s, and tasks over them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from tests.videos import number_of, video

pytest.importorskip("av")

FPS = 25
FILM = video(250, FPS)
LONG = video(250, FPS, container="matroska")
PARAMS = {"fps": 1, "policy": "window", "budget": 3}
SHARES = {
    "accuracy": ["right", "asked"],
    "missed": ["missed", "events"],
    "false_alarms": ["false_alarms", "quiet"],
    "kept_up": ["kept_up", "timed"],
}
RATIOS = {
    "latency": ["latency", "detected"],
    "frames": ["frames", "steps"],
    "tokens": ["tokens", "token_steps"],
}
JUDGE = {"name": "outcome", "shares": SHARES, "ratios": RATIOS, "lower": ["latency", "missed", "false_alarms"]}
QUESTION = {"time": 5, "kind": "backward", "question": "Which?", "options": ["cat", "dog"], "answer": "B"}
LAST = {**QUESTION, "time": 9}
EVENT = {"question": "Has it happened?", "at": 3.2}


def write_rows(folder, questions, events, *, copies=1, data=None) -> None:
    """A row and a film of its own for each copy, with these questions and events."""
    rows = []
    for i in range(copies):
        (folder.path / f"v{i}.mp4").write_bytes(data or (video(250, FPS, salt=i * 256) if i else FILM))
        rows.append({"id": f"s{i}", "video": f"v{i}.mp4", "questions": list(questions), "events": list(events)})
    folder.rows(rows)


def seconds(pictures: Sequence[str]) -> list[float]:
    """The times of frames, read from the pictures themselves."""
    return [number_of(base64.b64decode(url.partition(",")[2])) % 256 / FPS for url in pictures]


def watched(folder):
    """Makes tasks that ask these questions and watch for these events."""

    def task(questions=(), events=(), *, params=PARAMS, data=None, max_steps=50, copies=1, **changes):
        write_rows(folder, questions, events, copies=copies, data=data)
        episode = {"player": "stream", "max_steps": max_steps, "params": params}
        return folder.task(
            **{
                "doc_to_text": "Watch.",
                "doc_to_visual": "video",
                "doc_to_target": None,
                "episode": episode,
                "judge": JUDGE,
                "metric_list": [*SHARES, *RATIOS],
                **changes,
            }
        )

    return task


def shown(request) -> list[float]:
    """The seconds of the frames in a request."""
    return seconds(request.pictures)
