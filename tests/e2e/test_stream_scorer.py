"""A stream whose scorer is gone: its cells say so, and others are planned."""

from __future__ import annotations

import json

import pytest

from tests.conftest import TaskFolder
from tests.videos import video


def test_what_needs_a_scorer_that_is_not_there_says_so_and_stops_no_other(tmp_path, shell):
    pytest.importorskip("av")
    question = {"time": 1, "question": "What?", "options": ["a", "b"], "answer": "b"}
    for name in ("with_one", "without"):
        folder = TaskFolder(tmp_path / "tasks" / name, name)
        (folder.path / "v.mp4").write_bytes(video(20, 10))
        folder.rows([{"id": "s", "video": "v.mp4", "questions": [question]}])
        params = {"policy": "relevant", "budget": 1, "scorer": "gone"} if name == "with_one" else {"budget": 1}
        folder.task(
            doc_to_text="", doc_to_visual="video", doc_to_target=None,
            judge={"name": "outcome", "shares": {"accuracy": ["right", "asked"]}},
            episode={"player": "stream", "max_steps": 9, "params": params}, metric_list=["accuracy"],
        )  # fmt: skip
    words = ("run", "--checkpoint", "oracle", "--model", "baseline")
    assert "scorer: no directory gone. A model of the hub is named" in shell(*words, "--tasks", "with_one", code=1)
    shell(*words, "--tasks", "without")
    planned = {row["task"]: row["reason"] for row in json.loads(shell("plan", "--json"))}
    assert planned["without"] == "complete"
    assert planned["with_one"].startswith("scorer: no directory gone")
