"""What judge models were shown and what they said, for people who want to know why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint, plan_cell
from eval_assets.pipeline.judge_models import cell_judge
from eval_assets.pipeline.judged_cell import Judging
from eval_assets.pipeline.judging import StoredReplies
from eval_assets.pipeline.recorded_judgements import RecordedReplies
from judges.asking import Ask, JudgeClient
from judges.llm_base import LLMJudge
from resources.models import ModelUnusable
from resources.store import Store
from task_defs import TaskDef


def judgements_of(
    store: Store, checkpoint: str, task: TaskDef, *, items: Sequence[str] = (), limit: int | None = None
) -> list[dict[str, Any]]:
    """One row for each request to a judge model: item_id, judge, run, slot, messages, text, failure. Asks nothing.

    Raises ModelUnusable for a task whose judge asks no model.
    """
    judge = cell_judge(store, checkpoint, task)
    if not isinstance(judge, LLMJudge):
        raise ModelUnusable(f"the judge of {task.task} ({judge.name}) asks no model: there is nothing to show")
    cell = plan_cell(store, find_checkpoint(store, checkpoint), task)
    judging = Judging(cell, store, judge, "", lambda line: None)
    client: JudgeClient = (
        StoredReplies(judging.models, store, {})
        if judging.models
        else RecordedReplies(store, task.task, checkpoint, judge.models)
    )
    asks = (
        replace(ask, item_id=item.id)
        for chunk in judging.chunks()
        for _, item, _, _, response in chunk
        if response is not None and (not items or item.id in items)
        for ask in judge.asks(item, response)
    )
    chosen = list(islice(asks, limit))
    replies = asyncio.run(client.ask(chosen))
    return [_row(ask, reply.text, reply.failure) for ask, reply in zip(chosen, replies, strict=True)]


def _row(ask: Ask, text: str, failure: str | None) -> dict[str, Any]:
    shown = [{"role": role, "text": said} for role, said in ask.messages]
    return {
        "item_id": ask.item_id, "judge": ask.model, "run": ask.sample + 1, "slot": ask.slot, "messages": shown,
        "text": text, "failure": failure,
    }  # fmt: skip
