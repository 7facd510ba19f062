"""Mathematical equality of two clean expressions.

`quick` decides what arithmetic on fractions can decide. `thorough` asks math-verify (SymPy) and can
take arbitrarily long: it is meant to run in a process of its own, see `judges.math_worker`.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import lru_cache
from typing import Any

from judges.math_text import Expression
from judges.numerals import Number, parse_number

# A decimal equals a number that it renders to six places: 0.333333 is 1/3, 0.33 and 3.14 (for pi)
# are not. Measured against the label where that is small, so that not every tiny number is 0.
PLACES = Fraction(1, 10**6)


def quick(label: Expression, answer: Expression) -> bool | None:
    """True or False where it can be told cheaply, None where it takes algebra."""
    if label.unit and answer.unit and label.unit != answer.unit:
        return False
    if label.canonical == answer.canonical:
        return True
    a, b = as_number(label), as_number(answer)
    if a is not None and b is not None:
        return _equal_numbers(a, b)
    if not answer.body or not label.body:
        return False
    return None


@lru_cache(maxsize=50_000)
def as_number(expression: Expression) -> Number | None:
    """The rational number that an expression is; `a : b` is read as a ratio."""
    number = parse_number(expression.body)
    if number is None and expression.body.count(":") == 1:
        left, right = (parse_number(part) for part in expression.body.split(":"))
        if left and right and right.value:
            return Number(left.value / right.value)
    return number


def rational_key(expression: Expression) -> str:
    """The same text for the same rational number, else the canonical form."""
    number = as_number(expression)
    return number.key if number is not None else expression.canonical


def _equal_numbers(label: Number, answer: Number) -> bool:
    values = [answer.value]
    if label.percent != answer.percent:
        values.append(answer.value / 100 if answer.percent else answer.value * 100)
    exact = label.exact and answer.exact
    allowed = Fraction(0) if exact else PLACES * min(Fraction(1), abs(label.value))
    return any(abs(value - label.value) <= allowed for value in values)


def thorough(label: str, answer: str) -> bool:
    """Equality of two clean forms by algebra; False where either is no mathematics."""
    from math_verify import verify

    golds, found = _parse(label), _parse(answer)
    if not golds or not found:
        return False
    exact = _equal_constants(golds[0], found[0])
    if exact is not None:
        return exact
    return bool(verify(golds, found, timeout_seconds=None))


@lru_cache(maxsize=10_000)
def _parse(text: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    return list(
        parse(
            f"${text}$",
            extraction_config=[LatexExtractionConfig(boxed_match_priority=-1)],
            fallback_mode="no_fallback",
            parsing_timeout=None,
        )
    )


def _equal_constants(gold: Any, answer: Any) -> bool | None:
    """Exact equality of two numbers; None if one is no number or SymPy cannot tell.

    math-verify itself compares 15 digits, and so takes 1/3 - 1/3^1009 for 1/3.
    """
    import sympy

    if not all(isinstance(x, sympy.Expr) and not x.free_symbols for x in (gold, answer)):
        return None
    a, b = sympy.simplify(gold.doit()), sympy.simplify(answer.doit())
    if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
        return None
    if a.has(sympy.Float) or b.has(sympy.Float):
        allowed = float(PLACES) * min(1.0, abs(float(a.evalf()))) * (1 + 1e-9) if a.is_real else float(PLACES)
        return bool(abs(complex((a - b).evalf())) <= allowed)
    equal = (a - b).equals(0)
    return None if equal is None else bool(equal)


def quiet() -> None:
    """No word from math-verify about its own time limits, which are off on purpose."""
    logging.getLogger("math_verify").setLevel(logging.ERROR)
