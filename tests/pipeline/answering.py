"""Answers of an endpoint that tests of reports and comparisons share: items are numbered questions."""

from __future__ import annotations

from tests.conftest import Reply


def numbered(request) -> int:
    """The number in `Question 7?`."""
    return int(request.text.split()[1].rstrip("?"))


def some_right(*right: int):
    return lambda request, number: Reply(text="yes" if numbered(request) in right else "no")
