"""What of a transcript's writing does not count as an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

from judges.text import normalise

Normaliser = Literal["none", "basic", "no_spaces", "whisper_basic", "whisper_english"]


def libraries(name: Normaliser) -> tuple[str, ...]:
    return ("whisper-normalizer",) if name.startswith("whisper") else ()


@cache
def normaliser(name: Normaliser) -> Callable[[str], str]:
    """The function of a name.

    none:            white space folded, nothing else.
    basic:           in lower case, without punctuation except inside numbers; apostrophes go as well.
    no_spaces:       as basic, and without any space: for scripts that have none between words, with `cer`.
    whisper_basic:   Whisper's for any language: lower case, brackets with what is in them, marks and symbols removed.
    whisper_english: Whisper's for English: also contractions, numbers, British spellings and titles in one form, and
                     fillers ("um") removed. Leaderboards of speech recognition use it.
    """
    match name:
        case "none":
            return lambda text: " ".join(text.split())
        case "basic":
            return lambda text: normalise(text.replace("'", ""), ignore_punctuation=True)
        case "no_spaces":
            return lambda text: normalise(text.replace("'", ""), ignore_punctuation=True).replace(" ", "")
        case "whisper_basic":
            from whisper_normalizer.basic import BasicTextNormalizer

            basic = BasicTextNormalizer()
            return lambda text: str(basic(text)).strip()
        case "whisper_english":
            from whisper_normalizer.english import EnglishTextNormalizer

            english = EnglishTextNormalizer()
            return lambda text: str(english(text)).strip()
