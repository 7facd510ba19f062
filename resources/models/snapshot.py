"""Which model an endpoint really answers with: aliases move."""

from __future__ import annotations

from collections.abc import Callable

from resources.models.base import ModelUnusable


class Snapshot:
    """Holds the models that replies name against the one that was asked for and the one that is pinned.

    model:  the name that is asked for, often an alias. pinned: the snapshot that it is to stand for, or a
            part of its name (`2025-08-07`); "": any. An endpoint that repeats the alias tells nothing.
    """

    def __init__(self, model: str, base_url: str, pinned: str, log: Callable[[str], None]) -> None:
        self._model, self._base_url, self._pinned, self._log = model, base_url, pinned, log
        self._named: set[str] = set()

    def see(self, served_by: str) -> None:
        """A reply's `served_by`. Raises ModelUnusable if it is not the pinned one; says so when a second one comes."""
        name = served_by.partition("+")[0]
        if name in self._named or not name:
            return
        self._named.add(name)
        if self._pinned and name != self._model and self._pinned not in name:
            raise ModelUnusable(
                f"snapshot={self._pinned} is pinned, but {self._base_url} answers {self._model!r} with {name!r}: "
                "this answer is not kept. Name the snapshot itself as model=, or pin the new one"
            )
        if len(self._named) == 2:
            self._log(
                f"{self._model} at {self._base_url} is served by more than one model "
                f"({', '.join(sorted(self._named))}): name a snapshot as model= where there is one"
            )
