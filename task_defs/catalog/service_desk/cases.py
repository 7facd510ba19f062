"""Cases of the service desk: a small shop each, a customer with a wish, and what a right agent does about it.

Everything follows from the kind and the number of a case. The fields `data`, `customer`, `actions` and `tell` are JSON
texts, as the player `desk` reads them; rows of one's own need no more than these and an id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

CASES = 5  # of each kind
TODAY = date(2026, 3, 16)

_FIRST = ("Ada", "Bela", "Chiara", "Dimitri", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas")
_LAST = ("Almeida", "Brandt", "Conti", "Dvorak", "Eriksen", "Fontaine", "Gruber", "Haddad", "Ito", "Jansen")
_STREETS = ("Mill Lane", "Harbour Street", "Linden Avenue", "Station Road", "Chapel Hill", "Weaver's Row")
_CITIES = ("Norwick", "Eastbury", "Lakeford", "Stonehaven", "Greenfield")
_PRODUCTS = {
    "ukulele": ("soprano", "concert", "tenor"),
    "recorder": ("pearwood", "maple", "plastic"),
    "drum sticks": ("5A", "7A", "2B"),
    "music stand": ("black", "white", "walnut"),
    "guitar strap": ("brown", "blue", "green"),
}
_REASONS = ("no longer needed", "ordered by mistake")  # that count, as the policy has it


class _Maker:
    """One case in the making: a shop of four customers with two orders each."""

    def __init__(self, kind: str, number: int) -> None:
        self.random = Random(f"service desk {kind} {number}")  # noqa: S311 - cases, no secrets
        self.products = {f"P{10 + n}": self._product(name) for n, name in enumerate(_PRODUCTS)}
        names = zip(self.random.sample(_FIRST, 4), self.random.sample(_LAST, 4), strict=True)
        self.customers = {f"C{200 + n}": self._customer(*name) for n, name in enumerate(names)}
        numbers = self.random.sample(range(1000, 10_000), 8)
        owners = [owner for owner in self.customers for _ in range(2)]
        self.orders = {f"W{n}": self._order(owner) for n, owner in zip(numbers, owners, strict=True)}
        self.who = self.random.choice(list(self.customers))
        self.mine = [number for number, order in self.orders.items() if order["customer"] == self.who]
        self.number = self.mine[0]
        self.facts = {
            "email": self.me["email"], "name": self.me["name"], "postcode": self.me["postcode"], "order": self.number,
        }  # fmt: skip

    @property
    def me(self) -> dict[str, Any]:
        return self.customers[self.who]

    @property
    def order(self) -> dict[str, Any]:
        order: dict[str, Any] = self.orders[self.number]
        return order

    @property
    def item(self) -> dict[str, Any]:
        """The item that the case is about."""
        item: dict[str, Any] = self.order["items"][0]
        return item

    def day(self, first: int, last: int) -> str:
        """A day so many days from today; negative ones lie behind."""
        return str(TODAY + timedelta(days=self.random.randint(first, last)))

    def place(self) -> dict[str, str]:
        street = f"{self.random.randint(2, 98)} {self.random.choice(_STREETS)}"
        return {
            "street": street, "city": self.random.choice(_CITIES), "postcode": str(self.random.randint(10_000, 99_999)),
        }  # fmt: skip

    def _product(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "variants": {
                f"{name[:3].upper()}-{variant.upper()[:4]}": {
                    "name": variant,
                    "price": f"{self.random.randint(8, 120)}.{self.random.choice(('00', '25', '50', '90'))}",
                    "stock": self.random.randint(1, 9),
                }
                for variant in _PRODUCTS[name]
            },
        }

    def _customer(self, first: str, last: str) -> dict[str, Any]:
        mail = f"{first}.{last}{self.random.randint(10, 99)}@example.org".lower()
        return {"name": f"{first} {last}", "email": mail, **self.place()}

    def _order(self, owner: str) -> dict[str, Any]:
        items = []
        for product in self.random.sample(list(self.products), 2):
            variant, found = self.random.choice(list(self.products[product]["variants"].items()))
            items.append({"product": product, "variant": variant, "price": found["price"]})
        address = {name: self.customers[owner][name] for name in ("street", "city", "postcode")}
        order = {"customer": owner, "status": "", "items": items, "address": address, "total": ""}
        order["total"] = str(sum(Decimal(item["price"]) for item in items))
        return self.become(order, self.random.choice(("open", "shipped", "delivered")))

    def become(self, order: dict[str, Any], status: str, *delivered: int) -> dict[str, Any]:
        """The order with another status and the day that belongs to it."""
        order["status"] = status
        order["due"] = None if status == "delivered" else self.day(2, 9)
        order["delivered"] = self.day(*(delivered or (-20, -3))) if status == "delivered" else None
        return order

    def other_variant(self) -> tuple[str, dict[str, Any]]:
        """Another variant of the case's item that costs something else."""
        variants = self.products[self.item["product"]]["variants"]
        others = [(v, d) for v, d in variants.items() if v != self.item["variant"] and d["price"] != self.item["price"]]
        return self.random.choice(others)

    # --- what a right agent does ---------------------------------------------------------------

    def identified(self) -> list[dict[str, Any]]:
        """Asks who it is, by e-mail or by name and postcode, and looks at the order."""
        if self.random.random() < 0.5:
            asked, call = "What is your e-mail address?", ("find_customer_by_email", {"email": self.me["email"]})
        else:
            asked = "What are your full name and your postcode, please?"
            call = ("find_customer_by_name", {"name": self.me["name"], "postcode": self.me["postcode"]})
        look = ("get_order", {"order_id": self.number})
        return [_say(f"{asked} And what is the order number?"), _call(*call), _call(*look)]

    def product(self) -> dict[str, Any]:
        return _call("get_product", {"product_id": self.item["product"]})

    def thing(self) -> str:
        """The case's item in a customer's words."""
        product = self.products[self.item["product"]]
        return f"{product['variants'][self.item['variant']]['name']} {product['name']}"

    def row(
        self, opens: list[str], actions: list[dict[str, Any]], tell: list[str], insists: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        data = {"today": str(TODAY), "customers": self.customers, "orders": self.orders, "products": self.products}
        customer = {"opens": opens, "facts": self.facts, "insists": insists}
        texts = {"data": data, "customer": customer, "actions": actions, "tell": tell}
        return {"request": opens[0], **{name: json.dumps(value, ensure_ascii=False) for name, value in texts.items()}}


def _say(text: str) -> dict[str, Any]:
    return {"say": text}


def _call(tool: str, args: dict[str, str]) -> dict[str, Any]:
    return {"tool": tool, "args": args}


def _else(told: str) -> dict[str, Any]:
    return _say(f"{told} Is there anything else that I can do for you?")


def cancel(case: _Maker) -> dict[str, Any]:
    case.become(case.order, "open")
    reason = case.random.choice(_REASONS)
    case.facts["reason"] = reason
    actions = [
        *case.identified(),
        _say("May I ask the reason for the cancellation?"),
        _say(f"I would cancel order {case.number} and pay back {case.order['total']}. Shall I go ahead?"),
        _call("cancel_order", {"order_id": case.number, "reason": reason}),
        _else(f"Order {case.number} is cancelled; {case.order['total']} will be paid back."),
    ]
    opens = [
        "I would like to cancel an order.",
        "Hello, there is an order of mine that I want to call off.",
        f"Hi! The {case.thing()} and the rest of that order: please cancel all of it.",
    ]
    return case.row(opens, actions, [case.order["total"]])


def exchange(case: _Maker) -> dict[str, Any]:
    case.become(case.order, "delivered")
    new, wanted = case.other_variant()
    case.facts["variant"] = f"the {wanted['name']} one"
    difference = str(Decimal(wanted["price"]) - Decimal(case.item["price"]))
    actions = [
        *case.identified(),
        case.product(),
        _say(f"I would exchange {case.item['variant']} for {new}; the difference is {difference}. Shall I go ahead?"),
        _call("exchange_item", {"order_id": case.number, "variant": case.item["variant"], "new_variant": new}),
        _else(f"The exchange is under way; the difference in price is {difference}."),
    ]
    opens = [
        f"I would like to exchange the {case.thing()} that I got for the {wanted['name']} one.",
        f"Hello. The {case.thing()} is not for me. Can I have it as {wanted['name']}?",
        f"You sent me a {case.thing()}, as ordered, but {wanted['name']} would be better. Can it be swapped?",
    ]
    return case.row(opens, actions, [difference])


def change_address(case: _Maker) -> dict[str, Any]:
    case.become(case.order, "open")
    new = case.place()
    where = f"{new['street']}, {new['postcode']} {new['city']}"
    case.facts["address"] = where
    actions = [
        *case.identified(),
        _say("To which new address shall it be sent, please?"),
        _say(f"I would send order {case.number} to {where}. Shall I go ahead?"),
        _call("change_address", {"order_id": case.number, **new}),
        _else(f"It will be sent to {where}, and it is due on {case.order['due']}."),
    ]
    opens = [
        "I have moved: please send my order to my new place. And when will it come?",
        "Hello, an order of mine would go to my old flat. Can you send it elsewhere, and when is it due?",
        f"The parcel with the {case.thing()} should go to another place. When will it be there?",
    ]
    return case.row(opens, actions, [case.order["due"]])


def look_up(case: _Maker) -> dict[str, Any]:
    case.become(case.order, "shipped")
    new, wanted = case.other_variant()
    due, total = case.order["due"], case.order["total"]
    told = f"Your order is due on {due}, its sum is {total}, and {new} costs {wanted['price']}."
    actions = [*case.identified(), case.product(), _else(told)]
    opens = [
        f"When does my order come, what did I pay in all, and what is the {case.thing()} as {wanted['name']}?",
        f"Hello! Three things: the day my order is due, its sum, and the price of a {wanted['name']} in place of the "
        f"{case.thing()}.",
        f"I wait for a {case.thing()}. When is it due? What did I pay? What is a {wanted['name']} one?",
    ]
    return case.row(opens, actions, [due, total, wanted["price"]])


def refuse(case: _Maker, way: int) -> dict[str, Any]:
    """One of five wishes that the policy forbids."""
    thing = case.thing()
    ask = [_say("May I ask the reason for the cancellation?")]
    shipped = "its status is shipped, and only an open order can be changed"
    if way in {0, 3}:
        case.become(case.order, "shipped")
    elif way == 1:
        case.become(case.order, "delivered", -80, -31)
    else:
        case.become(case.order, "delivered" if way == 2 else "open")
    if way in {1, 2}:
        _, wanted = case.other_variant()
        opens = [f"Can I have the {wanted['name']} one for my {thing}?", f"Please swap my {thing}: {wanted['name']}."]
        look = [case.product()]
    if way == 0:
        case.facts["reason"] = _REASONS[0]
        opens = ["I no longer need my order: cancel it, please.", "Please call my order off."]
        look, why, tell = ask, shipped, ["shipped"]
    elif way == 1:
        day = case.order["delivered"]
        why, tell = f"it was delivered on {day}, which is more than 30 days ago", [day]
    elif way == 2:
        wanted["stock"] = 0
        why, tell = "that variant is out of stock", ["out of stock"]
    elif way == 3:
        case.facts["address"] = "my sister's, 7 Chapel Hill, 20202 Norwick"
        opens = ["Send my order to my sister instead.", "My order should go to my sister's place."]
        look, why, tell = [], shipped, ["shipped"]
    else:
        case.facts["reason"] = "I found it cheaper in another shop"
        opens = ["Please cancel my order.", "I want my order cancelled."]
        look, why, tell = ask, f'only "{_REASONS[0]}" and "{_REASONS[1]}" count as reasons', [*_REASONS]
    actions = [
        *case.identified(), *look,
        _else(f"I am sorry, I cannot do that: {why}."),
        _else("I am sorry, there are no exceptions."),
    ]  # fmt: skip
    return case.row(opens, actions, tell, ("But can you not make an exception? Just this once.",))


_KINDS: dict[str, Callable[[_Maker, int], dict[str, Any]]] = {
    "cancel": lambda case, number: cancel(case),
    "exchange": lambda case, number: exchange(case),
    "change address": lambda case, number: change_address(case),
    "look up": lambda case, number: look_up(case),
    "refuse": refuse,
}


def docs(root: Path, task: object) -> Iterator[dict[str, Any]]:
    """All cases: documents of the task in `service_desk.yaml`."""
    for kind, make in _KINDS.items():
        for number in range(CASES):
            yield {"id": f"{kind.replace(' ', '_')}-{number}", "kind": kind, **make(_Maker(kind, number), number)}
