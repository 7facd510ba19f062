"""Requests that failed in a way that may pass: counted by cause, until the way to the model is called down."""

from __future__ import annotations

from dataclasses import dataclass, field

from resources.models import ModelUnusable, Response
from resources.models.base import PERMANENT

# The way to the model is down when this many requests in a row have failed after all their retries.
GIVE_UP_AFTER = 64
_CAUSES = 10


@dataclass
class Failures:
    count: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    _in_a_row: int = 0

    def kept(self, response: Response) -> bool:
        """Whether this response is stored: an answer, or an error that belongs to the request itself.

        Raises ModelUnusable where too many before it were none, one after another.
        """
        error = response.error
        if error is None or error.kind in PERMANENT:
            self._in_a_row = 0
            return True
        self.count += 1
        self._in_a_row += 1
        cause = f"{error.kind}: {error.message[:200]}"
        if cause in self.causes or len(self.causes) < _CAUSES:
            self.causes[cause] = self.causes.get(cause, 0) + 1
        if self._in_a_row >= GIVE_UP_AFTER:
            raise ModelUnusable(f"{self._in_a_row} requests failed one after another: {self}")
        return False

    def __str__(self) -> str:
        return "; ".join(f"{count} x {cause}" for cause, count in self.causes.items())
