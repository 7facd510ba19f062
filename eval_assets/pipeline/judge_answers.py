"""Answers of a judge model that lmms-eval's functions asked, kept in the store."""

from __future__ import annotations

from datetime import UTC, datetime

from resources.store import Store
from resources.store.records import judge_answers


class StoredAnswers:
    """`task_defs.lmms_eval.endpoint.Answers` over a table of the store; read once, then written through."""

    def __init__(self, store: Store) -> None:
        self._table = judge_answers(store)
        self._known = {row["key"]: row["answer"] for row in self._table.rows()}

    def get(self, key: str) -> str | None:
        return self._known.get(key)

    def put(self, key: str, answer: str) -> None:
        self._known[key] = answer
        self._table.upsert([{"key": key, "answer": answer, "at": datetime.now(UTC)}])
