"""How steady a model is over the samples of each item: of one cell, from its stored verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from eval_assets.pipeline.item_scores import NotScored, load_item_scores, not_scored, stored_scores
from judges.verdict import EMPTY, NO_ANSWER, REFUSAL
from resources.store import Store
from resources.store.records import cells
from resources.store.tables import quoted, scan

if TYPE_CHECKING:
    import numpy as np

# What says that a model gave no answer, which is a class of answer of its own.
_SILENT = {NO_ANSWER, EMPTY, REFUSAL}


class OneSample(ValueError):
    """The cell has one sample an item, of which no stability can be told; the message says how to get more."""


@dataclass(frozen=True)
class Samples:
    """A cell's verdicts by item and sample, items in the data set's order.

    ids, hashes: (n,) item ids, and 64 bits of the hash of question and label.
    scores:      (n, K), NaN unscored.
    answers:     n rows of K normalised answers, None for "no answer"; None where the judge names no answers.
    clusters:    (n,) codes, or None without clusters.
    """

    ids: np.ndarray
    hashes: np.ndarray
    scores: np.ndarray
    answers: list[list[str | None]] | None
    clusters: np.ndarray | None

    @property
    def k(self) -> int:
        return int(self.scores.shape[1])


def load_samples(store: Store, checkpoint: str, task: str, variant: str = "") -> Samples:
    """The stored verdicts of a cell. Raises NotScored."""
    import numpy as np

    items = load_item_scores(store, checkpoint, task, variant, fields=())
    scores: list[float] = []
    answers: list[str | None] = []
    named, silent = False, True
    for batch in scan(stored_scores(store, checkpoint, task, variant), ["score", "answer", "flags"]):
        rows = zip(*(batch[name].to_pylist() for name in ("score", "answer", "flags")), strict=True)
        for score, answer, flags in rows:
            scores.append(float("nan") if score is None else score)
            answers.append(answer)
            named |= answer is not None
            silent &= answer is not None or score is None or not _SILENT.isdisjoint(flags)
    n, k = len(items.ids), len(scores) // max(1, len(items.ids))
    assert n * k == len(scores), "the judge's rows are K to an item"
    table = [answers[i * k : (i + 1) * k] for i in range(n)]
    known = named or silent  # a judge that names no answers has none for right ones either
    return Samples(items.ids, items.hashes, np.array(scores).reshape(n, k), table if known else None, items.clusters)


def stability_block(
    store: Store, checkpoint: str, task: str, variant: str = "", gen_kwargs: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """`stats.stability` of the cell as JSON-able data; None with one sample an item.

    Sizes of pass_at_k and pass_hat_k are texts, as JSON has them; `temperature` is that of the samples, None if
    it is left to the model.
    """
    from stats import stability

    samples = load_samples(store, checkpoint, task, variant)
    if samples.k < 2:
        return None
    found = asdict(stability(samples.scores, samples.answers, samples.clusters))
    for name in ("pass_at_k", "pass_hat_k"):
        found[name] = {str(size): estimate for size, estimate in found[name].items()}
    temperature = (gen_kwargs or {}).get("temperature")
    notes = [found["note"]] if found["note"] else []
    if temperature == 0:
        notes.append("asked at temperature 0: what varies is the engine and not the sampling")
    return {**found, "temperature": temperature, "note": "; ".join(notes)}


def sampled_variant(store: Store, checkpoint: str, task: str) -> str:
    """The variant whose samples speak for the checkpoint: the cell itself if it has several, else the latest that has.

    Variants without media or with other frames are passed over. Raises NotScored and OneSample.
    """
    where = f"checkpoint = {quoted(checkpoint)} AND task = {quoted(task)} AND stage = 'scores'"
    scored = [row for row in cells(store).rows(where) if _as_the_task_shows(row["variant"])]
    if not scored:
        raise NotScored(not_scored(checkpoint, task))
    for row in sorted(scored, key=lambda r: (r["variant"] == "", r["at"]), reverse=True):
        if _has_several(store, checkpoint, task, row["variant"]):
            return str(row["variant"])
    raise one_sample(checkpoint, task)


def _as_the_task_shows(variant: str) -> bool:
    return not any(part == "blind" or part.startswith("frames=") for part in variant.split(","))


def one_sample(checkpoint: str, task: str) -> OneSample:
    return OneSample(
        f"{checkpoint} on {task} has one sample an item, and stability needs two or more: run `evals run "
        f"--checkpoint {checkpoint} --tasks {task} --repeats 5 --gen temperature=0.7` (or set `repeats: 5` and a "
        "temperature in the task); only the samples that are missing are asked"
    )


def _has_several(store: Store, checkpoint: str, task: str, variant: str) -> bool:
    """Whether an item has a second sample."""
    return stored_scores(store, checkpoint, task, variant).count_rows("sample > 0") > 0


def gen_kwargs_of(store: Store, checkpoint: str, task: str, variant: str) -> dict[str, Any]:
    """Generation parameters that the stored answers of a cell were asked with; empty where that is not recorded."""
    record = cells(store).get(checkpoint=checkpoint, task=task, variant=variant, stage="outputs")
    return dict(json.loads(record["details"]).get("gen_kwargs") or {}) if record else {}
