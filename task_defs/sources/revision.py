"""Which commit of a data set on the hub a task's rows are of."""

from __future__ import annotations

import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}")


def downloaded(root: Path) -> str | None:
    """The commit that `hf download --local-dir` noted beside its files; None without notes, or with several commits."""
    notes = (root / ".cache" / "huggingface" / "download").rglob("*.metadata")
    commits = {note.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip() for note in notes}
    commit = commits.pop() if len(commits) == 1 else ""
    return commit if COMMIT.fullmatch(commit) else None


def on_hub(path: str, revision: str | None) -> str | None:
    """The commit that a branch of a data set (None: its main one) is at now; None where the hub does not say."""
    if revision and COMMIT.fullmatch(revision):
        return revision
    try:
        from huggingface_hub import HfApi

        return HfApi().dataset_info(path, revision=revision, timeout=30).sha
    except Exception:  # reading the rows, which comes next, fails in the same way and says what to do
        return None
