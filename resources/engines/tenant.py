"""A cell at the host of a slot: what the two say to each other.

Whoever connects to its socket and says what is to be served waits for a lease, and holds it as long
as the connection stands and it shows signs of life. One JSON object a line, both ways:

    cell → {"want": {...}, "since": t}  as `Want`, and when it first asked
    host → {"event": "hello", ...}      at once, with the counters
    host → {"event": "waiting", "why"}, {"event": "progress", "line"}, {"event": "ready", "url", ...},
           {"event": "lost", "why"}     the engine died: it is started once more
           {"event": "failed", "why"}   nothing will come; the connection ends
    cell → {"in_flight": n}             whenever it becomes or stops being 0
    cell → {"alive": true}              every few seconds
    cell → {"release": true}            answered with {"event": "released", ...}

Or one question: {"ask": "status"}, {"ask": "stop"}, or {"ask": "yield"} for another slot that needs a GPU of this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tenant:
    """A connected cell: waiting, or holding a lease."""

    want: dict[str, Any]
    writer: asyncio.StreamWriter
    since: float = 0.0  # by the machine's monotonic clock, which all processes share
    seen: float = field(default_factory=time.monotonic)
    holds: bool = False
    in_flight: int = 0
    told: str = ""  # what it waits for, as it was told last

    async def tell(self, **message: Any) -> None:
        with contextlib.suppress(ConnectionError):  # its own end of the connection notices
            self.writer.write(json.dumps(message).encode() + b"\n")
            await self.writer.drain()
