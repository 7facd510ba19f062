"""An item as a page shows it, and one item over all checkpoints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.replaying import Replays
from eval_service.pages.cell_items import Sample, Shown, show_items
from eval_service.pages.view import target_text
from resources.store import Store
from resources.store.records import summary
from resources.store.tables import quoted
from stats import question_diagnostics
from stats.diagnostics import MEANING
from task_defs import TaskDef

_FOLD = 600  # characters; longer answers are folded


def item(task: TaskDef, shown: Shown) -> dict[str, Any]:
    """Question, media, target and samples, as plain data for a template."""
    asked = shown.question
    media = [] if asked is None else [{"sha": m.sha, "kind": m.kind, "missing": m.missing} for m in asked.item.media]
    turns = [] if asked is None else [(m.role, _text(m.parts, len(media))) for m in asked.messages]
    samples = [sample(s) for s in shown.samples]
    if task.episode is not None:  # the text is the outcome as JSON, whose numbers stand beside it anyway
        samples = [{**s, "text": "", "long": False} for s in samples]
    return {
        "is_played": task.episode is not None,
        "id": shown.item_id, "position": shown.position, "media": media, "turns": turns,
        "target": "" if asked is None or asked.item.target is None else target_text(asked.item.target),
        "choices": list(asked.item.choices or ()) if asked else [], "samples": samples,
        "task": task.task, "judge_asks": task.judge["name"] in ("llm", "llm_extract", "llm_pairwise"),
    }  # fmt: skip


def _text(parts: Any, media: int) -> str:
    """The words, and of several media their numbers where they stand."""
    places = (str(value) if kind == "text" else f"⟨{value + 1}⟩" if media > 1 else "" for kind, value in parts)
    return "".join(places).strip()


def sample(found: Sample) -> dict[str, Any]:
    """tone: right, wrong, partly or unscored."""
    v, r = found.verdict, found.response
    score = v["score"]
    tone = "unscored" if score is None else "right" if score >= 1 else "wrong" if score <= 0 else "partly"
    return {
        "number": v["sample"], "score": score, "tone": tone, "answer": v["answer"], "flags": list(v["flags"] or ()),
        "unscored": v["unscored"], "seconds": v["seconds"],
        "tokens": v["completion_tokens"], "text": r.get("text") or "", "reasoning": r.get("reasoning") or "",
        "error": r.get("error_message"), "long": len(r.get("text") or "") > _FOLD,
        "values": {k.removeprefix("value_"): x for k, x in v.items() if k.startswith("value_") and x is not None},
    }  # fmt: skip


def scored_on(store: Store, task: str) -> list[str]:
    """Checkpoints with a report on a task."""
    return sorted({row["checkpoint"] for row in summary(store).rows(f"is_primary AND task = {quoted(task)}")})


def over_checkpoints(store: Store, task: TaskDef, item_id: str) -> dict[str, Any] | None:
    """The item with every checkpoint's samples, what is suspicious about it; None where nobody has it."""

    def of(checkpoint: str) -> Shown | None:
        try:
            return next(iter(show_items(store, task, checkpoint, "", [item_id])), None)
        except NotScored:
            return None

    names = scored_on(store, task.task)
    with ThreadPoolExecutor(8) as pool:
        found = {name: shown for name, shown in zip(names, pool.map(of, names), strict=True) if shown}
    if not found:
        return None
    sides = [(name, item(task, shown)) for name, shown in found.items()]
    played = {name: Replays(store, name, task.task).of(item_id) for name in found} if task.episode else {}
    return {"item": sides[0][1], "task": task.task, "sides": sides, "findings": _findings(found), "played": played}


def _findings(found: dict[str, Shown]) -> list[dict[str, str]]:
    """What the statistics of diagnostics say of this one question."""
    fewest = min(len(shown.samples) for shown in found.values())
    models = {
        name: (
            np.array([[_number(s.verdict["score"]) for s in shown.samples[:fewest]]]),
            np.array([[s.verdict["answer"] for s in shown.samples[:fewest]]], dtype=object),
        )
        for name, shown in found.items()
    }
    said = question_diagnostics(models).findings
    return [
        {"pattern": f.pattern.replace("_", " "), "meaning": MEANING[f.pattern], "answer": f.answer or ""} for f in said
    ]


def _number(score: float | None) -> float:
    return float("nan") if score is None else score
