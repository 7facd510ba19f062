"""The shop behind the desk: its data, and what its policy says of who may do what."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

EXCHANGE_DAYS = 30
REASONS = ("no longer needed", "ordered by mistake")

POLICY = f"""\
Policy of the desk
1. First find the customer: by e-mail address, or by name and postcode. Look at and change only that customer's orders.
2. Before every change tell the customer what you are going to change and ask whether to go ahead. Change it only \
after they agreed.
3. An order may be cancelled only while its status is "open", and only because it is "{REASONS[0]}" or \
"{REASONS[1]}". Afterwards tell the customer the sum that is paid back.
4. An order may be sent to another address only while its status is "open". Afterwards tell the customer the day on \
which it is due.
5. An item may be exchanged only if its order is "delivered", at most {EXCHANGE_DAYS} days after the day of delivery, \
for another variant of the same product that is in stock. Afterwards tell the customer the difference in price.
6. Refuse whatever these rules do not allow, and tell the customer what stands against it, in the words of the \
records: the order's status, the day of its delivery, that a variant is out of stock, or the two reasons that count.
7. Write days as YYYY-MM-DD and sums with two decimals, as the records have them.
8. When everything is done, ask whether there is anything else."""


class ToolError(ValueError):
    """A tool cannot do what it was asked: there is no such order, customer or variant."""


@dataclass
class Shop:
    """The data, which tools change, and what the desk knows of the conversation.

    data:   {"today": day, "customers": {id: ...}, "orders": {id: ...}, "products": {id: ...}}.
    known:  customers that were found in this conversation.
    agreed: whether the latest words of the customer were that the desk may go ahead.
    """

    data: dict[str, Any]
    known: set[str] = field(default_factory=set)
    agreed: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Shop:
        """A shop of its own: the given data stay as they are."""
        return cls(copy.deepcopy(dict(data)))

    def record(self, kind: str, key: str) -> dict[str, Any]:
        """One customer, order or product. Raises ToolError."""
        found: dict[str, Any] | None = self.data[kind].get(key)
        if found is None:
            raise ToolError(f"no {kind[:-1]} {key!r}")
        return found

    def variant(self, product: str, variant: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self.record("products", product)["variants"].get(variant)
        if found is None:
            raise ToolError(f"product {product!r} has no variant {variant!r}")
        return found

    def line(self, order_id: str, variant: str) -> dict[str, Any]:
        """The item of an order that is of this variant. Raises ToolError."""
        for item in self.record("orders", order_id)["items"]:
            if item["variant"] == variant:
                return dict(item)
        raise ToolError(f"order {order_id!r} has no item {variant!r}")

    def days_since_delivery(self, order_id: str) -> int | None:
        delivered = self.record("orders", order_id).get("delivered")
        return (date.fromisoformat(self.data["today"]) - date.fromisoformat(delivered)).days if delivered else None


def differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Where two states differ: `orders.W1001.status: 'open', not 'cancelled'`."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        names = [*found, *(n for n in wanted if n not in found)]
        return [
            d for n in names for d in differences(found.get(n), wanted.get(n), f"{path}.{n}" if path else str(n))
        ]  # fmt: skip
    return [] if found == wanted else [f"{path}: {found!r}, not {wanted!r}"]
