"""The ledger of wanted cells: filled by sensors, services and the shell, drained by one sensor.

One row for a cell and who wants it: a cell that two want is run once, and when one of them no longer
wants it, it is still the other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from resources.store import Store
from resources.store.records import wanted
from resources.store.tables import quoted

WANTED, DONE, FAILED, CANCELLED = "wanted", "done", "failed", "cancelled"


@dataclass(frozen=True, slots=True)
class Wish:
    """A cell that somebody wants. Higher priorities first, then older wishes.

    variant: how it departs from the task's definition (`Variant.text`). reason: why it waits, or failed.
    at: when it was wished for; attempts are counted from then on.
    """

    checkpoint: str
    task: str
    who: str
    priority: int = 0
    state: str = WANTED
    reason: str = ""
    at: datetime | None = None
    variant: str = ""

    @property
    def cell(self) -> tuple[str, str, str]:
        return self.checkpoint, self.task, self.variant


def wish_for(store: Store, wishes: Iterable[Wish]) -> None:
    """Put wishes into the ledger; one that is there is wanted again."""
    now = datetime.now(UTC)
    wanted(store).upsert([{**asdict(w), "at": w.at or now} for w in wishes])


def settle(store: Store, wishes: Iterable[Wish], state: str, reason: str = "") -> None:
    """Put open wishes into another state, or give them another reason.

    One that was settled or wished for again since it was read stays as it is.
    """
    records = [asdict(replace(w, state=state, reason=reason)) for w in wishes]
    wanted(store).upsert(records, only_if=f"target.state = {quoted(WANTED)} AND target.at = source.at")


def wishes(store: Store, state: str = WANTED, who: str | None = None) -> list[Wish]:
    """The ledger's wishes in a state, in the order in which they are served."""
    whose = "" if who is None else f" AND who = {quoted(who)}"
    return in_order(wanted(store).rows(f"state = {quoted(state)}{whose}"))


def in_order(rows: Iterable[dict[str, object]]) -> list[Wish]:
    """Rows of the ledger as wishes, in the order in which they are served."""
    found = [Wish(**{k: row[k] for k in Wish.__slots__ if k in row}) for row in rows]  # type: ignore[arg-type]
    return sorted(found, key=lambda w: (-w.priority, w.at or datetime.min.replace(tzinfo=UTC), w.cell))


def by_cell(ordered: Sequence[Wish]) -> list[list[Wish]]:
    """The wishes of each cell together, cells in the order of their first wish."""
    first = {wish.cell: number for number, wish in reversed(list(enumerate(ordered)))}
    together = sorted(ordered, key=lambda w: first[w.cell])
    return [list(group) for _, group in groupby(together, key=lambda w: w.cell)]
