"""How far the judge of a cell can be trusted: against people, against itself, and its known biases."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.cell import Cell, record_of
from eval_assets.pipeline.human_labels import human_score, stored_labels
from eval_assets.pipeline.item_scores import ItemScores, stored_scores
from eval_assets.pipeline.judge_models import cell_judge, judge_model
from eval_assets.pipeline.metrics import TaskMetric, estimate
from eval_assets.pipeline.recorded_judgements import recorded_runs
from judges import Judge, Metric
from judges.llm_base import ASKED, HUMAN, LENGTH, READ, SPREAD, LLMJudge
from judges.llm_pairwise import FIRST, SHORTER, SWAPPED
from judges.llm_params import column
from resources.store import Store

if TYPE_CHECKING:
    import numpy as np

_RESAMPLES = 500


def judging_block(store: Store, cell: Cell, items: ItemScores, primary: TaskMetric) -> dict[str, Any] | None:
    """What a report says of its judge; None for a judge that asks nobody and was not held against people.

    JSON-able: estimates as mappings. calibration: null without human verdicts on at least two scored items.
    """
    judge = cell_judge(store, cell.checkpoint.key, cell.task)
    human = human_verdicts(store, cell, judge, items)
    calibration = _calibration(judge, items, human)
    if not isinstance(judge, LLMJudge):
        return {"models": [], "calibration": calibration} if calibration else None
    return {
        "models": _models(store, cell, judge),
        "prompt": judge.prompt_digest,
        "samples": judge.params.samples,
        "replies": _replies(store, cell),
        "spent": _spent(store, cell),
        **_runs(judge, items, primary),
        **_panel(judge, items),
        **_position(items),
        "length": _length(items, human),
        "calibration": calibration,
    }


def human_verdicts(store: Store, cell: Cell, judge: Judge, items: ItemScores) -> np.ndarray:
    """(n,) what people said, in the unit of the score; NaN where nobody looked. A file goes before a column."""
    import numpy as np

    found = items.values[HUMAN].copy() if HUMAN in items.values else np.full(len(items.ids), np.nan)
    labels = stored_labels(store, cell.checkpoint.key, cell.task.task)
    if labels:
        given = {item_id: human_score(judge, label) for item_id, label in labels.items()}
        for row, item_id in enumerate(items.ids):
            found[row] = given.get(item_id, found[row])
    return found


def _calibration(judge: Judge, items: ItemScores, human: np.ndarray) -> dict[str, Any] | None:
    import numpy as np

    from stats import agreement, prediction_powered_mean

    score = items.values["score"]
    both = ~np.isnan(score) & ~np.isnan(human)
    if both.sum() < 2:
        return None
    averaged = isinstance(judge, LLMJudge) and (judge.params.samples > 1 or len(judge.models) > 1)
    verdict = _nearest(score, human) if averaged else score
    return {
        "agreement": asdict(agreement(verdict, human, items.clusters, resamples=_RESAMPLES)),
        "snapped": averaged,
        "powered": asdict(prediction_powered_mean(score, human, items.clusters)),
        "n_labels_unscored": int((np.isnan(score) & ~np.isnan(human)).sum()),
    }


def _nearest(score: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Averages over runs or a panel as the nearest of the verdicts that people gave."""
    import numpy as np

    values = np.unique(human[~np.isnan(human)])
    known = ~np.isnan(score)
    found = score.copy()
    found[known] = values[np.abs(score[known, None] - values).argmin(axis=1)]
    return found


def _length(items: ItemScores, human: np.ndarray) -> dict[str, Any]:
    """Rank correlation of the score with the answer's length, and where people looked, given their verdict."""
    import numpy as np

    from stats import rank_correlation

    pairs = SHORTER in items.values
    size, score = items.values[SHORTER if pairs else LENGTH], items.values["score"]
    known = (~np.isnan(human) & ~np.isnan(score)).sum()
    given = rank_correlation(score, size, items.clusters, given=human, resamples=_RESAMPLES) if known > 2 else None
    return {
        "of": "difference in length" if pairs else "length",
        "plain": asdict(rank_correlation(score, size, items.clusters, resamples=_RESAMPLES)),
        "given_human": None if given is None else asdict(given),
    }


def _position(items: ItemScores) -> dict[str, Any]:
    from stats import mean_estimate

    if SWAPPED not in items.values:
        return {}
    found = {name: asdict(mean_estimate(items.values[name], items.clusters)) for name in (SWAPPED, FIRST)}
    return {"position": found}


def _runs(judge: LLMJudge, items: ItemScores, primary: TaskMetric) -> dict[str, Any]:
    """The primary metric of each of the judge's runs, how far they lie apart, and which items changed."""
    import numpy as np

    k = judge.params.samples
    if k < 2:
        return {}
    scores = np.stack([items.values[f"run{run + 1}_score"] for run in range(k)], 1) if _told(judge) else None
    needed = set(primary.metric.components)
    found: dict[str, Any] = {}
    if needed <= set(judge.run_parts):
        values = [estimate(_of_run(primary, run + 1), items).value for run in range(k)]
        found = {"runs": values, "between_runs_sd": float(np.std(values, ddof=1))}
    if scores is not None:
        rows = scores[~np.isnan(scores).any(axis=1)]
        found["items_changed"] = int((np.ptp(rows, axis=1) > 0).sum()) if len(rows) else 0
    spread = items.values[SPREAD]
    known = spread[~np.isnan(spread)]
    return {**found, "within_item_sd": float(np.sqrt((known**2).mean())) if len(known) else float("nan")}


def _told(judge: LLMJudge) -> bool:
    return "score" in judge.run_parts


def _of_run(primary: TaskMetric, run: int) -> TaskMetric:
    metric = primary.metric
    numerator = {f"run{run}_{part}": w for part, w in metric.numerator.items()}
    bottom = metric.denominator
    denominator = None if bottom is None else {f"run{run}_{part}": w for part, w in bottom.items()}
    return TaskMetric(primary.name, Metric(metric.name, numerator, denominator), primary.macro_over)


def _panel(judge: LLMJudge, items: ItemScores) -> dict[str, Any]:
    import numpy as np

    from stats import mean_estimate, panel_alpha

    if len(judge.models) < 2:
        return {}
    ratings = {model: items.values[column(model)] for model in judge.models}
    measure = "nominal" if getattr(judge.params, "grades", None) else "interval"
    alpha = panel_alpha(np.stack(list(ratings.values()), 1), items.clusters, measure=measure, resamples=_RESAMPLES)
    means = {model: asdict(mean_estimate(score, items.clusters)) for model, score in ratings.items()}
    return {"panel": {"alpha": asdict(alpha), "measure": measure, "means": means}}


def _models(store: Store, cell: Cell, judge: LLMJudge) -> list[dict[str, Any]]:
    if recorded_runs(store, cell.task.task, cell.checkpoint.key, judge.models):
        return [{"name": name, "imported": True} for name in judge.models]
    found = [judge_model(store, name, cell.task.task, hashing=False) for name in judge.models]
    return [
        {
            "name": m.name,
            "model": m.point.model,
            "source": m.point.source,
            "snapshot": m.point.model_args.get("snapshot"),
            "fingerprint": m.point.fingerprint,
        }
        for m in found
    ]


def _spent(store: Store, cell: Cell) -> dict[str, Any]:
    """What the run that made the scores asked of judge models."""
    record = record_of(store, cell, "scores")
    found: dict[str, Any] = json.loads(record["details"]).get("judging", {}) if record else {}
    return found


def _replies(store: Store, cell: Cell) -> dict[str, int]:
    """How many replies the verdicts were to rest on, and how many of them could be read."""
    import pyarrow.compute as pc

    columns = {"asked": f"value_{ASKED}", "read": f"value_{READ}"}
    table = stored_scores(store, cell.checkpoint.key, cell.task.task, cell.variant.id)
    rows = table.to_table(columns=list(columns.values()))
    return {name: int(pc.sum(rows[column]).as_py() or 0) for name, column in columns.items()}
