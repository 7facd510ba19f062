"""How each judge's rule was checked on real answers: `checked.yaml`, which says what its fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict


class Check(BaseModel):
    """One comparison of a judge's rule with what others published; see `checked.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judges: tuple[str, ...]
    rules: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    metric: str = ""
    answers: int
    differing: int = 0
    of: str = ""
    said: str = ""
    shown: tuple[str, ...]

    def covers(self, task: str, judge: Mapping[str, Any]) -> bool:
        """Whether it is of this task's judge, given as `{name: ..., rule: ...}`."""
        if judge["name"] not in self.judges or (self.tasks and task not in self.tasks):
            return False
        return not self.rules or judge.get("rule") in self.rules


@cache
def checks() -> tuple[Check, ...]:
    """All of them, in the file's order."""
    rows = yaml.safe_load(Path(__file__).with_name("checked.yaml").read_text(encoding="utf-8"))
    return tuple(Check.model_validate(row) for row in rows)


def checks_of(task: str, judge: Mapping[str, Any]) -> list[Check]:
    """Those of one task's judge."""
    return [check for check in checks() if check.covers(task, judge)]
