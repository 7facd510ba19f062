"""The desk's tools: a class each, whose fields are the arguments and whose docstring is the description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from resources.episodes.base import EpisodeFailed
from resources.episodes.desk.answers import Call
from resources.episodes.desk.shop import EXCHANGE_DAYS, REASONS, Shop, ToolError


class InvalidCall(ValueError):
    """A tool that does not exist, or arguments that are missing, too many or of the wrong type."""


class Tool(BaseModel):
    """A call of a tool with valid arguments. `writes`: whether it changes data."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    writes: ClassVar[bool] = False

    def run(self, shop: Shop) -> Any:
        """What the tool answers, JSON-able. Raises ToolError."""
        raise NotImplementedError

    def orders(self) -> tuple[str, ...]:
        """Orders that the call looks at or changes."""
        return ()

    def forbidden(self, shop: Shop) -> Iterator[str]:
        """What in the data stands against this very change."""
        yield from ()


class OfOrder(Tool):
    order_id: str

    def orders(self) -> tuple[str, ...]:
        return (self.order_id,)


class FindCustomerByEmail(Tool):
    """Find a customer by e-mail address: their record, with the numbers of their orders."""

    email: str

    def run(self, shop: Shop) -> Any:
        return _find(shop, lambda customer: customer["email"].casefold() == self.email.strip().casefold())


class FindCustomerByName(Tool):
    """Find a customer by full name and postcode: their record, with the numbers of their orders."""

    name: str
    postcode: str

    def run(self, shop: Shop) -> Any:
        wanted = (self.name.strip().casefold(), self.postcode.strip())
        return _find(shop, lambda customer: (customer["name"].casefold(), customer["postcode"]) == wanted)


class GetOrder(OfOrder):
    """An order: status, items, sum, address, and the day it is due or was delivered."""

    def run(self, shop: Shop) -> Any:
        return shop.record("orders", self.order_id)


class GetProduct(Tool):
    """A product with all its variants: price, and how many are in stock."""

    product_id: str

    def run(self, shop: Shop) -> Any:
        return shop.record("products", self.product_id)


class CancelOrder(OfOrder):
    """Cancel an order and pay its sum back."""

    reason: Literal["no longer needed", "ordered by mistake", "other"]
    writes: ClassVar[bool] = True

    def forbidden(self, shop: Shop) -> Iterator[str]:
        if shop.record("orders", self.order_id)["status"] != "open":
            yield "cancelled an order that is not open"
        if self.reason not in REASONS:
            yield "cancelled for a reason that does not count"

    def run(self, shop: Shop) -> Any:
        order = shop.record("orders", self.order_id)
        order |= {"status": "cancelled", "reason": self.reason}
        return {"status": "cancelled", "paid_back": order["total"]}


class ChangeAddress(OfOrder):
    """Send an order to another address."""

    street: str
    city: str
    postcode: str
    writes: ClassVar[bool] = True

    def forbidden(self, shop: Shop) -> Iterator[str]:
        if shop.record("orders", self.order_id)["status"] != "open":
            yield "changed the address of an order that is not open"

    def run(self, shop: Shop) -> Any:
        order = shop.record("orders", self.order_id)
        order["address"] = {"street": self.street, "city": self.city, "postcode": self.postcode}
        return {"address": order["address"], "due": order["due"]}


class ExchangeItem(OfOrder):
    """Exchange an item of an order for another variant of the same product."""

    variant: str
    new_variant: str
    writes: ClassVar[bool] = True

    def forbidden(self, shop: Shop) -> Iterator[str]:
        order, item = shop.record("orders", self.order_id), shop.line(self.order_id, self.variant)
        days = shop.days_since_delivery(self.order_id)
        if order["status"] != "delivered":
            yield "exchanged an item of an order that is not delivered"
        elif days is not None and days > EXCHANGE_DAYS:
            yield f"exchanged an item {days} days after its delivery"
        if shop.variant(item["product"], self.new_variant)["stock"] < 1:
            yield "exchanged for a variant that is out of stock"

    def run(self, shop: Shop) -> Any:
        item = shop.line(self.order_id, self.variant)
        new = shop.variant(item["product"], self.new_variant)
        changed = {**item, "variant": self.new_variant, "price": new["price"]}
        order = shop.record("orders", self.order_id)
        order["items"] = [changed if i["variant"] == self.variant else i for i in order["items"]]
        order["status"] = "exchange requested"
        return {"status": order["status"], "difference": str(Decimal(new["price"]) - Decimal(item["price"]))}


_CLASSES: tuple[type[Tool], ...] = (
    FindCustomerByEmail, FindCustomerByName, GetOrder, GetProduct, CancelOrder, ChangeAddress, ExchangeItem,
)  # fmt: skip
TOOLS = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower(): cls for cls in _CLASSES}


def schemas() -> str:
    """All tools, one JSON object a line: name, description, JSON schema of the arguments."""
    return "\n".join(
        json.dumps({"name": name, "description": cls.__doc__, "parameters": _schema(cls)})
        for name, cls in TOOLS.items()
    )


def _schema(cls: type[Tool]) -> Mapping[str, Any]:
    full = cls.model_json_schema()
    properties = {n: {k: v for k, v in p.items() if k != "title"} for n, p in full["properties"].items()}
    return {"type": "object", "properties": properties, "required": full["required"], "additionalProperties": False}


def checked(call: Call) -> Tool:
    """The tool with its arguments. Raises InvalidCall, which says what there is and what is wrong."""
    cls = TOOLS.get(call.tool)
    if cls is None:
        raise InvalidCall(f"there is no tool {call.tool!r}: there are {', '.join(TOOLS)}")
    try:
        return cls.model_validate(dict(call.args))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise InvalidCall(f"wrong arguments of {call.tool}: {wrong}") from error


def violations(tool: Tool, shop: Shop) -> list[str]:
    """The rules of the policy that the call would break as things stand; a call that cannot be done breaks none.

    Raises EpisodeFailed where the shop's own records lack something.
    """
    try:
        strangers = [o for o in tool.orders() if shop.record("orders", o)["customer"] not in shop.known]
        broken = list(tool.forbidden(shop))
    except ToolError:
        return []
    except (KeyError, TypeError) as error:
        raise EpisodeFailed(f"the row's `data` is no shop: {error!r}") from error
    if strangers:
        broken.append("used an order of a customer who was not found first")
    if tool.writes and not shop.agreed:
        broken.append("changed something that the customer had not agreed to")
    return broken


def ran(tool: Tool, shop: Shop) -> Any:
    """The tool's answer. Raises ToolError, and EpisodeFailed where the shop's own records lack something."""
    try:
        return tool.run(shop)
    except (KeyError, TypeError) as error:
        raise EpisodeFailed(f"the row's `data` is no shop: {error!r}") from error


def _find(shop: Shop, fits: Any) -> Any:
    for key, customer in shop.data["customers"].items():
        if fits(customer):
            shop.known.add(key)
            orders = [number for number, order in shop.data["orders"].items() if order["customer"] == key]
            return {"id": key, **customer, "orders": orders}
    raise ToolError("no such customer")
