"""What of a transcript's writing does not count as an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from judges.library import needed
from judges.text import normalise

Normaliser = Literal["none", "basic", "no_spaces", "whisper_basic", "whisper_english"]
_WHISPER = "whisper-normalizer"


def normaliser(name: Normaliser) -> tuple[Callable[[str], str], tuple[str, ...]]:
    """The function of a name, and the libraries that it takes.

    none:            white space folded, nothing else.
    basic:           in lower case, without punctuation except inside numbers; apostrophes go as well.
    no_spaces:       as basic, and without any space: for scripts that have none between words, with `cer`.
    whisper_basic:   Whisper's for any language: lower case, brackets with what is in them, marks and symbols removed.
    whisper_english: Whisper's for English: also contractions, numbers, British spellings and titles in one form, and
                     fillers ("uhm") removed. Leaderboards of speech recognition use it.
    Raises MissingLibrary.
    """
    match name:
        case "none":
            return lambda text: " ".join(text.split()), ()
        case "basic":
            return lambda text: normalise(text.replace("'", ""), ignore_punctuation=True), ()
        case "no_spaces":
            return lambda text: "".join(normalise(text.replace("'", ""), ignore_punctuation=True).split()), ()
        case "whisper_basic":
            basic = needed("whisper_normalizer.basic", _WHISPER, "speech").BasicTextNormalizer()
            return lambda text: str(basic(text)).strip(), (_WHISPER,)
        case "whisper_english":
            english = needed("whisper_normalizer.english", _WHISPER, "speech").EnglishTextNormalizer()
            return lambda text: str(english(text)).strip(), (_WHISPER,)
