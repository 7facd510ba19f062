"""The ledger of wanted cells: filled by sensors, services and the shell, drained by one sensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from resources.store import Store
from resources.store.records import wanted
from resources.store.tables import quoted

WANTED, DONE, FAILED = "wanted", "done", "failed"


@dataclass(frozen=True, slots=True)
class Wish:
    """A cell that somebody wants. Higher priorities first, then older wishes."""

    checkpoint: str
    task: str
    who: str
    priority: int = 0
    state: str = WANTED
    reason: str = ""
    at: datetime | None = None

    def record(self) -> dict[str, Any]:
        return {
            "checkpoint": self.checkpoint,
            "task": self.task,
            "who": self.who,
            "priority": self.priority,
            "state": self.state,
            "reason": self.reason,
            "at": self.at or datetime.now(UTC),
        }


def wish_for(store: Store, wishes: Iterable[Wish]) -> None:
    """Put cells into the ledger; one that is there is wanted again."""
    wanted(store).upsert([w.record() for w in wishes])


def settle(store: Store, wish: Wish, state: str, reason: str = "") -> None:
    """Mark a wish as done or failed."""
    wanted(store).upsert([{**wish.record(), "state": state, "reason": reason}])


def wishes(store: Store, state: str = WANTED) -> list[Wish]:
    """The ledger's wishes in a state, in the order in which they are served."""
    rows = wanted(store).rows(f"state = {quoted(state)}")
    found = [Wish(**{k: row[k] for k in Wish.__slots__}) for row in rows]
    return sorted(found, key=lambda w: (-w.priority, w.at or datetime.min.replace(tzinfo=UTC), w.checkpoint, w.task))
