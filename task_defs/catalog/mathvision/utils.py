"""Rows of MATH-Vision, from its files or from the hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def one_picture(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`image` is the picture: in the files its path, on the hub the bytes in `decoded_image`."""
    for doc in docs:
        picture = doc.pop("decoded_image", None)
        yield {**doc, "image": picture} if picture else doc
