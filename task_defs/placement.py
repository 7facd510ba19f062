"""Where media stand in a prompt: `<image>`, `<image2>`, `<video>`, `<audio>` in its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

Part = tuple[str, str | int]  # ("text", str) or ("media", index); the Part of a request's message

PLACEHOLDER = re.compile(r"<(image|video|audio)(?:[ _]?([1-9][0-9]?))?>")


def place_media(text: str, n_media: int, kinds: Sequence[str] | None = None) -> tuple[Part, ...]:
    """The text cut at its placeholders, each medium exactly once.

    - `<image2>` is the second image; it claims its medium first.
    - `<image>` is the next image that no number claims.
    - A medium that nothing refers to stands before the text, in order.
    - A placeholder without a medium, and a second reference to one, stay as text: a benchmark may
      number the parts of one picture (MATH-Vision), and engines count a medium once.

    kinds: `image`, `video` or `audio` of each medium, where known; `""` goes with any placeholder.
    Without kinds every placeholder takes any medium, in the order of the media.
    """
    pools = list(kinds) if kinds is not None else [""] * n_media
    if len(pools) != n_media:
        raise ValueError(f"{n_media} media but {len(pools)} kinds")
    found = list(PLACEHOLDER.finditer(text))
    placed: dict[int, int] = {}  # which placeholder -> which medium
    for number, match in enumerate(found):
        if match[2]:
            fitting = [i for i, kind in enumerate(pools) if kind in ("", match[1])]
            index = int(match[2]) - 1
            if index < len(fitting) and fitting[index] not in placed.values():
                placed[number] = fitting[index]
    for number, match in enumerate(found):
        if not match[2]:
            free = (i for i, kind in enumerate(pools) if kind in ("", match[1]) and i not in placed.values())
            if (index := next(free, -1)) >= 0:
                placed[number] = index
    used = set(placed.values())
    parts: list[Part] = [("media", i) for i in range(n_media) if i not in used]
    start = 0
    for number, index in sorted(placed.items()):
        begin, end = found[number].span()
        if begin > start:
            parts.append(("text", text[start:begin]))
        parts.append(("media", index))
        start = end
    if start < len(text) or not parts:
        parts.append(("text", text[start:]))
    return tuple(parts)
