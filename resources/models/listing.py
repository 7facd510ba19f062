"""Which models an endpoint has, for one that it does not."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_SECONDS = 10
_SHOWN = 5


async def listed_models(client: AsyncOpenAI) -> list[str]:
    """The ids of `GET /models`; empty where the endpoint does not answer that in ten seconds."""
    import httpx2
    import openai

    try:
        raw = await client.get("/models", cast_to=httpx2.Response, options={"timeout": _SECONDS})
        return [str(entry["id"]) for entry in json.loads(raw.content)["data"]]
    except (openai.APIError, ValueError, KeyError, TypeError):
        return []  # the refusal that led here says what is wrong; this would only have helped


def near(model: str, names: list[str]) -> str:
    """A hint with the names that are most like this one; "" where none are known."""
    # Names differ in what stands before a slash (`models/`, a vendor) more than in what matters.
    last = {name.rsplit("/", 1)[-1].lower(): name for name in reversed(names)}
    found = [last[n] for n in get_close_matches(model.rsplit("/", 1)[-1].lower(), last, n=_SHOWN, cutoff=0.5)]
    if found:
        return f"did you mean {', '.join(found)}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it has {', '.join(sorted(names)[:_SHOWN])}{more}" if names else ""
