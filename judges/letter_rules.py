"""Published rules for an option's letter, of video benchmarks and of texts: see `judges.choice_rules`.

What is known to be a fault of a rule is kept and said. A letter that the item does not have is an
answer, and a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from judges.options import letter_of

LetterRule = Literal[
    "videomme",
    "longvideobench",
    "mvbench",
    "mlvu",
    "streamingbench",
    "perceptiontest",
    "tempcompass",
    "tempcompass_captions",
    "mmlu_pro",
    "gpqa",
]
Rule = Callable[[str, Sequence[str]], str | None]

_PREFIXES = ("The best answer is", "The correct answer is", "The answer is", "The answer")
_MORE_PREFIXES = ("The best option is", "The correct option is", "Best answer:", "Best option:")
_CAPTION_NOUN = re.compile(r"^(?:Sentence|Option|Caption) ")


def videomme(text: str, choices: Sequence[str]) -> str | None:
    """Video-MME's `eval_your_results.py`: the first capital A to D, four openings taken out before.

    Two more openings stand in the script without a comma between them and are never found: "Best
    option: C" is read as B. So are words: "Dogs" is D, "The picture shows a Car" is C.
    """
    return _first_capital(text, _PREFIXES, "ABCD")


def longvideobench(text: str, choices: Sequence[str]) -> str | None:
    """LongVideoBench's own, as its authors gave it to lmms-eval: all eight openings, letters A to E.

    Draws an option where no letter is found.
    """
    return _first_capital(text, (*_PREFIXES, *_MORE_PREFIXES), "ABCDE")


def mvbench(text: str, choices: Sequence[str]) -> str | None:
    """MVBench's `check_ans`: the first line's first word is a letter, with or without brackets and full stops.

    Or it holds a bracketed one, "(a),". Of several in one word the script takes each for right, this the first.
    """
    word = text.partition("\n")[0].lower().partition(" ")[0]
    match = re.fullmatch(r"\(?([a-g])\)?", word.replace(".", "")) or re.search(r"\(([a-g])\)", word)
    return match[1].upper() if match else None


def mlvu(text: str, choices: Sequence[str]) -> str | None:
    """MLVU's `check_ans`: the character before the first ")"; without one, the whole response is the letter."""
    at = text.find(")")
    return _capital(text if at < 0 else text[max(at - 1, 0) : at])


def first_character(text: str, choices: Sequence[str]) -> str | None:
    """StreamingBench's `count.py`: the first character."""
    return _capital(text[:1])


def first_word_letter(text: str, choices: Sequence[str]) -> str | None:
    """PerceptionTest in lmms-eval: the first A to D that stands as a word, the article "A" among them."""
    match = re.search(r"\b([A-D])\b", text)
    return match[1] if match else None


def tempcompass(text: str, choices: Sequence[str]) -> str | None:
    """TempCompass's `eval_multi-choice.py --disable_llm`: a letter A to D alone, or in front of "." or ")".

    Without that flag a language model looks at what this rule cannot read.
    """
    match = re.match(r"([A-D])(?:$|[.)])", text)
    return match[1] if match else None


def tempcompass_captions(text: str, choices: Sequence[str]) -> str | None:
    """TempCompass's `eval_caption_matching.py --disable_llm`, options being "Caption A: ..." or "Option 1: ...".

    The response is an option, its sentence (behind ") " too), or its name; lmms-eval takes the bare "A"
    or "1" as well, and so does this.
    """
    for number, choice in enumerate(choices):
        name, _, sentence = choice.partition(": ")
        names = (name, _CAPTION_NOUN.sub("", name))
        behind = text.split(") ")[1] if ") " in text else text
        if text == choice or sentence in (text, behind) or text in names or text.replace(".", "") in names:
            return letter_of(number)
    return None


def mmlu_pro(text: str, choices: Sequence[str]) -> str | None:
    """MMLU-Pro's `compute_accuracy.py`: "answer is (X)", else the last "Answer: X" of a line, else the last letter.

    Letters are A to J. Draws an option where there is none.
    """
    found = (
        re.search(r"answer is \(?([A-J])\)?", text)
        or _last_of_its_line(r"[aA]nswer:\s*([A-J])", text)
        or re.search(r"\b([A-J])\b(?!.*\b[A-J]\b)", text, re.DOTALL)
    )
    return found[1] if found else None


def gpqa(text: str, choices: Sequence[str]) -> str | None:
    """GPQA's `parse_sampled_answer`: a letter in brackets behind one of four phrases, or the first in brackets."""
    patterns = (r"answer is \((.)\)", r"Answer: \((.)\)", r"answer: \((.)\)", r"answer \((.)\)", r"\((.)\)")
    for pattern in patterns:
        # The first match of the first pattern that has one of an option's letters, as the script goes on otherwise.
        match = re.search(pattern, text)
        if match and match[1] in "ABCD":
            return match[1]
    return None


def _last_of_its_line(pattern: str, text: str) -> re.Match[str] | None:
    """The last match on the line of the first one: `.*pattern`, but linear in the text's length."""
    first = last = None
    for match in re.finditer(pattern, text):
        if first is None:
            first = match
        elif "\n" in text[first.start() : match.start()]:
            break
        last = match
    return last


def _first_capital(text: str, prefixes: Sequence[str], letters: str) -> str | None:
    for prefix in prefixes:
        text = text.replace(prefix, "")
    match = re.search(f"[{letters}]", text)
    return match[0] if match else None


def _capital(text: str) -> str | None:
    return text if len(text) == 1 and "A" <= text <= "Z" else None


def _of_stripped(rule: Rule) -> Rule:
    """The rule of a text without the space at its ends, which every one of these codes takes off."""
    return lambda text, choices: rule(text.strip(), choices)


LETTER_RULES: Mapping[str, Rule] = {
    "videomme": _of_stripped(videomme),
    "longvideobench": _of_stripped(longvideobench),
    "mvbench": _of_stripped(mvbench),
    "mlvu": _of_stripped(mlvu),
    "streamingbench": _of_stripped(first_character),
    "perceptiontest": _of_stripped(first_word_letter),
    "tempcompass": _of_stripped(tempcompass),
    "tempcompass_captions": _of_stripped(tempcompass_captions),
    "mmlu_pro": _of_stripped(mmlu_pro),
    "gpqa": _of_stripped(gpqa),
}
# See `judges.choice_rules.RANDOM`.
DRAWING: Mapping[str, int] = {"longvideobench": 0, "mmlu_pro": 0}
# Rules whose script leaves out of its mean what it cannot read.
LEAVING_OUT = frozenset({"videomme"})
