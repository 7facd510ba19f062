"""Published rules for the option that a text names, each as its authors run it.

A rule gets the text without its reasoning and the options of the item, and gives the letter or None.
What a rule reads too much into is kept ("A man ..." is A where the rule takes a lone A for one): it is
what the published figures were made with. `ASKING` rules ask a language model for what they do not
find; here `judges.options` is asked. `RANDOM` rules draw an option where nothing is found at all; here
the answer is wrong and flagged, and `drawn` says what the draw is worth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from judges.letter_rules import DRAWING, LETTER_RULES, LetterRule, Rule
from judges.options import letter_of, letters_of

_Named = Literal[
    "mmmu",
    "mmmu_pro",
    "mmbench",
    "blink",
    "mmstar",
    "scienceqa",
    "first_letter",
    "letter_and_dot",
    "naturalbench",
]
RuleName = _Named | LetterRule


def mmmu(text: str, choices: Sequence[str]) -> str | None:
    """`parse_multi_choice_response` of MMMU's eval/utils/eval_utils.py.

    "(B)" counts before " B ", and both before an option's text, which is looked for in texts of more
    than five words only; of several found in one way the last one in the text counts.
    """
    text = _padded(text)
    letters = letters_of(choices)
    for shape in ("({})", " {} "):
        if found := [letter for letter in letters if shape.format(letter) in text]:
            return _last(text, found, shape)
    return _option_text(text, choices)


def mmmu_pro(text: str, choices: Sequence[str]) -> str | None:
    """`parse_multi_choice_response` of MMMU-Pro's evaluate.py.

    First: of the letters that occur behind the last "Answer:", if it is one only (in whatever word:
    "Answer: B. Apple" has A and B, and the next steps decide). Then as MMMU, but "B " need have no
    space before it, and "B." counts too.
    """
    letters = letters_of(choices)
    _, found, tail = text.rpartition("Answer:")
    if found and len(named := [letter for letter in letters if letter in tail]) == 1:
        return named[0]
    text = _padded(text)
    for shape, place in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        if candidates := [letter for letter in letters if shape.format(letter) in text]:
            return _last(text, candidates, place)
    return _option_text(text, choices)


def _padded(text: str) -> str:
    for sign in ",.!?;:'":
        text = text.strip(sign)
    return f" {text} "


def _last(text: str, letters: Sequence[str], shape: str) -> str:
    """The letter whose last occurrence is the latest; the first one where none occurs in this shape."""
    return max(letters, key=lambda letter: text.rfind(shape.format(letter)))


def _option_text(text: str, choices: Sequence[str]) -> str | None:
    if len(text.split()) <= 5:
        return None
    lowered = text.lower()
    places = {
        letter: lowered.rfind(choice.lower()) for letter, choice in zip(letters_of(choices), choices, strict=False)
    }
    found = [letter for letter, place in places.items() if place >= 0]
    return max(found, key=lambda letter: places[letter]) if found else None


def mmbench(text: str, choices: Sequence[str]) -> str | None:
    """`can_infer` of VLMEvalKit (vlmeval/utils/matching_util.py), the harness of MMBench's authors.

    Exactly one letter stands as a word of its own, signs put aside, and first does so among the last
    four words; else exactly one option's text is part of the answer, if that is not over twice as long
    as all options together. Asks a language model then; where that fails, an option or "Z" is drawn.
    """
    words = re.sub(r"[.()\[\],:;!*#{}]", " ", text).split()
    named = [letter for letter in letters_of(choices) if letter in words]
    if len(named) == 1 and words.index(named[0]) >= len(words) - 4:
        return named[0]
    lowered = text.lower()
    if len(lowered) > 2 * sum(map(len, choices)):
        return None
    found = [i for i, choice in enumerate(choices) if choice.lower() in lowered]
    return letter_of(found[0]) if len(found) == 1 else None


def blink(text: str, choices: Sequence[str]) -> str | None:
    """`analyze_answer` of BLINK's eval/test_benchmark.py.

    The text is a letter, "C" or "(C)"; else exactly one of "(A)", "(B)" ... is a word of its last
    paragraph; else exactly one of the whole text. Asks GPT-3.5 then.
    """
    if text in (*"ABCDE", *(f"({letter})" for letter in "ABCDE")):
        return text.strip("()")
    marks = {f"({letter})" for letter in letters_of(choices)}
    for part in (text.rsplit("\n\n", maxsplit=1)[-1], text):
        if len(found := marks & set(part.split())) == 1:
            return found.pop().strip("()")
    return None


def mmstar(text: str, choices: Sequence[str]) -> str | None:
    """`MMStar_eval` of MMStar's eval/vlmeval/evaluate/mmstar.py: what stands first, in lower case.

    The first character, or the one behind "(", "option " or "the answer is ". So "Dogs" is D, and
    "A man is riding" is A.
    """
    lowered = text.lower().strip()
    start = next((s for s in ("(", "option ", "the answer is ") if lowered.startswith(s)), "")
    first = lowered[len(start) : len(start) + 1].upper()
    return first if first and first in letters_of(choices) else None


def scienceqa(text: str, choices: Sequence[str]) -> str | None:
    """eval_science_qa.py of LLaVA: a letter alone, "B. ..." at the start, or "The answer is B"."""
    letters = letters_of(choices)
    text = text.replace("\n", ". ")
    if len(bare := text.strip()) == 1 and bare in "ABCDE":
        return bare if bare in letters else None
    match = re.match(r"([A-E])\. ", text) or re.search(r"The answer is ([A-E])", text)
    return match[1] if match and match[1] in letters else None


def first_letter(text: str, choices: Sequence[str]) -> str | None:
    """The first character, as lmms-eval reads SEED-Bench: "B. a dog" and "Both" are B."""
    first = text.strip()[:1].upper()
    return first if first and first in letters_of(choices) else None


def letter_and_dot(text: str, choices: Sequence[str]) -> str | None:
    """A letter alone, whatever signs surround it, or "B. ..." at the start, as lmms-eval reads AI2D."""
    if match := re.match(r"\s*([A-Z])\.", text):
        return match[1] if match[1] in letters_of(choices) else None
    bare = re.sub(r"[^\w\s]", "", text).upper()
    return bare if len(bare) == 1 and bare in letters_of(choices) else None


def naturalbench(text: str, choices: Sequence[str]) -> str | None:
    """`extract_answer` of NaturalBench's example.py: which of two words stands first, in any case.

    The words are "yes" and "no" where these are the options, else "a" and "b": the article in "It is
    a dog: B" is A.
    """
    words = ("yes", "no") if [choice.lower() for choice in choices] == ["yes", "no"] else ("a", "b")
    places = [found.start() if (found := re.search(rf"\b{word}\b", text, re.IGNORECASE)) else -1 for word in words]
    if max(places) < 0:
        return None
    return "A" if places[1] < 0 or 0 <= places[0] < places[1] else "B"


RULES: Mapping[str, Rule] = {
    "mmmu": mmmu,
    "mmmu_pro": mmmu_pro,
    "mmbench": mmbench,
    "blink": blink,
    "mmstar": mmstar,
    "scienceqa": scienceqa,
    "first_letter": first_letter,
    "letter_and_dot": letter_and_dot,
    "naturalbench": naturalbench,
    **LETTER_RULES,
}
ASKING = frozenset({"mmbench", "blink"})
# Rules that draw one of the options where they find none, and how many outcomes beside these are drawn from.
RANDOM: Mapping[str, int] = {"mmmu": 0, "mmmu_pro": 0, "mmbench": 1, **DRAWING}


def drawn(rule: str, choices: Sequence[str]) -> float:
    """The expected score of what a rule draws where it finds no option; 0 for one that does not draw."""
    return 1 / (len(choices) + RANDOM[rule]) if rule in RANDOM and choices else 0.0
