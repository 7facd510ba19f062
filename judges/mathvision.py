r"""MATH-Vision's own rule: where its authors find the answer in a response, and what they take for equal.

Written anew from what evaluation/ of mathllm/MATH-V does (MIT; no code of it), oddities included, since they decide
points. They are, first those of the reading:

- Everything behind the last "is " is the answer where it is a number; a response that ends in " B." or begins with a
  line "(B)" is B. Behind "the answer is" an answer ends at the first full stop with a space.
- Words are glued together, "units", "km", "m^3", `\text` and degrees go, wherever they stand.
- \frac12 becomes \frac{1}{2} only where a root stands beside it, and 4/3 a \frac only without a full stop behind it.

Then those of the comparison, of the label's letter and of the option's text:

- Texts, or tuples of values, or values rounded to two decimals: 1/3 is 0.33, and 2822's (3^1008 - 1)/3^1009 is 1/3.
- Labels are taken as they stand: one with a degree sign, a unit, \boxed or a space before \% has no value and
  equals only its own text.
- The parser (latex2sympy2 1.9.1) takes the 1/2 in 3\frac{1}{2} for a factor and knows no character outside of ASCII,
  no \frac12; its text goes through Python's `eval` beside `from math import *`, so that E, csc or |x| is an error and
  no answer. latex2sympy2 pins an ANTLR that math-verify cannot use: here its successor reads, kept to the same
  oddities, and nothing is evaluated as code. On all 1,770 texts of three models' recorded answers that reach this
  point both give the same value, but for the interval [700,800], which the older one reads as 700800.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from judges.math_text import MAX_CHARS

_OPTIONS = "ABCDE"
_STATED = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
# What goes out of an answer, in this order; all behind the last "=" and "\approx" was taken before.
_CLEANED = (
    *((" ", ""), (r"\,", ""), ("∞", r"\infty"), (r"+\infty", r"\infty"), (r"\\", "\\"), ("\n", "")),
    *((r"\text", ""), (r"\mbox", ""), ("bmatrix", "pmatrix"), (r"\left", ""), (r"\right", "")),
    *((r"^{\circ}", ""), (r"^\circ", ""), ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", "")),
    *(("{km}", ""), ("km", ""), (r"\!", ""), (r"\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac")),
    *((r"\left", ""), (r"\right", ""), (r"^{\circ}", ""), (r"^\circ", ""), (r"\$", ""), ("$", "")),
    *((r"\%", ""), ("{.", "{0.")),
)
_SLASH = re.compile(r"(0|-?[1-9]\d*)/(0|-?[1-9]\d*)")
_BARE_ROOT = re.compile(r"\\sqrt([^{])", re.DOTALL)
_UNREADABLE = re.compile(r"[^\x00-\x7f]|\\circ|\\boxed|\\[!()\[\]$]|\{,\}|(?<!\\)%|\s\\%")
_NUMERAL = re.compile(r"-?\d+(?:\.\d+)?")
_COMMAND = re.compile(r"^\s*\$?[a-z]=|\\[a-z]+")
_NAMES = re.compile(r"[a-df-z]")
_SPACE = re.compile(r"\$|~|\\,|\\(?:displaystyle|q?quad|left|right)(?![a-z])")
_FACTOR = re.compile(r"(?<=\d)\s*(?=\\[dt]?frac)|(?<=\d)(?<!_\d)\s+(?=\d)|(?<=[\d)])\s*(?=\()")

Value = Callable[[str], float | None]


def right(wanted: Sequence[str], response: str, value_of: Value) -> bool:
    """The authors' verdict on a response.

    wanted: the answer, or an option's letter and its text. value_of: `value` with a limit of the caller's.
    """
    answer = read(response).lower()
    return any(_equal(text.lower(), answer, value_of) for text in wanted)


def read(response: str) -> str:
    """The answer in a response, in lower case; the whole response without its spaces where nothing states one."""
    text = response.strip()
    for letter in _OPTIONS:
        if text.endswith((f" {letter}.", f" ({letter}).")) or text.startswith(
            (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        ):
            text = letter
    behind = text.rsplit("is ", 1)[-1].rstrip(".")
    if _is_float(behind):
        text = behind
    if "oxed{" not in text:
        text = _stated(text)
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.rsplit("oxed{", 1)[-1]
    answer = _cleaned(text.lower().replace("{}", ""))
    for bracketed in ("({})", "{{{}}}"):
        for letter in _OPTIONS.lower():
            answer = answer.replace(bracketed.format(letter), letter)
    return answer.rstrip(".").lstrip(":").strip()


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _stated(text: str) -> str:
    for phrase in _STATED:
        for spelled in (phrase, phrase.replace("the", "The")):
            _, found, text = text.rpartition(spelled)
            text = text.strip().split("\n")[0].split(". ")[0] if found else text.strip()
    return text


def _cleaned(text: str) -> str:
    """The content of the (only) box without its closing brace, or all of a text, in the authors' plain form."""
    boxes = re.findall(r"oxed\{(.*)\}", text, flags=re.DOTALL)
    text = boxes[-1] if boxes else text
    if "}" in text.split("{", 1)[0]:
        text = text.split("}", 1)[0]
    text = text.rsplit("=", 1)[-1].rsplit("\\approx", 1)[-1]
    for old, new in _CLEANED:
        text = text.replace(old, new)
    if text.startswith("."):
        text = "0" + text
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    if "sqrt" in text:
        text = _braced_fractions(text)
    if text == "0.5":
        return r"\frac{1}{2}"
    fraction = _SLASH.fullmatch(text)
    return rf"\frac{{{fraction[1]}}}{{{fraction[2]}}}" if fraction else text


def _braced_fractions(text: str) -> str:
    """\\frac12 as \\frac{1}{2}; nothing is changed where one is cut off."""
    first, *parts = text.split(r"\frac")
    if any(len(part) < 2 and not part.startswith("{") for part in parts):
        return text
    for part in parts:
        if part.startswith("{"):
            first += rf"\frac{part}"
        else:
            rest = part[1:] if part[1] == "{" else f"{{{part[1]}}}{part[2:]}"
            first += rf"\frac{{{part[0]}}}{rest}"
    return first


def _equal(wanted: str, answer: str, value_of: Value) -> bool:
    if not wanted.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if wanted.strip() == answer.strip() or _rounded(wanted, value_of) == _rounded(answer, value_of):
        return True
    a, b = _value(wanted, value_of), _value(answer, value_of)
    return a is not None and a == b


def _rounded(text: str, value_of: Value) -> str:
    """A tuple or list with the values of its parts; any other text, and one with a part without a value, as it is."""
    parts = text[1:-1].split(",")
    if len(parts) == 1 or (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    known = []
    for part in parts:
        value = part if "infty" in part or part in ("a", "-a") else _value(part, value_of)
        if value is None:
            return text
        known.append(f"{value}")
    return text[0] + ",".join(known) + text[-1]


def _value(text: str, value_of: Value) -> float | None:
    """`value_of` where the text is no plain number and has a chance: names of variables have no value."""
    if _NUMERAL.fullmatch(text):
        return round(float(text), 2)
    if len(text) > MAX_CHARS or _UNREADABLE.search(text) or _NAMES.search(_COMMAND.sub("", text)):
        return None
    return value_of(text)


def value(text: str) -> float | None:
    """The value of LaTeX in lower case, rounded to two decimals; None where the authors' parser or `eval` raises.

    Can take arbitrarily long: it is meant to run in a process of its own, see `judges.math_worker`.
    """
    import math

    import sympy
    from latex2sympy2_extended import latex2sympy

    text = _SPACE.sub(" ", text).replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    try:
        found = latex2sympy(_FACTOR.sub(r" \\cdot ", re.sub(r"(\d)\.(?!\d)", r"\1", text)), normalization_config=None)
    except Exception:  # the parser's bare ones, and whatever SymPy makes of nonsense
        return None
    if isinstance(found, sympy.Eq) and isinstance(found.lhs, sympy.Symbol):
        found = found.rhs
    if not isinstance(found, sympy.Expr) or found.free_symbols or found.has(sympy.E):
        return None
    if not all(hasattr(math, part.func.__name__) for part in found.atoms(sympy.Function)):
        return None
    number = found.doit().evalf()
    if not (number.is_real and number.is_finite):
        return None
    rounded = round(float(number), 2)
    return rounded if math.isfinite(rounded) else None
