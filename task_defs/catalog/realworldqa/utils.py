"""Rows of RealWorldQA."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPTION = re.compile(r"^\s*([A-H])[.)] *(\S.*?)\s*$", re.MULTILINE)


def with_options(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` as the question lists them, line by line; null for a question without."""
    for doc in docs:
        listed = _OPTION.findall(doc["question"])
        whole = "".join(letter for letter, _ in listed) == "ABCDEFGH"[: len(listed)]
        options = [text for _, text in listed] if whole and len(listed) > 1 else None
        kind = "multiple choice" if options else "free form"
        yield {**doc, "question": doc["question"].strip(), "options": options, "kind": kind}
