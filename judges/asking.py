"""What a judge that asks a model hands to whoever can ask it, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a judge model.

    model:      the name that the judge's parameters give it; who it is, is configured elsewhere.
    messages:   (role, text) in order.
    gen_kwargs: `max_tokens`, `temperature`, `seed`, `response_format` ...
    sample:     which of the judge's K answers to this question.
    slot:       which of the questions about one answer: "" where there is one, `first` and `second` of a pair.
    item_id:    of the item, for recorded judge answers; "" where the item has none.
    pictures:   (hash of the bytes, MIME type) of what stands before the last message's text.
    """

    model: str
    messages: tuple[tuple[str, str], ...]
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0
    slot: str = ""
    item_id: str = ""
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge model said.

    failure:  why it said nothing (`judge refused: ...`); None where there is a text.
    cut_off:  whether the text ended at the token limit.
    """

    text: str = ""
    failure: str | None = None
    cut_off: bool = False


class JudgeClient(Protocol):
    """Asks judge models. One reply for each request, in order; what fails is a reply with its `failure`.

    Concurrency, budgets, retries and keeping the answers are the client's business.
    """

    async def ask(self, asks: Sequence[Ask]) -> list[Reply]: ...


class NoClient(RuntimeError):
    """A judge that asks a model was given nobody to ask: `judge.with_client(client)`."""
