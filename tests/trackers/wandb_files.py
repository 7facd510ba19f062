"""Read `run-*.wandb`: LevelDB's log format around W&B's own protobuf records."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _FILE_HEADER, _HEADER = 32768, 7, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def records(file: Path) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, parts = file.read_bytes(), _FILE_HEADER, b""
    while at + _HEADER <= len(data):
        if _BLOCK - at % _BLOCK < _HEADER:  # too little for a header: the block is padded
            at += _BLOCK - at % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        body = data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        parts = body if kind in {_FULL, _FIRST} else parts + body
        if kind in {_FULL, _LAST}:
            record = Record()
            record.ParseFromString(parts)
            yield record


class RunFile:
    """What one `wandb.init` ... `finish` left: run, history rows, summary, config, axes."""

    def __init__(self, file: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.axis: dict[str, str] = {}
        self.ended = False
        for record in records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
            elif kind == "history":
                self.rows.append(_items(record.history.item))
            elif kind == "summary":
                self.summary |= _items(record.summary.update)
            elif kind == "config":
                self.config |= _items(record.config.update)
            elif kind == "metric" and record.metric.step_metric:
                self.axis[record.metric.name] = record.metric.step_metric
            elif kind == "exit":
                self.ended = True


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
