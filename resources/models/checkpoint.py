"""What can be evaluated: a directory of weights, an API model, a file of recorded answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

_STEP = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One evaluable model, as the store's `checkpoints` table keeps it.

    key:    `<run>.<step>`, or a plain name.
    model:  the implementation: `transformers`, `openai`, `recorded`, or an engine of models.yaml.
    source: directory, hub id, the endpoint's model name, or the table of recorded answers.
    signature, fingerprint: of `source` when it was hashed last; see `resources.models.identity`.
    """

    key: str
    model: str
    source: str
    model_args: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    step: int | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    signature: str | None = None
    fingerprint: str | None = None
    bytes: int | None = None
    suite: str | None = None
    problem: str | None = None

    @property
    def has_weights(self) -> bool:
        """Whether `source` is a folder of weights or a hub id, and no endpoint and no table of answers."""
        return self.model not in ("openai", "recorded", "baseline")

    def record(self) -> dict[str, Any]:
        row = asdict(self)
        row["checkpoint"] = row.pop("key")
        row["model_args"] = json.dumps(dict(self.model_args), sort_keys=True)
        return row

    @classmethod
    def from_record(cls, row: Mapping[str, Any]) -> Checkpoint:
        fields = dict(row)
        fields["key"] = fields.pop("checkpoint")
        fields["model_args"] = json.loads(fields["model_args"] or "{}")
        return cls(**fields)

    def with_identity(self, fingerprint: str, signature: str, size: int) -> Checkpoint:
        return replace(self, fingerprint=fingerprint, signature=signature, bytes=size, problem=None)


def step_of(name: str) -> int | None:
    """The last number in a folder's name: `step-004000` → 4000; None where there is none."""
    found = _STEP.search(name)
    return int(found.group(1)) if found else None
