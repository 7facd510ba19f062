"""One item of the desk: its data, its customer, and what a right agent does; how a conversation is measured by it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from resources.episodes.base import EpisodeFailed
from resources.episodes.desk.answers import Call, NoAction, read_action
from resources.episodes.desk.shop import Shop, ToolError
from resources.episodes.desk.tools import InvalidCall, checked, ran

_FIELDS: dict[str, type] = {"data": dict, "customer": dict, "actions": list, "tell": list}
_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?![\w-])")


@dataclass(frozen=True)
class Case:
    """data: the shop's. customer: see `Customer`. actions: answers of a right agent, in order. tell: facts to be told.

    goal: the data as the right agent's calls leave them.
    """

    data: Mapping[str, Any]
    customer: Mapping[str, Any]
    actions: tuple[str, ...]
    tell: tuple[str, ...]
    goal: Mapping[str, Any]

    @classmethod
    def of(cls, doc: Mapping[str, Any]) -> Case:
        """Raises EpisodeFailed for a row that is no case, with the field."""
        fields = {name: _json(doc, name, kind) for name, kind in _FIELDS.items()}
        if not fields["customer"].get("opens"):
            raise EpisodeFailed("the row's `customer` has no `opens`: ways to say what they want")
        shop, actions = Shop.of(fields["data"]), [json.dumps(a, ensure_ascii=False) for a in fields["actions"]]
        for number, text in enumerate(actions):
            try:
                action = read_action(text)
                if isinstance(action, Call):
                    ran(checked(action), shop)
            except (NoAction, InvalidCall, ToolError) as error:
                raise EpisodeFailed(f"the row's `actions`, number {number}: {error}") from error
        return cls(fields["data"], fields["customer"], tuple(actions), tuple(fields["tell"]), shop.data)

    def untold(self, said: Sequence[str]) -> list[str]:
        """Facts that the desk never told. A number counts by its value wherever it stands, a text word by word."""
        whole = " ".join(said)
        numbers = {Decimal(n.replace(",", "")) for n in _NUMBER.findall(whole)}
        return [fact for fact in self.tell if not _is_told(fact, whole, numbers)]


def _is_told(fact: str, whole: str, numbers: set[Decimal]) -> bool:
    if _NUMBER.fullmatch(fact):
        return abs(Decimal(fact)) in {abs(n) for n in numbers}
    return re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", whole, re.I) is not None


def _json(doc: Mapping[str, Any], name: str, kind: type) -> Any:
    try:
        found = json.loads(doc[name])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise EpisodeFailed(f"the row's `{name}` is no JSON text: {error!r}") from error
    if not isinstance(found, kind):
        raise EpisodeFailed(f"the row's `{name}` must be {'an object' if kind is dict else 'a list'} in JSON")
    return found
