"""Whose checkpoint an engine serves: pure decisions over who holds it and who waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiter:
    """A cell that wants an engine. key: of what is to be served; since: when it asked (monotonic)."""

    id: int
    key: str
    since: float


@dataclass(frozen=True, slots=True)
class Decision:
    """key: what should be served now; granted: the waiters that get it."""

    key: str | None
    granted: tuple[int, ...] = ()


def decide(serving: str | None, holders: int, waiting: Sequence[Waiter], now: float, patience: float) -> Decision:
    """Oldest first, by checkpoint and not by cell, and nobody starves.

    The served checkpoint keeps the engine while it has cells, those that come later included: a
    start costs more than a cell's wait. But once somebody else has waited for `patience` seconds,
    only cells that came before him are let in, the engine empties and is his.
    """
    others = [w for w in waiting if w.key != serving]
    oldest = min((w.since for w in others), default=None)
    ours = [w for w in waiting if w.key == serving]
    if oldest is not None and now - oldest > patience:
        ours = [w for w in ours if w.since < oldest]
    if serving is not None and (ours or holders):
        return Decision(serving, tuple(w.id for w in ours))
    if not others:
        return Decision(serving)
    key = min(others, key=lambda w: w.since).key
    return Decision(key, tuple(w.id for w in others if w.key == key))
