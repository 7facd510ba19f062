"""The answer processor of the VQA challenges on EvalAI, which TextVQA, VQAv2 and others are scored with.

The rule stands in MMF (`pythia/tasks/processors.py`, class EvalAIAnswerProcessor). It has quirks that decide scores and
are kept: a hyphen or slash inside a word becomes a space but disappears where any space touches one of its kind;
a decimal comma anywhere lets all punctuation disappear instead; at most 32 full stops are taken out; "'s" becomes a
word of its own before contractions are looked up; "none" is 0.
"""

from __future__ import annotations

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_DECIMAL_COMMA = re.compile(r"(?<=\d),+(?=\d)")
_FULL_STOP = re.compile(r"(?!<=\d)\.(?!\d)")  # the lookahead was meant as a lookbehind: any stop before a non-digit
_MOST_STOPS = 32  # re.UNICODE, handed to `sub` where the count belongs
_NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
_NUMBERS |= {"seven": "7", "eight": "8", "nine": "9", "ten": "10"}
_ARTICLES = {"a", "an", "the"}
# The list has "I'm" and the like only with a capital, which no lower-cased text meets, and lacks "lets" and "shes".
_FORMS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'd've y'all'll you'd you'd've you'll you're you've
"""
_CONTRACTIONS = {"somebody'd": "somebodyd"}
for _form in _FORMS.split():  # a contraction is mended where exactly one of its apostrophes is missing
    _CONTRACTIONS |= {_form[:at] + _form[at + 1 :]: _form for at, sign in enumerate(_form) if sign == "'"}


def processed(text: str) -> str:
    """The form in which answers are compared."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    words = [_NUMBERS.get(word, word) for word in _without_punctuation(text).lower().split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def _without_punctuation(text: str) -> str:
    found, decimal = text, _DECIMAL_COMMA.search(text) is not None
    for sign in _PUNCTUATION:
        touched = f"{sign} " in text or f" {sign}" in text
        found = found.replace(sign, "" if touched or decimal else " ")
    return _FULL_STOP.sub("", found, count=_MOST_STOPS)
