"""From a task's `judge:` to a judge."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError
from rapidfuzz import process

from judges.base import Judge

# name: module and class. A module is imported when its judge is asked for.
_JUDGES = {
    "exact": ("judges.exact", "ExactJudge"),
    "contains": ("judges.contains", "ContainsJudge"),
    "choice": ("judges.choice", "ChoiceJudge"),
    "mmmu": ("judges.mmmu", "MmmuJudge"),
    "yes_no": ("judges.yes_no", "YesNoJudge"),
    "number": ("judges.number", "NumberJudge"),
    "math": ("judges.mathematics", "MathJudge"),
    "anls": ("judges.anls", "AnlsJudge"),
    "vqa": ("judges.vqa", "VqaJudge"),
    "relaxed": ("judges.relaxed", "RelaxedJudge"),
    "mra": ("judges.mra", "MraJudge"),
    "ocrbench": ("judges.ocrbench", "OcrBenchJudge"),
    "wer": ("judges.transcript", "WerJudge"),
    "cer": ("judges.transcript", "CerJudge"),
    "bleu": ("judges.overlap", "BleuJudge"),
    "chrf": ("judges.overlap", "ChrfJudge"),
    "rouge": ("judges.rouge", "RougeJudge"),
    "cider": ("judges.cider", "CiderJudge"),
    "loglikelihood": ("judges.loglikelihood", "LoglikelihoodJudge"),
    "lmms_eval": ("judges.lmms_eval", "LmmsEvalJudge"),
    "llm": ("judges.llm", "LLMPointwise"),
    "llm_extract": ("judges.llm_extract", "LLMExtract"),
    "llm_pairwise": ("judges.llm_pairwise", "LLMPairwise"),
    "outcome": ("judges.outcome", "OutcomeJudge"),
    "function": ("judges.function", "FunctionJudge"),
    "option_words": ("judges.option_words", "OptionWordsJudge"),
}


class UnknownJudge(ValueError):
    """There is no judge of that name; the message lists the nearest ones."""


class JudgeParameterError(ValueError):
    """A judge was given a parameter it does not have, or a value that it cannot use."""


def judge_names() -> tuple[str, ...]:
    """The names that `get_judge` knows, sorted."""
    return tuple(sorted(_JUDGES))


def judge_class(name: str) -> type[Judge]:
    """The class of one of `judge_names()`."""
    module, attribute = _JUDGES[name]
    judge: type[Judge] = getattr(import_module(module), attribute)
    return judge


def get_judge(spec: str | Mapping[str, Any]) -> Judge:
    """The judge of a name, or of `{"name": ..., parameter: value, ...}`.

    Raises UnknownJudge and JudgeParameterError, both ValueErrors that say what would be right.
    """
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise UnknownJudge(
            f"a judge is a name or a mapping with a `name`, not {spec!r}. Judges: {', '.join(judge_names())}"
        )
    name, given = spec["name"], {key: value for key, value in spec.items() if key != "name"}
    if name not in _JUDGES:
        near = [match for match, _, _ in process.extract(name, judge_names(), limit=3, score_cutoff=50)]
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise UnknownJudge(f"no judge {name!r}. {hint}Judges: {', '.join(judge_names())}")
    judge = judge_class(name)
    try:
        params = judge.Parameters.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        valid = ", ".join(sorted(judge.Parameters.model_fields)) or "none"
        raise JudgeParameterError(f"judge {name!r}: {problems}. Valid parameters: {valid}") from error
    return judge(params)
