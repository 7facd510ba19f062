"""Which option of a multiple-choice item a text names.

An option is named by its letter or by its text. The danger is reading too much: the "A" of
"A man is riding" is an article and the "T" of "The" no option at all. So a letter counts only where
it stands as one: alone, behind "answer is", in front of a delimiter, or in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from judges.text import contains_words, normalise

_UNKNOWN = "ABCDEFGH"  # letters of an item that does not list its options
MAX_ANCHORS, MAX_TAIL = 20, 400  # "answer is" examined in one text, and characters behind each
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NOISE = re.compile(r"\\(?:text|mathrm|mathbf|textbf|boxed)\s*\{([^{}]*)\}")
_ANCHOR = re.compile(
    r"\b(?:answers?|choice|option)\b(?:\s+(?:to|for)\s[^.:\n]{0,80}?)?[\s*_]*"
    r"(?:(?:is|are|would\s+be|must\s+be|[:=])[\s*_:]*)+",
    re.IGNORECASE,
)
# Behind an anchor, what may follow a bare "A" that is a letter and no article.
_AFTER_BARE = r"(?=\s*(?:$|[.,:;)\]*!\n]|because\b|since\b|as\b|which\b|and\s+not\b))"


def letter_of(index: int) -> str:
    return _LETTERS[index]


def letters_of(choices: Sequence[str]) -> str:
    """The letters of an item's options, together."""
    return _LETTERS[: len(choices)]


def find_choice(text: str, choices: Sequence[str] | None, *, mention: bool = True) -> str | None:
    """The letter of the one option that `text` names, or None.

    In this order: the text is a letter; the text is an option's text; the text is a noun and a
    letter ("Image B") where the options are letters in a picture; the last "answer is ..."
    names one; the text begins with a letter and a delimiter, or holds a single bracketed letter;
    its last line is a letter; exactly one option's text occurs in it (this last only with `mention`).
    """
    letters = letters_of(choices) if choices else _UNKNOWN
    text = _bare(text)
    return (
        _alone(text, letters)
        or _same_text(text, choices)
        or _noun_and_letter(text, letters, choices)
        or _anchored(text, letters, choices)
        or _delimited(text, letters)
        or _alone(text.rsplit("\n", 1)[-1], letters)
        or (_mentioned(text, choices) if mention else None)
    )


def index_of_label(target: object, choices: Sequence[str] | None) -> int | None:
    """The index that a label means: an index, a letter or an option's text; None: not one of them."""
    count = len(choices) if choices else len(_UNKNOWN)
    if isinstance(target, bool):
        return None
    if isinstance(target, int):
        return target if 0 <= target < count else None
    if not isinstance(target, str):
        return None
    found = _alone(_bare(target), _LETTERS[:count]) or _same_text(_bare(target), choices)
    return None if found is None else _LETTERS.index(found)


def _bare(text: str) -> str:
    """The text without what decorates a letter: \\boxed{}, \\text{}, dollars, asterisks."""
    for _ in range(2):
        text = _NOISE.sub(r"\1", text)
    return re.sub(r"[$*`]|\\[()\[\]]", "", text).strip()


def _alone(text: str, letters: str) -> str | None:
    match = re.fullmatch(
        rf"(?:(?:option|choice)\s+)?[(\[\"']?\s*([{letters}])\s*[)\]\"']?\s*[.:,;]?",
        text.strip(),
        re.IGNORECASE,
    )
    return match.group(1).upper() if match else None


def _key(text: str) -> str:
    return normalise(_bare(text), ignore_punctuation=True).replace(" ", "") or normalise(text)


def _same_text(text: str, choices: Sequence[str] | None) -> str | None:
    key = _key(text)
    same = [i for i, choice in enumerate(choices or ()) if _key(choice) == key]
    return _LETTERS[same[0]] if len(same) == 1 else None


def _noun_and_letter(text: str, letters: str, choices: Sequence[str] | None) -> str | None:
    if any(_key(choice) != letter.lower() for choice, letter in zip(choices or ("",), letters, strict=False)):
        return None
    match = re.fullmatch(rf"[A-Za-z]+ ([{letters}])\.?", text)
    return match.group(1) if match else None


def _anchored(text: str, letters: str, choices: Sequence[str] | None) -> str | None:
    for match in reversed(list(_ANCHOR.finditer(text))[-MAX_ANCHORS:]):
        tail = text[match.end() : match.end() + MAX_TAIL].split("\n", 1)[0]
        tail = re.sub(r"^(?:(?:the|an?)\s+)?(?:option|choice|letter)\s+", "", tail, flags=re.IGNORECASE)
        sentence = re.split(r"(?<=[.!?])\s", tail, maxsplit=1)[0].rstrip(".!")
        found = (
            _delimited_start(tail, letters)
            or _bare_start(tail, letters)
            or _same_text(sentence, choices)
            or _mentioned(sentence, choices)
        )
        if found is not None:
            return found
    return None


def _bare_start(tail: str, letters: str) -> str | None:
    """A letter right behind an anchor; the words "a" and "I" need more to be taken for one."""
    match = re.match(rf"([{letters}])(?![\w'])", tail)
    if match and (match.group(1) not in "AI" or re.match(r".\s*" + _AFTER_BARE, tail)):
        return match.group(1)
    match = re.match(rf"([{letters.lower()}])\s*[.!]?\s*$", tail)
    return match.group(1).upper() if match else None


def _delimited_start(text: str, letters: str) -> str | None:
    match = re.match(rf"\s*(?:[(\[]\s*([{letters}])\s*[)\]]|([{letters}])\s*(?:[):]|\.(?!\w)|\s[-–—]\s))", text)
    if match is None:
        match = re.match(rf"\s*[(\[]\s*([{letters.lower()}])\s*[)\]]()", text)
    return (match.group(1) or match.group(2)).upper() if match else None


def _delimited(text: str, letters: str) -> str | None:
    # A text that lists several options in this way is quoting them, not choosing.
    starts = {found for line in text.split("\n") if (found := _delimited_start(line, letters))}
    bracketed = re.findall(rf"(?<!\w)[(\[]([{letters}])[)\]](?!\w)", text)
    named = set(re.findall(rf"\b(?:[Oo]ption|[Cc]hoice)\s+[(\[]?([{letters}])\b(?!')", text))
    both: set[str] = {*starts, *bracketed, *named}
    if len(both) == 1:
        return both.pop()
    if bracketed[:2] == ["A", "B"]:
        return None  # the options quoted in one line
    return _delimited_start(text, letters) if len(starts) == 1 else None


def _mentioned(text: str, choices: Sequence[str] | None) -> str | None:
    haystack = normalise(_bare(text), ignore_punctuation=True)
    keys = [normalise(_bare(choice), ignore_punctuation=True) for choice in choices or ()]
    found = {
        i
        for i, key in enumerate(keys)
        # An option that is itself one letter would be found in every article.
        if len(key) > 1 or key.isdigit()
        if contains_words(haystack, key)
    }
    # "red" inside "dark red" is not a second option, unless it also stands by itself.
    for i in list(found):
        longer = [keys[j] for j in found if j != i and contains_words(keys[j], keys[i])]
        rest = haystack
        for key in longer:
            rest = rest.replace(key, " | ")
        if longer and not contains_words(rest, keys[i]):
            found.discard(i)
    return _LETTERS[found.pop()] if len(found) == 1 else None
