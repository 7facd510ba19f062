"""One form for texts that differ only in case, space, punctuation or articles."""

from __future__ import annotations

import re
import unicodedata

_ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)
# Signs that carry meaning inside a number (3.5, -2, 3/4, 5%) stay.
_PUNCTUATION = re.compile(r"(?<=\d)[.,/:](?=\d)|[-−](?=[.\d])|%|[^\w\s]")


def normalise(
    text: str,
    *,
    ignore_case: bool = True,
    ignore_space: bool = True,
    ignore_punctuation: bool = False,
    ignore_articles: bool = False,
) -> str:
    """`text` in Unicode form NFKC with the named differences removed.

    ignore_space: runs of white space become one space, and none is left at the ends.
    """
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    if ignore_case:
        text = text.casefold()
    if ignore_punctuation:
        text = _PUNCTUATION.sub(lambda m: m.group() if _carries_meaning(m) else " ", text)
    if ignore_articles:
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split()) if ignore_space or ignore_articles else text


def _carries_meaning(match: re.Match[str]) -> bool:
    sign, at, text = match.group(), match.start(), match.string
    if sign == "%":
        return True
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if sign in "-−":
        return not before.isalnum() and (after.isdigit() or after == ".")
    return sign in ".,/:" and before.isdigit() and after.isdigit()


def contains_words(text: str, words: str) -> bool:
    """Whether `words` occurs in `text` (both normalised alike) and is not part of a longer word."""
    if not words:
        return False
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None
