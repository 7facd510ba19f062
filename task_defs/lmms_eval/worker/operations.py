"""What can be asked of this process: `op_<name>` takes the question's fields and returns JSON-able data."""

import inspect
import json
import math
import os
import re
import time
import traceback
from types import SimpleNamespace

import guard
import media
import tasks

_SLOW_SECONDS = 0.5  # an aggregation that takes longer for one result is not asked for each item
# Rounds that depend on the model's own answers, or pictures that the model itself makes.
_UNSUPPORTED = ("generate_until_multi_round", "generate_until_agentic", "generate_visual_cot")


def op_describe(path: str, name: str) -> dict:
    """What a task is, as far as this project has to know."""
    task = tasks.load(path, name)
    config = task.config
    kwargs = config.dataset_kwargs or {}
    return {
        "output_type": task.OUTPUT_TYPE,
        "dataset_path": config.dataset_path,
        "dataset_name": config.dataset_name,
        "split": tasks.split_of(task),
        "examples_split": config.fewshot_split if tasks.shots(task) > 0 else None,
        "revision": kwargs.get("revision"),
        "data_files": kwargs.get("data_files") if isinstance(kwargs.get("data_files"), (str, dict)) else None,
        "cache_dir": kwargs.get("cache_dir"),
        "generation_kwargs": _json(config.generation_kwargs) or {},
        "own_until": (config.generation_kwargs or {}).get("until") != [config.fewshot_delimiter],
        "repeats": config.repeats,
        "metrics": [
            {"metric": m, "aggregation": _aggregation_name(f), "higher_is_better": bool(task._higher_is_better[m])}
            for m, f in task._aggregation_list.items()
        ],
        "filters": [p.name for p in task._filters],
        "score_key": config.score_key,
        "cluster_key": config.cluster_key,
        "full_docs": bool(config.full_docs),
        "pictures_in_results": bool(config.process_results_use_image),
        "own_class": type(task).__name__ == "Task",
        "supported": task.OUTPUT_TYPE not in _UNSUPPORTED,
        "asks_a_judge": _asks_a_judge(os.path.dirname(path)),
    }


def op_rows(path: str, name: str, documents: str, examples: str | None):
    """Each row of an Arrow stream file as a question; a row that a function fails on, with its failure."""
    task = tasks.load(path, name)
    docs = media.opened(documents)
    if task.config.process_docs is not None:
        docs = task.config.process_docs(docs)
    tasks.attach(task, docs, None if examples is None else media.opened(examples))
    raw = media.undecoded(docs)
    for position in range(len(docs)):
        guard.seed()
        try:
            yield _row(task, docs[position], raw[position])
        except (Exception, SystemExit) as error:
            yield {"error": guard.told(error, traceback.format_exc())}


def _row(task, doc: dict, raw: dict) -> dict:
    held = media.Held(doc, raw)
    choices = None
    if task.OUTPUT_TYPE == "multiple_choice":
        choices = [str(c) for c in task.doc_to_choice(doc)]
    return {
        "doc": _json(media.without(raw)),
        "messages": _messages(task.doc_to_messages(doc), held),
        "media": held.media,
        "target": _json(task.doc_to_target(doc)) if task.config.doc_to_target is not None else None,
        "choices": choices,
    }


def _messages(turns: list, held: "media.Held") -> list:
    if not isinstance(turns, list):
        raise TypeError(f"doc_to_messages gave a {type(turns).__name__}, not a list of messages")
    return [{"role": t["role"], "content": _content(t["content"], held)} for t in turns]


def _content(content, held: "media.Held"):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for part in content:
        if part["type"] == "text":
            parts.append({"type": "text", "text": str(part["text"])})
        else:
            # lmms-eval itself says `url`; some tasks write the kind's own name.
            value = next((part[k] for k in ("url", part["type"], "path") if part.get(k) is not None), None)
            parts.append({"type": held.add(part["type"], value)})
    return parts


def op_grade(path: str, name: str, doc: dict, text: str | None = None, losses: list | None = None) -> dict:
    """lmms-eval's verdict on one answer: {"found": {metric: value}, "alone": {metric: number}}.

    text: the model's answer; losses: of each choice, where the task compares likelihoods. found: what process_results
    gave, under `metric,filter` where there are several filters; alone: the aggregation of this one result, null where
    that is no number or the mean.
    """
    task = tasks.load(path, name)
    guard.seed()
    task.features = list(doc)
    target = None if task.config.doc_to_target is None or task.config.process_results else task.doc_to_target(doc)
    task.multiple_target = len(target) if type(target) is list else 0
    found: dict = {}
    alone: dict = {}
    for pipeline in task._filters:
        likely = None if losses is None else [(loss, None) for loss in losses]
        results = likely or [_filtered(pipeline, text or "", doc)]
        # The configured function itself: the method around it tries five times at two seconds.
        metrics = type(task).process_results.__wrapped__(task, doc, results)
        if not isinstance(metrics, dict):
            raise TypeError(f"process_results gave a {type(metrics).__name__}, not a mapping of metrics")
        suffix = f",{pipeline.name}" if len(task._filters) > 1 else ""
        for metric, value in metrics.items():
            found[f"{metric}{suffix}"] = _json(value)
            alone[f"{metric}{suffix}"] = _alone(task, metric, _json(value))
    return {"found": found, "alone": alone}


_slow: set = set()


def _alone(task, metric: str, value):
    """The aggregation of this one result, where that is a number; not for a function that takes long."""
    function = task._aggregation_list.get(metric)
    if function is None or (task.config.task, metric) in _slow or _aggregation_name(function) in ("mean", "bypass"):
        return None
    started = time.monotonic()
    try:
        number = _number(_aggregated(function, [value]))
    except (Exception, SystemExit):
        number = None  # it needs more than one
    if time.monotonic() - started > _SLOW_SECONDS:
        _slow.add((task.config.task, metric))
    return number


def _number(value):
    """A finite float, or None."""
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or getattr(value, "size", 0) == 1):
        return None
    return float(value) if math.isfinite(float(value)) else None


def _filtered(pipeline, text: str, doc: dict) -> str:
    answers = [[text]]
    for step in pipeline.filters:
        answers = step.apply(answers, [doc])
        answers = [list(a) if not isinstance(a, str) else a for a in answers]
    answer = answers[0]
    return answer if isinstance(answer, str) else answer[0]


def op_aggregate(path: str, name: str, metric: str, results: list, without: list, budget: float) -> list:
    """The metric of all results, and of all but those at each list of positions in `without`.

    [value, value, ...]: a number, null for one that is not a number (its `repr` where it is the first); the rest is
    left out when `budget` seconds are over.
    """
    task = tasks.load(path, name)
    function = task._aggregation_list[metric.partition(",")[0]]
    values, started = [], time.monotonic()
    for left_out in [[], *without]:
        gone = set(left_out)
        guard.seed()
        value = _aggregated(function, [r for i, r in enumerate(results) if i not in gone])
        values.append(_number(value))
        if len(values) == 1 and values[0] is None:
            return [repr(value)[:200]]
        if time.monotonic() - started > budget:
            break
    return values


def _aggregated(function, results: list):
    if "args" in inspect.signature(function).parameters:
        # Where it wants to write a file for a benchmark's own server; this folder goes with the process.
        return function(results, args=SimpleNamespace(output_path=os.getcwd(), model="model", model_args="", tasks=""))
    return function(results)


def _aggregation_name(function) -> str:
    from lmms_eval.api.registry import AGGREGATION_REGISTRY

    return next(
        (n for n, f in AGGREGATION_REGISTRY.items() if f is function), getattr(function, "__name__", "function")
    )


def _asks_a_judge(folder: str) -> bool:
    """Whether Python beside the YAML mentions an API: the task may ask a judge model."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                if re.search(r"OPENAI_API|openai|llm_judge|AZURE_ENDPOINT", file.read()):
                    return True
    return False


def _json(value):
    return json.loads(json.dumps(value, default=_plain))


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    return str(value)
