"""What a model thought, apart from what it answered.

An endpoint gives reasoning in a field of its own, or it stands before the answer in the text, between
tags. `separated` takes the second kind out of the text, for every model alike, where a response enters
the store; `whole` undoes it. Nothing is lost: `reasoning + text` is then the text as it came, tags and
blanks included.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from resources.models.base import ModelUnusable, Response

Tags = tuple[tuple[str, str], ...]

_WORDS = ("think", "thinking", "thought", "reasoning", "reflection")
DEFAULT_TAGS: Tags = (
    *((f"<{word}>", f"</{word}>") for word in _WORDS),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
)


def tags_of(value: Any) -> Tags:
    """The argument `reasoning_tags`: None for the usual ones, `none` or an empty list for no tags at all.

    Otherwise a tag's name (`scratchpad`, for `<scratchpad>` and `</scratchpad>`) or a list of names and
    pairs `[opening, closing]`. Raises ModelUnusable for anything else.
    """
    if value is None:
        return DEFAULT_TAGS
    if value in ("none", False, [], ()):
        return ()
    found = []
    for tag in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]:
        if isinstance(tag, str) and re.fullmatch(r"[\w-]+", tag):
            found.append((f"<{tag}>", f"</{tag}>"))
        elif isinstance(tag, list | tuple) and len(tag) == 2 and all(isinstance(t, str) and t.strip() for t in tag):
            found.append((tag[0].strip(), tag[1].strip()))
        else:
            raise ModelUnusable(
                f"reasoning_tags: expected a tag's name, such as think, or pairs [opening, closing], not {tag!r}"
            )
    return tuple(found)


def split(text: str, tags: Tags = DEFAULT_TAGS) -> tuple[str, str]:
    """(reasoning, answer), which put together are the text.

    Reasoning stands at the start: one block or several. Without its closing tag it never ended, and the
    answer is empty. A closing tag alone ends it as well: some chat templates put the opening one into the
    prompt.
    """
    if not tags:
        return "", text
    opening, closing = _patterns(tags)
    end = 0
    while True:
        if opened := opening.match(text, end):
            closed = closing[opened.lastindex or 0].search(text, opened.end())
            if closed is None:
                return text, ""
        elif end or (closed := closing[0].search(text)) is None or opening.search(text, 0, closed.start()):
            return text[:end], text[end:]
        end = closed.end()


@lru_cache(maxsize=16)
def _patterns(tags: Tags) -> tuple[re.Pattern[str], list[re.Pattern[str]]]:
    """Any opening tag, with blanks before it; any closing one, then that of each pair, with blanks behind it."""
    opening = "|".join(f"({re.escape(open_)})" for open_, _ in tags)
    closings = [re.escape(close) for _, close in tags]
    anything = [f"(?:{pattern})\\s*" for pattern in ("|".join(closings), *closings)]
    return re.compile(rf"\s*(?:{opening})", re.IGNORECASE), [re.compile(p, re.IGNORECASE) for p in anything]


def separated(response: Response, tags: Tags = DEFAULT_TAGS) -> Response:
    """The response with the reasoning of its text apart; as it is where that came apart or there is none."""
    if response.reasoning or not response.text or response.loglikelihoods is not None:
        return response
    reasoning, answer = split(response.text, tags)
    return replace(response, text=answer, reasoning=reasoning, reasoning_in_text=True) if reasoning else response


def whole(response: Response) -> Response:
    """The response with its text as it came."""
    if not response.reasoning_in_text:
        return response
    return replace(response, text=response.reasoning + response.text, reasoning="", reasoning_in_text=False)
