r"""Mathematical expressions in text: where they stand, and one clean form of each.

The clean form is LaTeX without delimiters, spacing, sizing and units, so that equal spellings are
equal strings: `$5\,\mathrm{cm}$`, `5 cm` and `\boxed{5}` all become `5` (the unit is kept apart).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from judges.extract import boxed, stated_answer
from judges.numerals import find_numbers

# Spellings of one unit. Units are compared by name only: nothing is converted.
_UNITS = {
    name: names.split()[0]
    for names in (
        "mm millimeter millimeters millimetre millimetres",
        "cm centimeter centimeters centimetre centimetres",
        "dm",
        "m meter meters metre metres",
        "km kilometer kilometers kilometre kilometres",
        "in inch inches",
        "ft foot feet",
        "kg kilogram kilograms",
        "g gram grams",
        "degree degrees deg °",
        "s second seconds sec",
        "min minute minutes",
        "h hour hours",
        "€ euro euros",
        "$ dollar dollars",
        "cent cents",
        "l liter liters litre litres",
        "unit units",
    )
    for name in names.split()
}
# Longer "expressions" are runaway text. Of a text without a stated answer only the end is searched.
MAX_CHARS = 400
TAIL_CHARS = 4_000
_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_UNIT = re.compile(
    rf"""(?<=[\d)}}a-z\s.])(?:(?<=\s)|(?<=°)|(?<![a-z])|(?={_NAMES}))\s*
    \{{?(?P<square>square|cubic|sq\.?)?\s*(?P<unit>{_NAMES})\}}?(?P<power>\s*\^\s*\{{?[23]\}}?)?\.?$""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}")
_FUNCTIONS = {
    "sqrt",
    "pi",
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "log",
    "ln",
    "exp",
    "arctan",
    "theta",
    "dx",
    "dy",
    "dt",
}
_SEGMENT = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$([^$\n]+?)(?<!\\)\$", re.DOTALL)
_UNICODE = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "²": "^2", "³": "^3", "’": "'"})
_REPLACEMENTS = (
    # A backslash lost to a JSON or Python escape: "\frac" read as form feed + "rac".
    (re.compile(r"\x0c(?=rac)"), r"\\f"),
    (re.compile(r"\x08(?=oxed)"), r"\\b"),
    (re.compile(r"π"), r"\\pi "),
    (re.compile(r"√\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*(\d+)"), r"\\sqrt{\1}"),
    (
        re.compile(r"\\(?:left|right|big|Big|displaystyle|quad|qquad)(?![a-zA-Z])|\\[,;:! ]|~|\$|\\[()\[\]]"),
        " ",
    ),
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degrees?(?![a-zA-Z])"), " ° "),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\a-zA-Z])(pi|sin|cos|tan|sqrt)(?![a-zA-Z])"), r"\\\1 "),
    (re.compile(r"\\sqrt\s*(\w)"), r"\\sqrt{\1}"),
    (re.compile(r"\\frac\s*(\w)\s*(\w)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\{[^{}]*\})\s*(\w)"), r"\\frac\1{\2}"),
    # TeX reads 2^10 as 2^1 0; whoever writes it means the power.
    (re.compile(r"\^\s*(-?\d+)"), r"^{\1}"),
    # The parser reads 2^{12} 13^2 as 2^12 * 1 * 3^2.
    (re.compile(r"(\^\{[^{}]*\})\s*(?=\d)"), r"\1 \\cdot "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))(?![^()]*\))"), ""),
)
_ASSIGNED = re.compile(r"^(?:\\?[a-zA-Z]+(?:_\{?\w+\}?)?|\\angle\s*\w+)\s*=\s*(?=[^=]+$)")


@dataclass(frozen=True, slots=True)
class Expression:
    """body: the clean form. unit: its canonical unit, or None.."""

    body: str
    unit: str | None = None

    @property
    def canonical(self) -> str:
        """The body without space, and without case where it is a word: equal strings, equal answers."""
        text = "".join(self.body.split())
        text = re.sub(r"(?<=[\^_])\{(\w)\}", r"\1", text)
        return text if "\\" in text or len(text) == 1 else text.casefold()


def clean(text: str) -> Expression:
    """The clean form of one expression."""
    text = unicodedata.normalize("NFC", text).translate(_UNICODE)
    for pattern, replacement in _REPLACEMENTS[:2]:
        text = pattern.sub(replacement, text)
    for content in boxed(text)[-1:]:
        text = content
    for pattern, replacement in _REPLACEMENTS[2:]:
        text = pattern.sub(replacement, text)
    text = text.strip().rstrip(".").strip()
    text, unit = _split_unit(text)
    text = _ASSIGNED.sub("", text)
    return Expression(" ".join(text.split()), unit)


def _split_unit(text: str) -> tuple[str, str | None]:
    match = _UNIT.search(text)
    if match is None or match.start() == 0:
        return text, None
    name, shape = match["unit"], (match["square"] or "").lower()
    # A single letter right behind a number may be a variable: "2m" stays, "2 m" is metres.
    if len(name) == 1 and name.isalpha() and not text[match.start("unit") - 1].isspace():
        return text, None
    power = "".join(filter(str.isdigit, match["power"] or ""))
    if shape:
        power = "3" if shape == "cubic" else "2"
    return text[: match.start()].strip(), _UNITS[name.lower()] + power


def is_math(text: str) -> bool:
    """Whether a text is an expression: no words beside functions, and something to calculate with."""
    if len(text) > MAX_CHARS:
        return False
    body = clean(text).body
    # A plain sentence of short words ("I am 5") has words; "x + 2y" has none.
    words = [word for word in _WORD.findall(re.sub(r"\\[a-zA-Z]+", " ", body)) if word.lower() not in _FUNCTIONS]
    return not words and re.search(r"\d|\\pi|\\sqrt|\\infty|^[a-z](?:$|\W)", body) is not None


def final_expression(text: str) -> str | None:
    """The expression that a text ends up with: its box, its stated answer, all of it, or its last.

    A text of at most four words without any mathematics is returned as it is: a (wrong) answer in
    words. Returns None where a longer text holds no mathematics at all.
    """
    for content in reversed(boxed(text)):
        if content.strip():
            return content.strip()
    stated = stated_answer(text)
    if stated and is_math(stated):
        return _right_side(stated)
    if is_math(text):
        return _right_side(text)
    for part in (stated, text):
        found = _last(part[-TAIL_CHARS:]) if part else None
        if found:
            return _right_side(found)
    return text.strip() if len(text.split()) <= 4 else None


def _last(text: str) -> str | None:
    """The last marked-up expression or the last number, whichever stands later."""
    segments = [
        (match.start(), match.end(), content.strip())
        for match in _SEGMENT.finditer(text)
        if (content := next(filter(None, match.groups()), "")) and is_math(content)
        # "cm$^2$" is a unit and no expression.
        if not content.strip().startswith(("^", "\\circ"))
    ]
    end = segments[-1][1] if segments else 0
    behind = re.sub(r"(?:\$|\\\()\s*\^.*?(?:\$|\\\))", " ", text[end:])
    numbers = [number.text for number in find_numbers(behind)]
    # A number behind the last marked-up result is part of the prose ("$5$ in 3 ways") unless it is
    # what an equals sign or "is" leads to.
    if segments and not re.search(r"(?:=|\bis)\s*[-$€£]?\d", behind):
        return segments[-1][2]
    return numbers[-1] if numbers else None


def _right_side(text: str) -> str:
    """The last side of a chain "a = b = c"; a single equation "x = 5" is left as it is."""
    *left, right = text.split("=")
    return right.strip() if left and is_math(right) else text.strip()
