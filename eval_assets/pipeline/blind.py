"""How much of a score needs the media: the cell against the same questions asked without them."""

from __future__ import annotations

from typing import Any

from eval_assets.pipeline.comparing import pair
from eval_assets.pipeline.item_scores import NotScored, load_item_scores
from eval_assets.pipeline.metrics import difference, estimate, own_unit, task_metrics
from eval_assets.pipeline.units import of_whole_units
from resources.store import Store
from resources.store.records import cells
from resources.store.tables import quoted
from task_defs import TaskDef


def blind_comparison(
    store: Store, checkpoint: str, task: TaskDef, variant: str = "", *, level: float = 0.95
) -> list[dict[str, Any]]:
    """With the media minus without, for each metric of the task, the primary one first.

    variant: of the side with media ("limit=100"); the other side is the same with `blind`.
    Items are paired by id and by the hash of the whole question and label; an item that only one side has a
    score of (its picture is missing, say) is not in the difference. Each entry: `with_media`, `without_media`
    (the scores of the paired items), mean_diff, se, ci_low, ci_high, p_value, n, n_clusters, and `only_blind`,
    how many items have a score only without media. Raises NotScored and NotComparable.
    """
    import numpy as np

    blind = f"{variant},blind" if variant else "blind"
    refuse_missing(store, checkpoint, task, variant, blind)
    full = load_item_scores(store, checkpoint, task.task, variant)
    without = load_item_scores(store, checkpoint, task.task, blind)
    rows_full, rows_blind = pair(full, without, f"{checkpoint} with and without media on {task.task}")
    here, there = full.scored[rows_full] > 0, without.scored[rows_blind] > 0
    only_blind = int(np.sum(~here & there))
    rows_full, rows_blind = rows_full[here & there], rows_blind[here & there]
    found = []
    for metric in task_metrics(task):
        seen, unseen = of_whole_units(metric, (full, rows_full), (without, rows_blind))
        result = difference(metric, seen, unseen, level=level)
        found.append(
            {
                "checkpoint": checkpoint,
                "task": task.task,
                "variant": variant,
                "metric": metric.name,
                "with_media": estimate(metric, seen).value,
                "without_media": estimate(metric, unseen).value,
                **{name: getattr(result, name) for name in _SHOWN},
                "only_blind": only_blind,
                "higher_is_better": metric.higher_is_better,
                **({"own_unit": True} if own_unit(metric, seen, unseen) else {}),
            }
        )
    return found


_SHOWN = ("mean_diff", "se", "ci_low", "ci_high", "t", "df", "p_value", "n", "n_clusters", "method", "note")


def refuse_missing(store: Store, checkpoint: str, task: TaskDef, variant: str, blind: str) -> None:
    """NotScored with the command that makes what is not there yet."""
    stored = cells(store).rows(f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task.task)} AND stage = 'scores'")
    there = {row["variant"] for row in stored}
    for name, words, flag in ((variant, "", ""), (blind, " without its media", " --blind")):
        if name not in there:
            also = f" (variant {variant}: with the same --limit, --repeats and --gen)" if variant else ""
            raise NotScored(
                f"{checkpoint} on {task.task} is not scored{words} yet: run "
                f"`evals run --checkpoint {checkpoint} --tasks {task.task}{flag}`{also}"
            )
