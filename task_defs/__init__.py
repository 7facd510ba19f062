"""Benchmarks as data: one YAML a task in `catalog/`, and what turns its rows into items.

    task = load_task("pope")
    functions = compile_task(task)
    source = open_source(task)                     # looks in EVAL_DATA first
    for row in source.rows():
        if row.doc is None: ...                    # row.error says why
        functions.text(row.doc), functions.target(row.doc), functions.choices(row.doc)
        [read_media(value, source.root) for value in functions.visuals(row.doc)]

How to add a task
-----------------
Write `<name>.yaml` in a folder that EVAL_TASK_PATH names (or here in `catalog/`); functions go to a
Python file beside it or in a folder `<name>/`:

    task: birds
    dataset_path: owner/birds            # a hub id, or a folder or file beside the YAML
    test_split: test
    doc_to_text: "{{ question }}\\nAnswer with one word."
    doc_to_target: answer                # a field; `{{ ... }}` is Jinja
    doc_to_visual: image                 # a field; or `!function utils.pictures`
    cluster_key: photo                   # questions that share it are not independent
    report_by: [habitat]
    judge: exact                         # or {name: yes_no, rule: pope}
    metric_list: [{metric: accuracy}]

`<image>`, `<image2>`, `<video>` and `<audio>` in the prompt say where a medium stands; other media
stand before the text. Functions: `process_docs(docs, root, task)` gets an iterator of rows and
yields rows; `docs(root, task)` yields rows where no file holds them; all others take one row.
"""

from task_defs.digests import label_digest, label_digest_parts, prompt_digest
from task_defs.errors import Problem, RenderError, TaskError
from task_defs.generation import GenerationKwargs
from task_defs.item import Item, MediaRef
from task_defs.loader import list_tasks, load_task
from task_defs.media import MediaBytes, MissingMedia, read_media
from task_defs.model import FunctionRef, MetricSpec, TaskDef
from task_defs.placement import place_media
from task_defs.plain import plain_doc
from task_defs.render import TaskFunctions, compile_task, judge_spec, messages
from task_defs.sources import Row, Source, open_source

__all__ = [
    "FunctionRef",
    "GenerationKwargs",
    "Item",
    "MediaBytes",
    "MediaRef",
    "MetricSpec",
    "MissingMedia",
    "Problem",
    "RenderError",
    "Row",
    "Source",
    "TaskDef",
    "TaskError",
    "TaskFunctions",
    "compile_task",
    "judge_spec",
    "label_digest",
    "label_digest_parts",
    "list_tasks",
    "load_task",
    "messages",
    "open_source",
    "place_media",
    "plain_doc",
    "prompt_digest",
    "read_media",
]
