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


# A text that is nothing but a refusal: it begins with one, apologies aside, and is short.
_OUTRIGHT = re.compile(
    r"\W*(?:(?:(?:i(?:'m| am) )?(?:very |so )?sorry|(?:my )?apologies|i apologi[sz]e|unfortunately)"
    r"[\s,.;:!-]*(?:but )?)?"
    r"(?:as an ai\b[^.!?]{0,80}?[\s,]+)?i(?:'m| am)? ?"
    r"(?:can(?:no|')t|can not|cannot|won't|will not|unable to|not able to|must decline)"
    r"(?: \w+){0,2}? ?\b(?:help|assist|answer|provide|comply|identify|fulfill|process|discuss|describe"
    r"|(?:see|view)(?: \w+)?? (?:image|picture|photo|video)s?)\b",
    re.IGNORECASE,
)
_SHORT = 400  # characters


def is_outright_refusal(text: str) -> bool:
    """Whether a text is a refusal and nothing else, for judges that would otherwise read every text.

    Stricter than `is_refusal`: "I'm sorry, but there is no cat in the picture" is an answer.
    """
    return len(text.strip()) <= _SHORT and _OUTRIGHT.match(text.replace("\u2019", "'")) is not None


def is_refusal(text: str) -> bool:
    """Whether the beginning of `text` says that the model will not or cannot answer."""
    return _REFUSAL.search(text[:_HEAD].replace("\u2019", "'")) is not None
