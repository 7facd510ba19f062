"""Keys of checkpoints and tasks: which are allowed, and how they become table names and URLs."""

from __future__ import annotations

import re

# LanceDB takes letters, digits, `_`, `-` and `.` in a table's name; so do URLs and file systems.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^\.|_(?=x)")
_ESCAPED = re.compile(r"_x([0-9a-f]+)_")
_MAX = 200


class KeyRefused(ValueError):
    """A checkpoint or task key that Dagster's partitions could not carry."""


def check_key(key: str) -> str:
    """The key itself, or `KeyRefused` with what is wrong.

    `|` silently drops a key from Dagster's two-dimensional grid, and `...` is its range syntax.
    """
    if not key or not key.strip():
        raise KeyRefused("a key must not be empty")
    for bad, why in (
        ("|", "separates checkpoint and task"),
        ("...", "means a range"),
        (",", "separates partitions"),
    ):
        if bad in key:
            raise KeyRefused(f"key {key!r} contains {bad!r}, which {why} in Dagster: choose another name")
    if any(ord(c) < 32 for c in key) or key != key.strip():
        raise KeyRefused(f"key {key!r} has control characters or spaces at its ends")
    if len(slug(key)) > _MAX:
        raise KeyRefused(f"key {key!r} is too long ({_MAX} characters at most)")
    return key


def slug(key: str) -> str:
    """`key` in letters that tables, URLs and files can have; `unslug` gives the key back.

    >>> slug("openai/gpt-5:mini")
    'openai_x2f_gpt-5_x3a_mini'
    """
    return _UNSAFE.sub(lambda m: f"_x{ord(m.group()):x}_", key)


def unslug(name: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m.group(1), 16)), name)
