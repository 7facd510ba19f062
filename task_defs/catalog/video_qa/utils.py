"""Open questions about videos: where each video is, and the judge's yes or no with its score from 0 to 5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judges.reply import name, number, verdict_of


def activitynet(docs: Iterator[dict[str, Any]], root: Path | None, task: Any) -> Iterator[dict[str, Any]]:
    """ActivityNet-QA: `video_name` names the file; questions lack their capital letter and question mark."""
    for doc in docs:
        question = str(doc["question"]).strip()
        yield {
            **doc,
            "question": question[:1].upper() + question[1:] + ("" if question.endswith("?") else "?"),
            "video": _file(root, f"v_{doc['video_name']}"),
        }


def msvd(docs: Iterator[dict[str, Any]], root: Path | None, task: Any) -> Iterator[dict[str, Any]]:
    """MSVD-QA: `video_id` numbers the file."""
    for doc in docs:
        question = str(doc["question"]).strip()
        yield {**doc, "video": doc.get("video") or _file(root, f"vid{doc['video_id']}"), "question": question}


def _file(root: Path | None, stem: str) -> str:
    """The video in the folder `videos`, whatever its container."""
    names = [f"videos/{stem}{suffix}" for suffix in (".mp4", ".mkv", ".webm", ".avi")]
    return next((one for one in names if root is not None and (root / one).is_file()), names[0])


def verdict(text: str) -> dict[str, float]:
    """`pred` as 1 (yes) or 0 (no), and `score` from 0 to 5 as a fraction of 5; both must be there.

    The published parser cuts a score to its whole part, so that the 4.8 of its own example is 4: so it is here.
    """
    said = verdict_of(text, "pred", lambda value: name(value, ("yes", "no")), "pred yes or no")
    points = verdict_of(text, "score", lambda value: number(value, 0, 5), "a score from 0 to 5")
    return {"score": float(said == "yes"), "rating": int(points) / 5}
