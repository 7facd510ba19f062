"""`function`: a rule of the user's own, as a Python function."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import field_validator

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.metric import Metric
from judges.verdict import Verdict


class FunctionParams(TextParams):
    """function: `(item, text)` -> bool, float, mapping or Verdict.

    components:   names of the further values that the function returns in its mapping or Verdict.
    needs_target: False for a rule that asks nothing of the label (is it valid JSON?).
    """

    function: Callable[..., Any]
    components: tuple[str, ...] = ()
    needs_target: bool = True

    @field_validator("function", mode="before")
    @classmethod
    def _callable(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"{value!r} is a name: import the function and pass the function itself")
        return value


class FunctionJudge(TextJudge):
    """A mapping has `score`, may have `answer` and `flags`, and one number for each component.

    The function sees the extracted text (by default all of it, without the reasoning). What it
    raises makes that one item unscored, with the error and its traceback as the reason.
    """

    name: ClassVar[str] = "function"
    Parameters = FunctionParams
    sources = ("function.py",)

    def __init__(self, params: FunctionParams) -> None:
        super().__init__(params)
        self.needs_target = params.needs_target

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("score"), *(Metric(name, {name: 1.0}) for name in self.components))

    @property
    def components(self) -> tuple[str, ...]:
        components: tuple[str, ...] = self.params.components
        return components

    def decide(self, item: ItemLike, label: Any, answer: str) -> Verdict:
        try:
            result = self.params.function(item, answer)
        except LabelError:
            raise
        except Exception as error:  # of somebody who needs the line to mend it
            trace = "".join(traceback.format_exception(error))
            return Verdict.not_scored(f"judge error: {type(error).__name__}: {error}"[:500] + f"\n{trace[-4000:]}")
        verdict = result if isinstance(result, Verdict) else _verdict(result)
        missing = set(self.components) - set(verdict.values)
        if verdict.unscored is None and missing:
            raise ValueError(f"the function returned no value for {', '.join(sorted(missing))}")
        return verdict

    def _digest_params(self) -> Any:
        plain = self.params.model_dump(mode="json", exclude={"function"})
        return {**plain, "function": function_identity(self.params.function)}


def _verdict(result: Any) -> Verdict:
    if not isinstance(result, Mapping):
        return Verdict(_finite("score", result))
    rest = {k: v for k, v in result.items() if k not in ("score", "answer", "flags")}
    if "score" not in result:
        raise ValueError(f"the function's mapping has no `score`, only {', '.join(map(str, result))}")
    answer = result.get("answer")
    return Verdict(
        _finite("score", result["score"]),
        answer=None if answer is None else str(answer),
        flags=tuple(result.get("flags", ())),
        values={name: _finite(name, value) for name, value in rest.items()},
    )


def _finite(name: str, value: Any) -> float:
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        raise ValueError(f"the function returned {value!r} for `{name}`: expected a finite number")
    return float(value)


def function_identity(function: Callable[..., Any]) -> list[str]:
    """What tells functions apart: name, bound arguments, and the source of the file they stand in."""
    bound = ""
    while isinstance(function, functools.partial):
        bound += repr((function.args, sorted(function.keywords.items())))
        function = function.func
    subject = function if hasattr(function, "__qualname__") else type(function)
    try:
        file = inspect.getsourcefile(subject)
        source = Path(file).read_bytes() if file and Path(file).is_file() else None
        # In a notebook there is no file, but the cell's text is known.
        source = source if source is not None else inspect.getsource(subject).encode()
    except (OSError, TypeError) as error:
        raise ValueError(f"no source found for {function!r}: define the function in a file") from error
    return [subject.__qualname__, bound, hashlib.sha256(source).hexdigest()]
