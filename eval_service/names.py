"""Task names that came from outside: no paths of files, which `load_task` takes too and whose functions it runs."""

from __future__ import annotations

from eval_service.service import Service
from resources.store.records import datasets
from task_defs import TaskDef, TaskError, load_task
from task_defs.errors import nearest


def named_task(service: Service, name: str) -> TaskDef:
    """A task of the catalog, or one whose data is in the store. Raises TaskError with the nearest names."""
    known = service.admission.known_tasks(name)
    if name not in known and ("/" in name or datasets(service.store).get(task=name) is None):
        raise TaskError(f"unknown task '{name}': {nearest(name, known)}", name)
    return load_task(name)
