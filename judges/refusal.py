"""Does a text decline to answer? Asked only of texts in which no answer was found."""

from __future__ import annotations

import re

# Conservative: a first-person statement near the beginning. A miss is counted as `no_answer`,
# which scores the same; a false alarm would slander the model.
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)"
    r"|i (?:can(?:no|')t|cannot|won't|will not|must decline to|do not feel comfortable)"
    r" (?:\w+ ){0,2}?(?:help|assist|answer|provide|comply|identify|fulfill|do that|see|view|process)"
    r"|as an ai\b|i apologi[sz]e,? but)",
    re.IGNORECASE,
)
_HEAD = 300  # characters


def is_refusal(text: str) -> bool:
    """Whether the beginning of `text` says that the model will not or cannot answer."""
    return _REFUSAL.search(text[:_HEAD].replace("\u2019", "'")) is not None
