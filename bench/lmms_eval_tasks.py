"""Which of lmms-eval's tasks load, and why the others do not. `make lmms` first; prints Markdown.

    python bench/lmms_eval_tasks.py [name-prefix]

Every task's YAML, includes, functions, metrics and filters are loaded as a run would, without its data, in one process.
Exits with 1 where fewer than LEAST load. Takes minutes: each `!function` runs its module anew.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter, defaultdict

from task_defs import TaskError
from task_defs.lmms_eval.client import worker_for
from task_defs.lmms_eval.definition import describe_with, unsupported
from task_defs.lmms_eval.install import index_of, installed

LEAST = 1400


def main(prefix: str = "") -> int:
    found = installed()
    tasks = {name: path for name, path in sorted(index_of(found).tasks.items()) if name.startswith(prefix)}
    worker, started = worker_for(found, found.tasks_folder), time.monotonic()
    failed: dict[str, list[str]] = defaultdict(list)
    not_here: Counter[str] = Counter()
    judged = 0
    for name, path in tasks.items():
        try:
            told = describe_with(worker, path, name)
        except TaskError as error:
            failed[_reason(str(error))].append(name)
            continue
        if reason := unsupported(told):
            not_here[reason] += 1
        judged += told["asks_a_judge"]
    loaded = len(tasks) - sum(map(len, failed.values()))
    seconds = time.monotonic() - started
    print(f"lmms-eval {found.version}: {loaded} of {len(tasks)} tasks load ({seconds:.0f} s); ", end="")
    print(f"{loaded - sum(not_here.values())} of these run here; {judged} may ask a judge model.\n")
    print("| loads, but does not run here | tasks |\n|---|---|")
    for reason, count in not_here.most_common():
        print(f"| {reason} | {count} |")
    print("\n| does not load | tasks |\n|---|---|")
    for reason, names in sorted(failed.items(), key=lambda entry: -len(entry[1])):
        shown = ", ".join(names[:6]) + (f" ... ({len(names)})" if len(names) > 6 else "")
        print(f"| {reason} | {shown} |")
    return 0 if prefix or loaded >= LEAST else 1


def _reason(message: str) -> str:
    """A failure without what differs from task to task."""
    text = re.sub(r"^task \S+ cannot be loaded: ", "", message).split("\n")[0]
    if package := re.search(r"it needs the package (\S+):", text):
        return f"needs the package {package[1]}"
    return re.sub(r"'?/\S+/lmms_eval/", "", text)[:160].replace("|", "/")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
