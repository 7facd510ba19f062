"""The judge of a cell and what it reads: questions with their stored answers, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eval_assets.pipeline.baseline_answers import BaselineAnswers, baseline_of
from eval_assets.pipeline.cell import Cell
from eval_assets.pipeline.ingest import items_of, media_of
from eval_assets.pipeline.judge_door import JudgeDoor
from eval_assets.pipeline.judge_models import JudgeModel, asked_models, judge_model, judged_by
from eval_assets.pipeline.judging import AskedModel, StoredReplies, ask_judges
from eval_assets.pipeline.questions import COLUMNS, Question, item_of, questions
from eval_assets.pipeline.recorded_judgements import RecordedReplies, recorded_runs
from eval_assets.versions import request_key
from judges import Judge
from judges.llm_base import LLMJudge
from resources.models import ModelUnusable, Response
from resources.models.reasoning import Tags, separated, whole
from resources.store import Store
from resources.store.lookup import Lookup
from resources.store.outputs import response_of
from task_defs.lmms_eval import is_lmms_eval
from task_defs.lmms_eval.endpoint import Endpoint

CHUNK = 512
# (question, item as the judge reads it, sample, stored row, response), one a sample.
Chunk = list[tuple[Question, Any, int, dict[str, Any] | None, Response | None]]


class Judging:
    """The judge of one cell with what it reads: chunks of questions with their stored answers."""

    def __init__(self, cell: Cell, store: Store, judge: Judge, run_id: str, log: Callable[[str], None]) -> None:
        self.cell, self.store, self.judge, self.run_id, self.log = cell, store, judge, run_id, log
        self.asked: dict[str, AskedModel] = {}
        self._door: JudgeDoor | None = None
        # Identified at once: the scores' key is made from what the judge models' folders hold now.
        recorded = isinstance(judge, LLMJudge) and self._recorded(judge)
        self.models = [] if recorded else self._identified()
        other = baseline_of(judge)
        self.baseline = BaselineAnswers(store, cell, other) if other else None

    @property
    def asks(self) -> bool:
        """Whether judging asks models: what is said is then more than a function of the scores' key."""
        return isinstance(self.judge, LLMJudge) or bool(self.models)

    def prepared(self) -> Judge:
        """The judge ready to judge: of one that asks models, everything has been asked. Raises ModelUnusable."""
        judge, checkpoint = self.judge, self.cell.checkpoint.key
        if is_lmms_eval(self.cell.task.task):
            self._open_door()
        if judge.needs_corpus:
            rows = items_of(self.store, self.cell.task).batches(COLUMNS)
            judge.prepare(item_of(self.cell.task, row) for batch in rows for row in batch)
        if not isinstance(judge, LLMJudge):
            return judge
        task = self.cell.task.task
        if not self.models:
            if self.cell.repeats > 1:
                raise ModelUnusable(
                    f"the imported judge answers of {checkpoint} on {task} are one an item, and the cell has "
                    f"{self.cell.repeats} answers an item: judge it by a model (`evals import-judgements --forget`)"
                )
            return judge.with_client(RecordedReplies(self.store, task, checkpoint, judge.models))
        self.store.ensure_writable()
        self.asked = ask_judges(
            judge, self.models, self._pairs, self.store,
            media=media_of(self.store, self.cell.task), run_id=self.run_id, log=self.log,
        )  # fmt: skip
        return judge.with_client(StoredReplies(self.models, self.store, {n: a.fault() for n, a in self.asked.items()}))

    def _open_door(self) -> None:
        """What the functions of an lmms-eval task ask goes to the judge model that is configured for it, if one is."""
        for model in self.models:
            self.store.ensure_writable()
            Endpoint.behind = self._door = JudgeDoor(model, self.store, self.log)
            self.asked[model.name] = self._door.done

    def close(self) -> None:
        if self._door is not None:
            if Endpoint.behind is self._door:
                Endpoint.behind = None
            self._door.close()

    def _recorded(self, judge: LLMJudge) -> int:
        return recorded_runs(self.store, self.cell.task.task, self.cell.checkpoint.key, judge.models)

    def _identified(self) -> list[JudgeModel]:
        names = asked_models(self.cell.task, self.judge)
        return [judge_model(self.store, name, self.cell.task.task) for name in names]

    def chunks(self) -> Iterator[Chunk]:
        """The cell's questions in order, each with its samples and their stored answers."""
        cell, stored = self.cell, self.cell.outputs(self.store).lookup("item_id", "sample", "request_key")
        tags = _seen_tags(cell, self.judge)
        limit, blind = cell.variant.limit, cell.variant.blind
        for batch in questions(self.store, cell.task, limit=limit, rows=CHUNK, blind=blind, media=cell.media):
            answers = answers_of(cell, stored, batch)
            items = [q.item for q in batch] if self.baseline is None else self.baseline.items(batch)
            yield [
                (q, item, sample, row, None if row is None else _response(row, tags))
                for q, item in zip(batch, items, strict=True)
                for sample in range(cell.repeats)
                for row in [answers.get((q.item.id, sample))]
            ]

    def _pairs(self) -> Iterator[tuple[list[Any], list[Any]]]:
        for chunk in self.chunks():
            answered = [(item, response) for _, item, _, _, response in chunk if response is not None]
            yield [item for item, _ in answered], [response for _, response in answered]

    def details(self) -> dict[str, Any]:
        """Who judged, and what was asked of whom; empty for a judge that asks nobody."""
        if not self.asks:
            return {}
        found = {m.name: self.asked[m.name].record(m) for m in self.models if m.name in self.asked}
        return {"judging": found, "judged_by": judged_by(self.models, self.cell.task)}

    def missing(self) -> str:
        """Why judge answers are missing that another run may get; "" where none are."""
        return "; ".join(f"judge {name}: {a.fault()}" for name, a in self.asked.items() if a.fault())


def answers_of(cell: Cell, stored: Lookup, batch: Sequence[Question]) -> dict[tuple[str, int], dict[str, Any]]:
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
