"""Rows as JSON-able data, whatever library read them."""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

BYTES = (bytes, bytearray, memoryview)


def plain(value: Any, keep_bytes: bool = False) -> Any:  # one return a type
    """The value as JSON-able data; raises TypeError, which names the place, where it cannot be.

    NaN is null; an infinity is "inf" or "-inf"; a Decimal is its exact text; dates and times are
    ISO 8601; a duration is seconds; arrays are lists.
    keep_bytes: leave bytes as they are (media of a row that was just read); otherwise bytes become
    {"sha256", "size"}, so that a row's identity still depends on them.
    """
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return None if math.isnan(value) else str(float(value))
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, BYTES):
        data = bytes(value)
        return data if keep_bytes else {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    if isinstance(value, Mapping):
        return {str(k): _inner(v, k, keep_bytes) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(v, i, keep_bytes) for i, v in enumerate(value)]
    return _from_library(value, keep_bytes)


def _from_library(value: Any, keep_bytes: bool) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (Decimal, UUID, str)):  # a str: an enumeration's, numpy's
        return str(value)
    if isinstance(value, int):
        return int(value)
    if callable(to_list := getattr(value, "tolist", None)):  # numpy scalars and arrays
        return plain(to_list(), keep_bytes)
    raise TypeError(f"a {type(value).__module__}.{type(value).__name__} cannot be kept as JSON")


def _inner(value: Any, key: Any, keep_bytes: bool) -> Any:
    try:
        return plain(value, keep_bytes)
    except TypeError as error:
        text = str(error)
        raise TypeError(f"{key}.{text}" if text.startswith("field ") else f"field {key}: {text}") from error


def plain_doc(doc: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is stored with its item: JSON-able, bytes by their hash."""
    return {str(k): _inner(v, k, False) for k, v in doc.items()}
