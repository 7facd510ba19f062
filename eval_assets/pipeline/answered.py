"""Which answers of a cell are stored, as sorted 64-bit hashes of this process: 8 bytes an answer."""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING

from resources.store.outputs import OutputsTable

if TYPE_CHECKING:
    import numpy as np


def stored_hashes(table: OutputsTable) -> tuple[np.ndarray, np.ndarray]:
    """Sorted hashes of the stored rows, and of their requests."""
    import numpy as np

    rows, requests = array("q"), array("q")
    for item_id, sample, step, key in table.identities():
        rows.append(hash((item_id, sample, step, key)))
        requests.append(hash(key))
    return np.sort(np.asarray(rows)), np.sort(np.asarray(requests))


def place(hashes: np.ndarray, wanted: int) -> int | None:
    """Where a hash stands among sorted ones; None where it does not."""
    at = int(hashes.searchsorted(wanted))
    return at if at < len(hashes) and hashes[at] == wanted else None


def responses_digest(table: OutputsTable, wanted: array[int]) -> str:
    """Of the cell's responses, whatever order they came in: a sum of hashes. wanted: of the cell's rows."""
    import numpy as np

    identities = np.unique(np.asarray(wanted))
    counted = np.zeros(len(identities), bool)
    total = 0
    for row in table.answers():
        identity = hash((row["item_id"], row["sample"], row["step"], row["request_key"]))
        at = place(identities, identity)
        if at is None or counted[at]:
            continue
        counted[at] = True
        parts = [row["item_id"], str(row["sample"]), row["request_key"], row["text"] or "", row["finish_reason"]]
        parts += [str(row["loglikelihoods"]), row["error_kind"] or ""]
        parts += [row["reasoning"]] if row.get("reasoning") else []
        total += int.from_bytes(hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()[:16], "big")
    return f"{total % 2**128:032x}"
