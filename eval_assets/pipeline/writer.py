"""Rows that reach the store within a second, in batches, while others are still under way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resources.store import StoreUnwritable

EVERY = 0.5  # seconds between flushes
ROWS = 512  # or this many rows


class RowWriter:
    """Appends rows from a buffer, in a thread. `async with` flushes the rest, whatever happened."""

    def __init__(self, append: Callable[[Sequence[Mapping[str, Any]]], None]) -> None:
        self._append = append
        self._rows: list[Mapping[str, Any]] = []
        self._full = asyncio.Event()
        self._closing = False

    async def add(self, row: Mapping[str, Any]) -> None:
        """Buffer a row; raises what the last flush failed with."""
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._full.set()
        if self._flusher.done():
            await self._flusher

    async def __aenter__(self) -> RowWriter:
        self._flusher = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closing = True
        self._full.set()
        await asyncio.shield(self._flusher)

    async def _flush_regularly(self) -> None:
        while True:
            if not self._closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), EVERY)
                self._full.clear()
            rows, self._rows = self._rows, []
            if rows:
                await asyncio.to_thread(self._flush, rows)
            elif self._closing:
                return

    def _flush(self, rows: list[Mapping[str, Any]]) -> None:
        try:
            self._append(rows)
        except (OSError, RuntimeError) as error:
            raise StoreUnwritable(
                f"{len(rows)} answers could not be stored ({error}). Those stored before are safe: "
                "make space or mend the store, then run again"
            ) from error
