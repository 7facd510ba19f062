"""What every judge is, and the rules that all judges of text share."""

from __future__ import annotations

import asyncio
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from judges.extract import Extract, extract, strip_reasoning
from judges.library import version_of
from judges.metric import Metric
from judges.refusal import is_refusal
from judges.verdict import EMPTY, NO_ANSWER, REFUSAL, TRUNCATED, Verdict

# Items handed to a thread at a time: a cancelled evaluation stops within one slice.
SLICE = 256
_SHARED_SOURCES = (
    "base.py",
    "extract.py",
    "metric.py",
    "numerals.py",
    "options.py",
    "refusal.py",
    "text.py",
    "verdict.py",
)


class ItemLike(Protocol):
    """What a judge reads of an item; a mapping with the same keys will do as well."""

    @property
    def target(self) -> Any: ...
    @property
    def choices(self) -> tuple[str, ...] | None: ...
    @property
    def doc(self) -> Mapping[str, Any]: ...


class ErrorLike(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def message(self) -> str: ...


class ResponseLike(Protocol):
    """What a judge reads of a response; a plain text will do as well."""

    @property
    def text(self) -> str: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def loglikelihoods(self) -> tuple[float, ...] | None: ...
    @property
    def error(self) -> ErrorLike | None: ...


@dataclass(frozen=True, slots=True)
class _Item:
    target: Any = None
    choices: tuple[str, ...] | None = None
    doc: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Response:
    text: str
    finish_reason: str = "stop"
    loglikelihoods: tuple[float, ...] | None = None
    error: ErrorLike | None = None


class Params(BaseModel):
    """Parameters of a judge; a wrong name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TextParams(Params):
    """Parameters of a judge that reads text. `extract`: see `judges.extract`; None: the judge's own."""

    extract: Extract | None = None


class LabelError(ValueError):
    """The item's label is not one that this judge can use: the item is unscored, the model blameless."""


class Judge(ABC):
    """Turns responses into verdicts.

    name:       as in a task's `judge:`.
    metrics:    what it can offer; the first is the default primary metric.
    components: names of the values that each verdict carries beyond its score.
    reads:      what it can judge: `text`, log-likelihoods of `choices`, that of the `label`.
    needs_corpus: whether `prepare` must have seen all items of the data set before the first verdict.
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("text",)
    needs_corpus: ClassVar[bool] = False
    Parameters: ClassVar[type[Params]] = Params
    # What the digest covers beside this module: source files of this package, and libraries.
    sources: ClassVar[tuple[str, ...]] = ()
    libraries: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""  # of eval-assets, where a library is no dependency of everybody

    def __init__(self, params: Any) -> None:
        self.params: Any = params

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("accuracy"),)

    @property
    def components(self) -> tuple[str, ...]:
        return ()

    @abstractmethod
    async def judge_many(self, items: Sequence[Any], responses: Sequence[Any]) -> list[Verdict]:
        """One verdict for each pair, in order. Items are ItemLike, responses ResponseLike."""

    def prepare(self, items: Iterable[Any]) -> None:  # noqa: B027 - most judges need nothing
        """Sees every item of the data set (ItemLike), also those that are not judged; see `needs_corpus`."""

    def digest(self) -> str:
        """Hex digest of the rule: source files, parameters, and versions of libraries that decide.

        Neither where the package lies nor the order of parameters plays a part. An edited comment
        changes it as well: to judge once more is cheap, to keep a stale score is not. Raises MissingLibrary.
        """
        here = Path(__file__).parent
        names = sorted({*_SHARED_SOURCES, *self.sources})
        parts = {
            "judge": self.name,
            "params": self._digest_params(),
            "sources": {name: hashlib.sha256((here / name).read_bytes()).hexdigest() for name in names},
            "libraries": {name: version_of(name, self.extra) for name in sorted(self.libraries)},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _digest_params(self) -> Any:
        return self.params.model_dump(mode="json")


class TextJudge(Judge):
    """A judge whose verdict follows from the label and one answer extracted from the text.

    The order is the same for all: a failed request and a missing or unusable label are unscored;
    a text without an answer scores 0 and is flagged; any other answer goes to `decide`.
    """

    default_extract: ClassVar[Extract] = Extract()
    needs_target: bool = True
    # Threads that judge at a time; more than one only helps a judge that waits for something else.
    threads: ClassVar[int] = 1

    @property
    def extraction(self) -> Extract:
        chosen = getattr(self.params, "extract", None)
        return chosen if isinstance(chosen, Extract) else self.default_extract

    def label(self, item: ItemLike) -> Any:
        """The label in the form that `decide` wants; raises LabelError where it cannot be used."""
        return item.target

    def read(self, item: ItemLike, text: str) -> str | None:
        """The answer in a text (without its reasoning), or None where there is none."""
        return extract(text, self.extraction, item.choices)

    @abstractmethod
    def decide(self, item: ItemLike, label: Any, answer: str) -> Verdict:
        """The verdict on an extracted answer."""

    def no_answer(self, item: ItemLike, label: Any) -> Verdict:
        """The verdict where the model gave no answer; its flags are added by the caller."""
        return Verdict(0.0, values=dict.fromkeys(self.components, 0.0))

    def decide_loglikelihoods(
        self, item: ItemLike, label: Any, loglikelihoods: tuple[float, ...], tokens: tuple[int, ...] | None
    ) -> Verdict:
        """The verdict on log-likelihoods of continuations; tokens: how many each has, where known."""
        return Verdict.not_scored(f"judge {self.name!r} reads text, but the response holds log-likelihoods")

    def judge(self, item: Any, text: str) -> Verdict:
        """The verdict on a text: the short form for scripts and tests."""
        return self.judge_response(item, text)

    def judge_response(self, item: Any, response: Any) -> Verdict:
        """The verdict on one response. A failure of the judge itself is unscored with its reason."""
        try:
            return self._judge(as_item(item), as_response(response))
        except LabelError as error:
            return Verdict.not_scored(f"unusable label: {error}")
        except Exception as error:  # one bad item must not take the others with it; the reason is kept
            return Verdict.not_scored(f"judge error: {type(error).__name__}: {error}"[:500])

    async def judge_many(self, items: Sequence[Any], responses: Sequence[Any]) -> list[Verdict]:
        if len(items) != len(responses):
            raise ValueError(f"{len(items)} items but {len(responses)} responses: one response for each item")
        verdicts: list[Verdict] = []
        for start in range(0, len(items), SLICE):
            part = slice(start, start + SLICE)
            verdicts += await asyncio.to_thread(self._judge_slice, items[part], responses[part])
        return verdicts

    def _judge_slice(self, items: Sequence[Any], responses: Sequence[Any]) -> list[Verdict]:
        if self.threads == 1:
            return [self.judge_response(i, r) for i, r in zip(items, responses, strict=True)]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self.judge_response, items, responses))

    def _judge(self, item: ItemLike, response: ResponseLike) -> Verdict:
        if response.error is not None:
            return Verdict.not_scored(f"no response: {response.error.kind}: {response.error.message}")
        if response.finish_reason == "error":
            return Verdict.not_scored("no response: the request failed without a reason")
        if item.target is None and self.needs_target:
            return Verdict.not_scored("missing label")
        label = self.label(item)
        if response.loglikelihoods is not None:
            tokens = getattr(response, "continuation_tokens", None)
            return self.decide_loglikelihoods(item, label, response.loglikelihoods, tokens)
        flags = (TRUNCATED,) if response.finish_reason == "length" else ()
        text = strip_reasoning(response.text) if self.extraction.strip_reasoning else response.text
        answer = self.read(item, text) if text.strip() else None
        if answer is not None:
            verdict = self.decide(item, label, answer)
        else:
            verdict = self.no_answer(item, label)
            if not response.text.strip():
                fault = REFUSAL if response.finish_reason == "content_filter" else EMPTY
            else:
                fault = REFUSAL if is_refusal(text) else NO_ANSWER
            flags = (*flags, fault)
        return replace(verdict, flags=(*flags, *verdict.flags)) if flags else verdict


def as_item(item: Any) -> ItemLike:
    """An item, or a mapping as one."""
    if isinstance(item, Mapping):
        choices = item.get("choices")
        return _Item(item.get("target"), tuple(choices) if choices else None, item.get("doc") or {})
    return item  # type: ignore[no-any-return]  # duck typing is the contract


def as_response(response: Any) -> ResponseLike:
    return _Response(response) if isinstance(response, str) else response
