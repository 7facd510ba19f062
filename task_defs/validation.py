"""From faults of the model to lines of the YAML, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from task_defs.errors import Mark, Problem, nearest
from task_defs.functions import with_functions
from task_defs.generation import GenerationKwargs
from task_defs.media_spec import VideoSpec
from task_defs.model import MetricSpec, TaskDef
from task_defs.yaml_source import RawTask

# Fields of lmms-eval that have another name here.
_ELSEWHERE = {
    "process_results": "answers are scored by `judge` and reported by `metric_list`",
    "filter_list": "answers are extracted by the judge: see its settings",
    "lmms_eval_specific_kwargs": "write the prompt in doc_to_text or in a task that includes this one",
    "dataset_kwargs": "a private data set is read with your own Hugging Face login",
    "chat_template_kwargs": "write it in generation_kwargs",
    "num_fewshot": "write the examples in `description` or in doc_to_text",
    "fewshot_split": "write the examples in `description` or in doc_to_text",
    "training_split": "only test_split is read",
    "validation_split": "only test_split is read: set test_split to the split's name",
}
# Kinds of response, as `Judge.reads` names them, in the words of a task.
_RESPONSES = {
    "text": "a text (output_type generate_until)",
    "choices": "log-likelihoods of the choices",
    "label": "the log-likelihood of the label (output_type loglikelihood without doc_to_choice)",
}
_PARTS: dict[str, type[BaseModel]] = {"generation_kwargs": GenerationKwargs, "video": VideoSpec}


def validation_problems(error: ValidationError, raw: RawTask) -> Iterator[Problem]:
    """Each fault that pydantic found, in a sentence, with its line in the YAML."""
    for one in error.errors(include_url=False):
        location = list(one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        context = one.get("ctx", {})
        if one["type"] == "at_field":
            location += [int(part) if part.isdigit() else part for part in context["field"].split(".")]
        elif one["type"] == "extra_forbidden":
            message = _unknown_field([str(part) for part in location])
        elif one["type"] == "missing":
            message = "this field is required"
            if location[:-1]:
                message += f" in each entry of {location[0]}"
        elif "found" not in message:
            message = f"{message}, found {_shown(one['input'])}"
        mark = _nearest_mark(location, raw)
        yield Problem(message[:1].lower() + message[1:], ".".join(map(str, location)), mark.file, mark.line)


def _nearest_mark(location: Iterable[Any], raw: RawTask) -> Mark:
    place = tuple(location)
    while place and place not in raw.marks:
        place = place[:-1]
    return raw.marks[place]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown_field(location: list[str]) -> str:
    name = location[-1]
    if len(location) == 1:
        if name in _ELSEWHERE:
            return f"not a field here: {_ELSEWHERE[name]}"
        return f"unknown field: {nearest(name, TaskDef.model_fields, 'known fields')}"
    model = _PARTS.get(location[0], MetricSpec)
    return f"unknown field: {nearest(name, model.model_fields, 'known fields')}"


def judge_problems(judge: Any, raw: RawTask) -> list[Problem]:
    """What `judges` has against the task's judge: an unknown name, a wrong setting."""
    spec = {"name": judge} if isinstance(judge, str) else judge
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        return []  # the model has said so
    from judges import get_judge

    try:
        # The task's code is not run for it: any function will do to look at the other settings.
        get_judge(with_functions(spec, lambda ref: str))
    except ValueError as error:
        mark = _nearest_mark(("judge", "name"), raw)
        return [Problem(str(error), "judge", mark.file, mark.line)]
    return []


def reading_problems(task: TaskDef) -> list[Problem]:
    """A judge that cannot read what this task gives it: found before anything is asked."""
    from judges import judge_class, judge_names

    given = "label" if task.scores_target else "text" if task.output_type == "generate_until" else "choices"
    name = task.judge["name"]
    if name not in judge_names() or given in judge_class(name).reads:
        return []
    able = " or ".join(one for one in judge_names() if given in judge_class(one).reads)
    message = f"{name!r} cannot read what this task gives it, {_RESPONSES[given]}: use {able}"
    mark = task.mark("judge", "name") or Mark("", 0)
    return [Problem(message, "judge", mark.file, mark.line)]
