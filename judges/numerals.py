"""Numbers as people and models write them: 1,234.5, $18, -3/4, 1 1/2, 25 %, 3.2e5, \\frac{3}{4}."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,300})"
_PATTERN = re.compile(
    rf"""
    (?<![\w.])                                        # not in the middle of a word or number
    (?P<sign>(?<![)\]}}%])[-−+])?\s?
    (?:\\?[$€£¥₹]\s?)?(?P<sign2>[-−])?
    (?:
      \\[dt]?frac\s?(?:\{{(?P<ln>-?\d{{1,300}})\}}\{{(?P<ld>\d{{1,300}})\}}|(?P<sn>\d)(?P<sd>\d))
    | (?:(?P<whole>\d{{1,300}})\s+)?(?P<num>{_DIGITS})\s?/\s?(?P<den>\d{{1,300}})(?![\d/])(?!\.\d)
    | (?P<int>{_DIGITS})?(?P<dec>\.\d{{1,300}})?(?<=\d)
      (?:[eE](?P<exp>[-+]?\d{{1,3}})(?![\w])
        |\s?(?:×|x|\*|\\times|\\cdot)\s?10\s?\^\s?\{{?(?P<pow>[-−+]?\d{{1,3}})\}}?)?
    )
    (?P<percent>\s?\\?%|\s(?:percent|per\scent)\b)?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """value: without the percent sign (25 % is 25). exact: no decimal point was written."""

    value: Fraction
    percent: bool = False
    exact: bool = True
    text: str = ""

    @property
    def key(self) -> str:
        """The number in one canonical form: `0.75`, `1/3`, `25%`."""
        return _plain(self.value) + ("%" if self.percent else "")


def find_numbers(text: str) -> Iterator[Number]:
    """The numbers of a text, from left to right."""
    for match in _PATTERN.finditer(text):
        number = _number(match)
        if number is not None:
            yield number


def parse_number(text: str) -> Number | None:
    """The number that a text is, or None where the text is anything more or less."""
    match = _PATTERN.fullmatch(text.strip().rstrip(".").rstrip())
    return None if match is None else _number(match)


def _number(match: re.Match[str]) -> Number | None:
    part = match.groupdict()
    exact = part["dec"] is None and part["exp"] is None
    if part["num"]:
        value = _ratio(part["num"], part["den"])
        if value is not None and part["whole"]:
            value += int(part["whole"])
    elif part["ln"] or part["sn"]:
        value = _ratio(part["ln"] or part["sn"], part["ld"] or part["sd"])
    else:
        digits = (part["int"] or "0").replace(",", "") + (part["dec"] or "")
        power = (part["exp"] or part["pow"] or "0").replace("−", "-")
        value = Fraction(digits) * Fraction(10) ** int(power)
    if value is None:
        return None
    negative = (part["sign"] or "") in "-−" and bool(part["sign"])
    if negative != bool(part["sign2"]):
        value = -value
    return Number(value, bool(part["percent"]), exact, match.group().strip())


def _ratio(numerator: str, denominator: str) -> Fraction | None:
    below = int(denominator)
    return Fraction(int(numerator.replace(",", "")), below) if below else None


def _plain(value: Fraction) -> str:
    """A finite decimal where the value has one, else `n/d`."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
