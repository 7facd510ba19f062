"""lmms-eval's task objects, made from their YAML without downloading anything."""

import functools
import random

import lmms_eval.api.metrics  # noqa: F401  # registers metrics and aggregations
from lmms_eval import utils
from lmms_eval.api import samplers
from lmms_eval.api.task import ALL_OUTPUT_TYPES, ConfigurableMessagesTask, TaskConfig
from lmms_eval.filters import build_filter_ensemble


@functools.lru_cache(maxsize=64)
def load(path: str, name: str):
    """The task of a YAML, with its includes and functions, and no data yet."""
    config = utils.load_yaml_config(path, mode="full")
    if "include" in config:
        base = utils.load_yaml_config(yaml_path=None, yaml_config={"include": config.pop("include")}, mode="full")
        config = {**base, **config}
    base = config.pop("class", None)
    kind = type("Task", (base, ConfigurableMessagesTask), {}) if base else ConfigurableMessagesTask
    task = kind.__new__(kind)
    _prepare(task, {**config, "task": name})
    return task


def _prepare(task, config: dict) -> None:
    """What ConfigurableTask's constructor does, but for the data: it would download them and look at the first row."""
    task._config = TaskConfig(**config)
    task.model_name = None
    task._prepare_model_specific_config()
    if task.config.output_type not in ALL_OUTPUT_TYPES:
        raise ValueError(f"output_type {task.config.output_type!r} is none of {', '.join(ALL_OUTPUT_TYPES)}")
    task.OUTPUT_TYPE = task.config.output_type
    task.DATASET_PATH, task.DATASET_NAME = task.config.dataset_path, task.config.dataset_name
    task._prepare_metric_and_aggregation()
    task._training_docs = task._fewshot_docs = task._instances = None
    task._filters = _filters(task.config.filter_list)
    task.features, task.multiple_input, task.multiple_target = [], 0, 0
    task.dataset = task.dataset_no_image = {}


def _filters(configured) -> list:
    """All pipelines; lmms-eval's own constructor keeps the last one of each entry only."""
    if configured is None:
        return [build_filter_ensemble("none", [["take_first", None]])]
    pipelines = [p for entry in configured for p in (entry if isinstance(entry, list) else [entry])]
    return [
        build_filter_ensemble(
            p["name"], [[f["function"], {k: v for k, v in f.items() if k != "function"}] for f in p["filter"]]
        )
        for p in pipelines
    ]


def split_of(task) -> str | None:
    return task.config.test_split or task.config.validation_split


def shots(task) -> int:
    return task.config.num_fewshot or 0


def attach(task, documents, examples) -> None:
    """Give the task its rows (and those of its few-shot examples): what its constructor learns from the first row."""
    split = split_of(task)
    task.dataset = {split: documents, **({task.config.fewshot_split: examples} if examples is not None else {})}
    task.dataset_no_image, task.task_docs = task.dataset, documents
    task.features = list(documents.features)
    if shots(task) > 0:
        given = (task.config.fewshot_config or {}).get("sampler", "default")
        pool = list(examples) if examples is not None else _given_examples(task)
        task.sampler = samplers.get_sampler(given)(pool, task, rnd=random.Random(1234))  # noqa: S311  # their seed
    first = documents[0]
    text, target = task.doc_to_text(first), task.doc_to_target(first)
    if task.config.doc_to_choice is not None and type(text) is int:
        task.multiple_input = len(task.doc_to_choice(first))
    task.multiple_target = len(target) if type(target) is list else 0


def _given_examples(task) -> list:
    samples = (task.config.fewshot_config or {}).get("samples")
    if samples is None:
        raise ValueError(
            f"{shots(task)} examples are to be shown, but the task names neither fewshot_split nor samples"
        )
    return list(samples() if callable(samples) else samples)
