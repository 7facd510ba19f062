"""The tasks that the project brings along, as the page docs/catalogue.md."""

from __future__ import annotations

from collections.abc import Iterable

from eval_assets.pipeline.metrics import task_metrics
from eval_assets.reporting.markdown import plain, table
from judges.checked import Check, checks, checks_of
from task_defs import FunctionRef, TaskDef

_HEADS = (
    *("task", ">items", "judge", "real answers: differing", "primary metric", "aggregation"),
    *("clusters", "by", "data", "reference", "licence"),
)
_INTRODUCTION = """# The catalogue

{count} tasks. Each is one file in `task_defs/catalog/`, whose comments say whose prompt and whose rule it has. None
brings its data along but `digits`: `evals ingest TASK` reads it from the hub, or from a folder that `EVAL_DATA` names,
and says what to download where it finds neither.

Data: the commit of the data set on the hub that the task names, where one could be found in public code that pins it;
`not pinned` where none could. Either way the commit that was read is recorded with the rows, of the hub and of what
`hf download` left (`evals ingest` tells it): results name their data, and other rows are another version.

Clusters are items that are not independent: those that share the named field, or else a picture, video or sound.
Judges and their rules: the docstrings in `judges/`. *Real answers: differing* says on how many recorded answers of
models the judge's tests compare its rule with what others published, or their code says, of these answers (of
MATH-Vision's, where a rule reads options), and how many verdicts, or answers read, are not theirs; by metric, where one
is by our own rule and one by the published. *Cases*: no such answers are at hand, tests hold cases from the published
code. Nothing: there is no published rule, or it has not been compared. Whose answers, what differs and which test shows
it: `docs/judges.md`. This page is printed by `evals tasks --catalogue`."""


def catalogue(tasks: Iterable[TaskDef]) -> str:
    """The page: a table of tasks for each set of modalities. Raises UnknownMetric."""
    groups: dict[str, list[TaskDef]] = {}
    for task in tasks:
        groups.setdefault(modality(task), []).append(task)
    count = sum(map(len, groups.values()))
    parts = [_INTRODUCTION.format(count=count)]
    for name in sorted(groups):
        parts += [f"## {name.capitalize()}", table(_HEADS, (_row(task) for task in groups[name]))]
    return "\n\n".join(parts) + "\n"


def modality(task: TaskDef) -> str:
    """What an item holds beside text, by the task's tags: `image`, `image, video`, `text`."""
    held = [kind for kind in ("image", "video", "audio") if kind in task.tag]
    return ", ".join(held) or "text"


def _row(task: TaskDef) -> list[str]:
    primary, *_ = task_metrics(task)
    judge = task.judge["name"] + (f" ({rule})" if (rule := task.judge.get("rule")) else "")
    items = task.metadata.get("items")
    return [
        f"`{task.task}`",
        "" if items is None else f"{items:,}",
        f"`{judge}`",
        plain("; ".join(map(_checked, checks_of(task.task, task.judge)))),
        plain(primary.name),
        plain(primary.aggregation),
        plain(_clusters(task)),
        plain(", ".join(task.report_by)),
        _data(task),
        task.metadata["reference"],
        plain(task.metadata["licence"]),
    ]


def _checked(check: Check) -> str:
    if not check.answers:
        return "cases"
    return f"{check.answers:,}: {check.differing}" + (f" ({check.metric})" if check.metric else "")


def checked() -> str:
    """The table of docs/judges.md: each comparison of a rule with what others published."""
    heads = ("rule", "only for", ">real answers", ">differing", "of, and what to say of it", "shown by")
    return table(heads, (_check_row(check) for check in checks()))


def _check_row(check: Check) -> list[str]:
    rules = f" with rule {_code(check.rules)}" if check.rules else f", `{check.metric}`" if check.metric else ""
    counted = [f"{check.answers:,}", str(check.differing)] if check.answers else ["none at hand", "unknown"]
    said = ": ".join(plain(text) for text in (check.of, check.said) if text)
    return [_code(check.judges) + rules, _code(check.tasks), *counted, said, _code(check.shown)]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _clusters(task: TaskDef) -> str:
    key = task.cluster_key
    if key is None:
        return "shared media" if modality(task) != "text" else ""
    return key.attribute if isinstance(key, FunctionRef) else key.strip("{} ")


def _data(task: TaskDef) -> str:
    """The commit, shortened; nothing for rows that come from elsewhere than the hub."""
    if task.dataset_revision:
        return f"`{task.dataset_revision[:8]}`"
    return "not pinned" if "/" in task.dataset_path else ""
