"""From responses to verdicts, chunk by chunk; nothing is asked of the model."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from eval_assets.pipeline.baseline_answers import baseline_version
from eval_assets.pipeline.cell import Cell, complete_outputs, finish, record_of
from eval_assets.pipeline.files import spool
from eval_assets.pipeline.judge_models import cell_judge, judge_identity
from eval_assets.pipeline.judged_cell import Chunk, Judging
from eval_assets.pipeline.judging import JudgingIncomplete
from eval_assets.pipeline.questions import Question, labels_digest
from eval_assets.versions import StreamDigest, digest
from judges import Judge, Verdict
from resources.models.reasoning import DEFAULT_TAGS
from resources.store import Store
from resources.store.scores import ScoresTable, schema
from task_defs import TaskDef, compile_task


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
    judging: dict[str, Any] = field(default_factory=dict)  # of a judge that asks models: what was asked of whom
    judged_by: str = ""  # of such a judge: digest of the judge and its models
    judged: bool = True  # False: complete scores were there already


def scores_of(store: Store, checkpoint: str, task: str, variant: str = "") -> ScoresTable:
    name = f"{checkpoint}@{variant}" if variant else checkpoint
    return ScoresTable(store.table("scores", task, name))


def scores_key(store: Store, cell: Cell, outputs_version: str) -> str:
    """What scores are made from: outputs, judge, labels, and what counts as reasoning where that is not the usual.

    Of a judge that asks models also who they are, and whose answers it compares with.
    """
    tags = [] if cell.reasoning_tags == DEFAULT_TAGS else [cell.reasoning_tags]
    judge = cell_judge(store, cell.checkpoint.key, cell.task)
    asked = judge_identity(store, cell.checkpoint.key, cell.task, judge) + baseline_version(store, cell, judge)
    return digest([outputs_version, judge.digest(), labels_digest(store, cell.task), *tags, *asked])


def incomplete_key(key: str) -> str:
    """What scores are kept under while judge answers are missing: the next run sees another key and asks for them."""
    return digest([key, "incomplete"])


def judge_cell(cell: Cell, store: Store, *, run_id: str, log: Callable[[str], None]) -> Scored:
    """Judge the cell's responses; at once if outputs, judge and labels are those of the stored scores.

    Raises OutputsIncomplete, JudgingIncomplete (with scores, some unscored), ModelUnusable.
    """
    outputs = complete_outputs(store, cell)
    if outputs is None:
        raise OutputsIncomplete(
            f"{cell.checkpoint.key} on {cell.task.task} has no complete outputs: materialize model_outputs first"
        )
    with closing(Judging(cell, store, cell_judge(store, cell.checkpoint.key, cell.task), run_id, log)) as judging:
        return _judged(cell, store, judging, scores_key(store, cell, outputs["version"]), run_id)


def _judged(cell: Cell, store: Store, judging: Judging, key: str, run_id: str) -> Scored:
    table = scores_of(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    record = record_of(store, cell, "scores")
    if record and record["key"] == key and table.count() == record["n_rows"]:
        judging.log(f"{cell.checkpoint.key} on {cell.task.task}: scores are complete, nothing to judge")
        seen = json.loads(record["details"])
        return Scored(record["version"], record["n_rows"], judged=False, **seen)
    judge = judging.prepared()
    columns = schema(judge.components, cell.task.report_by, cell.task.group_fields)
    verdicts, seen, rows = StreamDigest(), Counter[tuple[str, str]](), 0
    with spool() as file:  # flat memory, and one commit for all or nothing
        with pa.ipc.new_stream(file, columns) as sink, asyncio.Runner() as runner:
            for chunk in judging.chunks():
                judged = runner.run(_judge_chunk(cell, judge, chunk, rows // cell.repeats))
                for row in judged:
                    said = [row[name] for name in ("item_id", "sample", "score", "answer", "flags")]
                    said += [row["results"]] if row["results"] else []
                    said += [row[f"value_{name}"] for name in judge.components] if judging.asks else []
                    verdicts.add(json.dumps(said))
                    if row["unscored"]:
                        seen["reasons", row["unscored"].split(":")[0]] += 1
                    seen.update(("flags", flag) for flag in row["flags"])
                rows += len(judged)
                sink.write_batch(pa.RecordBatch.from_pylist(judged, schema=columns))
        file.seek(0)
        table.replace(iter(pa.ipc.open_stream(file)), columns)
    counts = {kind: {n: c for (k, n), c in seen.items() if k == kind} for kind in ("reasons", "flags")}
    details = {"unscored": sum(counts["reasons"].values()), **counts, **judging.details()}
    version = digest([key, verdicts.hexdigest()])
    missing = judging.missing()
    kept_as = incomplete_key(key) if missing else key
    finish(store, cell, "scores", key=kept_as, version=version, n_rows=rows, run_id=run_id, details=details)
    if missing:
        raise JudgingIncomplete(
            f"{cell.checkpoint.key} on {cell.task.task}: {details['unscored']} of {rows} samples are unscored "
            f"({missing}). The judge's answers so far are kept: run the cell again and only the rest is asked."
        )
    return Scored(version, rows, **details)


async def _judge_chunk(cell: Cell, judge: Judge, chunk: Chunk, position: int) -> list[dict[str, Any]]:
    items = [item for _, item, _, _, response in chunk if response is not None]
    responses = [response for *_, response in chunk if response is not None]
    judged = iter(await judge.judge_many(items, responses))
    return [
        _score_row(
            cell.task, q, sample, position + i // cell.repeats, row,
            _without_answer(q) if row is None else next(judged), judge.components,
        )
        for i, (q, _, sample, row, _) in enumerate(chunk)
    ]  # fmt: skip


def _without_answer(q: Question) -> Verdict:
    if q.item.missing_media:
        return Verdict.not_scored(f"missing medium: {q.item.missing_media}")
    return Verdict.not_scored(f"no question: {q.failed}" if q.failed else "no response")


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
