"""lmms-eval's tasks, unchanged: `lmms_eval:<name>` is a task like any other.

Its functions run in the interpreter that has lmms-eval (`install`), in one process a family (`client`, `worker/`),
which turns rows into questions (`rows`) and answers into verdicts (`grader`). Data, models, caches and statistics are
this project's.
"""

from task_defs.lmms_eval.definition import load
from task_defs.lmms_eval.install import PREFIX, index_of, installed

__all__ = ["PREFIX", "is_lmms_eval", "leaves", "load", "task_names"]


def is_lmms_eval(name: str) -> bool:
    return name.startswith(PREFIX)


def task_names() -> list[str]:
    """Every task of the installed lmms-eval, as `load` takes it. Raises TaskError where there is none."""
    return [PREFIX + name for name in sorted(index_of(installed()).tasks)]


def leaves(name: str) -> list[str]:
    """The tasks of a group or tag `lmms_eval:<name>`; [name] for any other name."""
    if not is_lmms_eval(name):
        return [name]
    return [PREFIX + leaf for leaf in index_of(installed()).leaves(name.removeprefix(PREFIX))] or [name]
