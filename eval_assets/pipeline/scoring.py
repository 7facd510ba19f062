"""From responses to verdicts, chunk by chunk; nothing is asked of the model."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from eval_assets.pipeline.cell import Cell, complete_outputs, finish, record_of
from eval_assets.pipeline.files import spool
from eval_assets.pipeline.ingest import items_of
from eval_assets.pipeline.judge_answers import StoredAnswers
from eval_assets.pipeline.questions import COLUMNS, Question, item_of, labels_digest, questions
from eval_assets.versions import StreamDigest, digest, request_key
from judges import Judge, Verdict, get_judge
from resources.models import Response
from resources.models.reasoning import DEFAULT_TAGS, Tags, separated, whole
from resources.store import Store
from resources.store.lookup import Lookup
from resources.store.outputs import response_of
from resources.store.scores import ScoresTable, schema
from task_defs import TaskDef, compile_task, judge_spec
from task_defs.lmms_eval import is_lmms_eval
from task_defs.lmms_eval.endpoint import Endpoint

CHUNK = 512


class OutputsIncomplete(RuntimeError):
    """The cell has no complete outputs yet: there is nothing to judge."""


@dataclass
class Scored:
    """What was judged. version: the scores' data version."""

    version: str
    rows: int
    unscored: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    judged: bool = True  # False: complete scores were there already


def scores_of(store: Store, checkpoint: str, task: str, variant: str = "") -> ScoresTable:
    name = f"{checkpoint}@{variant}" if variant else checkpoint
    return ScoresTable(store.table("scores", task, name))


def task_judge(task: TaskDef) -> Judge:
    return get_judge(judge_spec(task))


def scores_key(store: Store, cell: Cell, outputs_version: str) -> str:
    """What scores are made from: outputs, judge, labels, and what counts as reasoning where that is not the usual."""
    tags = [] if cell.reasoning_tags == DEFAULT_TAGS else [cell.reasoning_tags]
    return digest([outputs_version, task_judge(cell.task).digest(), labels_digest(store, cell.task), *tags])


def judge_cell(cell: Cell, store: Store, *, run_id: str, log: Callable[[str], None]) -> Scored:
    """Judge the cell's responses; at once if outputs, judge and labels are those of the stored scores.

    Raises OutputsIncomplete.
    """
    outputs = complete_outputs(store, cell)
    if outputs is None:
        raise OutputsIncomplete(
            f"{cell.checkpoint.key} on {cell.task.task} has no complete outputs: materialize model_outputs first"
        )
    key = scores_key(store, cell, outputs["version"])
    table = scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    record = record_of(store, cell, "scores")
    if record and record["key"] == key and table.count() == record["n_rows"]:
        log(f"{cell.checkpoint.key} on {cell.task.task}: scores are complete, nothing to judge")
        seen = json.loads(record["details"])
        return Scored(record["version"], record["n_rows"], judged=False, **seen)
    judge = task_judge(cell.task)
    if judge.needs_corpus:
        rows_of = items_of(store, cell.task).batches(COLUMNS)
        judge.prepare(item_of(cell.task, row) for batch in rows_of for row in batch)
    if is_lmms_eval(cell.task.task):
        Endpoint.answers = StoredAnswers(store)
    columns = schema(judge.components, cell.task.report_by, cell.task.group_fields)
    verdicts, seen = StreamDigest(), Counter[tuple[str, str]]()
    rows, stored = 0, cell.outputs(store).lookup("item_id", "sample", "request_key")
    with spool() as file:  # flat memory, and one commit for all or nothing
        with pa.ipc.new_stream(file, columns) as sink, asyncio.Runner() as runner:
            for batch in questions(store, cell.task, limit=cell.variant.limit, rows=CHUNK, blind=cell.variant.blind):
                judged = runner.run(_judge_chunk(cell, stored, judge, batch, rows // cell.repeats))
                for row in judged:
                    said = [row[name] for name in ("item_id", "sample", "score", "answer", "flags")]
                    verdicts.add(json.dumps([*said, row["results"]] if row["results"] else said))
                    if row["unscored"]:
                        seen["reasons", row["unscored"].split(":")[0]] += 1
                    seen.update(("flags", flag) for flag in row["flags"])
                rows += len(judged)
                sink.write_batch(pa.RecordBatch.from_pylist(judged, schema=columns))
        file.seek(0)
        table.replace(iter(pa.ipc.open_stream(file)), columns)
    counts = {kind: {n: c for (k, n), c in seen.items() if k == kind} for kind in ("reasons", "flags")}
    details = {"unscored": sum(counts["reasons"].values()), **counts}
    version = digest([key, verdicts.hexdigest()])
    finish(store, cell, "scores", key=key, version=version, n_rows=rows, run_id=run_id, details=details)
    return Scored(version, rows, **details)


async def _judge_chunk(
    cell: Cell, stored: Lookup, judge: Judge, batch: Sequence[Question], position: int
) -> list[dict[str, Any]]:
    answers = _answers(cell, stored, batch)
    asked = [(q, sample, answers.get((q.item.id, sample))) for q in batch for sample in range(cell.repeats)]
    with_answer = [(q, row) for q, _, row in asked if row is not None]
    responses = [_response(row, _seen_tags(cell, judge)) for _, row in with_answer]
    judged = iter(await judge.judge_many([q.item for q, _ in with_answer], responses))
    verdicts = [_without_answer(q) if row is None else next(judged) for q, _, row in asked]
    places = {q.item.id: position + i for i, q in enumerate(batch)}
    return [
        _score_row(cell.task, q, sample, places[q.item.id], row, verdict, judge.components)
        for (q, sample, row), verdict in zip(asked, verdicts, strict=True)
    ]


def _answers(cell: Cell, stored: Lookup, batch: Sequence[Question]) -> dict[tuple[str, int], dict[str, Any]]:
    """The stored row of each (item, sample) for exactly this cell's request; the first, if two writers met."""
    expected = [
        (q.item.id, sample, request_key(cell.settings, q.inputs, sample, q.item.id if cell.by_item else None))
        for q in batch
        for sample in range(cell.repeats)
    ]
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in stored.find(expected):
        found.setdefault((row["item_id"], row["sample"]), row)
    return found


def _seen_tags(cell: Cell, judge: Judge) -> Tags:
    """What is taken out of a text before it is judged: nothing for `extract: {strip_reasoning: false}`."""
    extraction = getattr(judge, "extraction", None)
    return cell.reasoning_tags if extraction is None or extraction.strip_reasoning else ()


def _response(row: dict[str, Any], tags: Tags) -> Response:
    """The stored response, its reasoning apart by the tags of today, which need not be those it was stored with.

    A refusal by the endpoint is the model's answer, not a fault of the way to it.
    """
    response = separated(whole(response_of(row)), tags)
    if response.error is not None and response.error.kind == "refused":
        return Response(response.id, text="", finish_reason="content_filter")
    return response


def _without_answer(q: Question) -> Verdict:
    return Verdict.not_scored(f"missing medium: {q.item.missing_media}" if q.item.missing_media else "no response")


def _score_row(
    task: TaskDef, q: Question, sample: int, position: int, row: dict[str, Any] | None, verdict: Verdict,
    components: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    item = q.item
    functions = compile_task(task)
    categories, groups = functions.categories(item.doc, item.id), functions.groups(item.doc, item.id)
    row = row or {}
    return {
        "item_id": item.id,
        "sample": sample,
        "position": position,
        "request_key": row.get("request_key"),
        "item_hash": digest([q.whole, item.target, list(item.choices or ())]),
        "cluster": item.cluster,
        "score": verdict.score,
        "answer": verdict.answer,
        "flags": list(verdict.flags),
        "unscored": verdict.unscored,
        "results": verdict.results,
        "prompt_tokens": row.get("prompt_tokens"),
        "completion_tokens": row.get("completion_tokens"),
        "seconds": json.loads(row.get("timings") or "{}").get("total"),
        **{f"value_{name}": verdict.values.get(name) for name in components},
        **{f"by_{name}": categories.get(name) for name in task.report_by},
        **{f"group_{name}": groups.get(name) for name in task.group_fields},
    }
