"""Samples of the LM Evaluation Harness and of lmms-eval: one JSON object a line, for each filter of a task.

lm-eval writes `samples_<task>_<date>.jsonl` and lmms-eval `<date>_samples_<task>.jsonl` (`EvaluationTracker` of
both), each beside a file of results that knows model and settings. `resps` is what the model said, `filtered_resps`
what a filter made of it: our judges look for the answer themselves, so the former is taken where it is there.
lmms-eval leaves it out where both are the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers.base import Answer, ImportRefused, Log, Options, kept_settings, shape_of
from eval_assets.pipeline.importers.rows import Row

_LM_EVAL_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)")
_LMMS_EVAL_NAME = re.compile(r"(?P<date>\d{8}_\d{6}|\d{4}-\d\d-\d\dT[\d.:-]+)_samples_(?P<task>.+)")
_FAILED = re.compile(r"\[LMMS_EVAL_(REQUEST_FAILED|BUDGET_EXCEEDED)")
_LIKELIHOOD = re.compile(r"-?(\d[\d.e+-]*|inf|nan)")
_RESULTS_BYTES = 64 * 2**20


def is_lm_eval(row: dict[str, Any]) -> bool:
    return row.keys() >= {"doc_id", "resps", "filter"}


def is_lmms_eval(row: dict[str, Any]) -> bool:
    return "doc_id" in row and "filter" not in row and ("resps" in row or "filtered_resps" in row)


def read_lm_eval(path: Path, kind: str, rows: Iterator[Row], options: Options) -> Log:
    """Rows of the first filter: the others hold the same answers."""
    named = _LM_EVAL_NAME.fullmatch(path.stem)
    log = _log(path, "lm-eval", "samples of lm-evaluation-harness", named, "results_{date}.json")
    log.answers = _lm_eval_answers(rows, log)
    return log


def read_lmms_eval(path: Path, kind: str, rows: Iterator[Row], options: Options) -> Log:
    """Its rows do not say which filter they are of: those with the same answers again are left out on matching."""
    named = _LMMS_EVAL_NAME.fullmatch(path.stem)
    log = _log(path, "lmms-eval", "samples of lmms-eval", named, "{date}_results.json")
    log.answers = _lmms_eval_answers(rows, path)
    return log


def _log(path: Path, format: str, found: str, named: re.Match[str] | None, results: str) -> Log:
    log = Log(path, format, f"{found} (doc_id, resps)", iter(()), ("row", "question"))
    if named is None:
        return log
    log.task = named["task"]
    beside = _results(path.with_name(results.format(date=named["date"])))
    if beside is None:
        log.notes.append(f"no {results.format(date=named['date'])} beside it: model and settings are not known")
        return log
    with shape_of(f"the file of results beside {path}"):
        _describe(log, beside, named["date"])
    return log


def _describe(log: Log, beside: dict[str, Any], date: str) -> None:
    config, task = beside.get("config") or {}, (beside.get("configs") or {}).get(log.task) or {}
    log.model = beside.get("model_name") or config.get("model")
    wanted = ("generation_kwargs", "num_fewshot", "repeats", "dataset_path", "dataset_name", "test_split")
    log.settings = kept_settings(
        {name: config.get(name) for name in ("model", "model_args", "gen_kwargs", "limit", "random_seed")}
        | {name: task.get(name) for name in wanted}
        | {name: beside.get(name) for name in ("lm_eval_version", "lmms_eval_version", "chat_template_sha")}
        | {"date": date}
    )


def _results(path: Path) -> dict[str, Any] | None:
    if not path.is_file() or path.stat().st_size > _RESULTS_BYTES:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None  # model and settings are not known, which is said
    return found if isinstance(found, dict) else None


def _lm_eval_answers(rows: Iterator[Row], log: Log) -> Iterator[Answer]:
    used = None
    others: set[str] = set()
    for where, row in rows:
        used = used or row.get("filter")
        if row.get("filter") != used:
            if not others:
                log.notes.append(f"the rows of filter {used!r} are read; those of other filters are the same answers")
            others.add(str(row.get("filter")))
            continue
        arguments = row.get("arguments")
        first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else None
        prompt = first.get("arg_0") if isinstance(first, dict) else None
        doc_hash = row.get("doc_hash")
        yield from _samples(log.path, where, row, _texts(row.get("resps")), prompt, doc_hash)


def _lmms_eval_answers(rows: Iterator[Row], path: Path) -> Iterator[Answer]:
    for where, row in rows:
        said = row["resps"] if "resps" in row else row.get("filtered_resps")
        yield from _samples(path, where, row, _texts(said), row.get("input"), None)


def _texts(said: Any) -> list[str] | None:
    """The samples of a row: requests of one answer, or one request of several. None: no texts."""
    if isinstance(said, str):
        return [said]
    if not isinstance(said, list) or not said:
        return None
    if all(isinstance(one, str) for one in said):
        return None if _is_likelihood(said) else said
    if any(not isinstance(one, list) for one in said):
        return None
    flat = [text for one in said for text in one]
    if any(not isinstance(text, str) for text in flat) or any(_is_likelihood(one) for one in said):
        return None
    return flat


def _is_likelihood(pair: list[Any]) -> bool:
    """A log-likelihood and whether it is the greedy answer, both as text."""
    return len(pair) == 2 and pair[1] in ("True", "False") and _LIKELIHOOD.fullmatch(str(pair[0])) is not None


def _samples(
    path: Path, where: str, row: dict[str, Any], texts: list[str] | None, prompt: Any, doc_hash: Any
) -> Iterator[Answer]:
    if texts is None:
        raise ImportRefused(
            f"{path}, {where}: `resps` holds no texts but log-likelihoods (or nothing): answers to a task of "
            "multiple_choice or loglikelihood cannot be imported, only those of generate_until"
        )
    number, target = row.get("doc_id"), row.get("target")
    if not isinstance(number, int):
        raise ImportRefused(f"{path}, {where}: doc_id should be a row number, and is {number!r}")
    counts = row.get("token_counts")
    for sample, text in enumerate(texts):
        failed = _FAILED.match(text) is not None
        tokens = counts[sample] if isinstance(counts, list) and sample < len(counts) else None
        tokens = tokens if isinstance(tokens, dict) else {}
        yield Answer(
            where,
            None if failed else text,
            text if failed else None,
            row=number,
            question=prompt if isinstance(prompt, str) else None,
            target=None if target is None else (str(target),),
            doc_hash=doc_hash if isinstance(doc_hash, str) else None,
            fields=row["doc"] if isinstance(row.get("doc"), dict) else {},
            sample=sample,
            prompt_tokens=tokens.get("input_tokens"),
            completion_tokens=tokens.get("output_tokens"),
        )
