"""A score against the number of frames, as a user types it. The model that answers looks at what it is sent."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from tests.conftest import Reply, TaskFolder
from tests.videos import number_of, video

pytest.importorskip("av")
ROOT = Path(__file__).resolve().parents[2]
# Frames of a video, and for how many of them what is asked about is to be seen.
LENGTHS, SHOWN = {"short": 100, "long": 1500}, 50


@pytest.fixture
def evals(tmp_path: Path, shell):
    """`evals` with a task of 40 questions on two videos: was any of the frames 50 to 99 to be seen, say?"""
    folder = TaskFolder(tmp_path / "tasks", "flashes")
    rows = []
    for name, frames in LENGTHS.items():
        (folder.path / f"{name}.mp4").write_bytes(video(frames, gop=50))
        firsts = [n * (frames - SHOWN) // 19 for n in range(20)]
        asked = [f"Is one of {first} to {first + SHOWN - 1} here?" for first in firsts]
        rows += [
            {"id": f"{name}{n}", "question": question, "answer": "yes", "video": f"{name}.mp4"}
            for n, question in enumerate(asked)
        ]
    folder.rows(rows).task(doc_to_visual="video", video={"num_frames": 4}, cluster_key="id")
    return shell


def looking(request, number) -> Reply:
    first, last = map(int, re.findall(r"\d+", request.text))
    seen = [number_of(base64.b64decode(url.partition(",")[2])) for url in request.pictures]
    return Reply(text="yes" if any(first <= n <= last for n in seen) else "no")


def test_from_numbers_of_frames_to_a_curve_by_length(evals, endpoint, tmp_path):
    endpoint.answer = looking
    sweep = ["sweep-frames", "api", "flashes", "--frames", "2,8,32", "--model", "openai"]
    sweep += ["--model-args", f"model=m,base_url={endpoint.url},max_retries=0,image_tokens=100"]
    data = json.loads(evals(*sweep, "--json"))
    groups = {group["name"]: group for group in data["groups"]}
    assert {name: group["items"] for name, group in groups.items()} == {
        "all": 40,
        "up to 15 s": 20,
        "15 s to 1 min": 20,
    }

    score = {name: [p["value"] for p in group["points"]] for name, group in groups.items()}
    assert score["up to 15 s"][1:] == [1.0, 1.0], "eight frames show every two seconds of four"
    assert score["15 s to 1 min"] == [0.1, *score["15 s to 1 min"][1:2], 1.0], "of a minute the first and the last"
    assert score["15 s to 1 min"][0] < score["15 s to 1 min"][1] < 1
    last = groups["all"]["points"][-1]
    assert last["ci_low"] <= last["value"] <= last["ci_high"]
    assert last["vs_fewest"]["mean_diff"] == pytest.approx(score["all"][2] - score["all"][0])
    assert last["vs_fewest"]["p_adjusted"] < 0.05
    assert [(entry["answers"], entry["prompt_tokens"]) for entry in data["asked"]] == [(40, 7)] * 3

    assert len(endpoint.seen) == 120
    shown = evals(*[word.replace("2,8,32", "2,8,64") for word in sweep])
    assert len(endpoint.seen) == 160, "only the number that is new is asked"
    assert "against them, in points, on the same items: " in shown
    page = Path(shown.rpartition("page: ")[2].strip())
    assert page.read_text().count("<svg") == 3


def test_what_cannot_be_swept_over_is_refused(evals, tmp_path):
    api = ["--model", "openai", "--model-args", "model=m"]
    said = evals("sweep-frames", "api", "flashes", "--frames", "8", *api, code=1)
    assert "give two numbers of frames or more" in said
    TaskFolder(tmp_path / "tasks", "flashes").rows([{"id": "1", "question": "?", "answer": "yes"}]).task()
    assert "task flashes has no videos" in evals("sweep-frames", "api", "flashes", *api, code=1)
