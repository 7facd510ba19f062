"""The questions of a task that are worth a human's look, over all models that answered it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.item_scores import NotScored, stored_scores
from eval_assets.pipeline.stability import Samples, load_samples
from resources.store import Store
from resources.store.outputs import OutputsTable
from resources.store.records import cells
from resources.store.tables import one_of, quoted
from task_defs import TaskDef

# Beside the reports of checkpoints, none of which can have this name: a slug has no `@`.
FILE = "@diagnostics"
SHOWN = 50  # items of each pattern that are shown


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's verdicts on the task: the variant with the most samples of all its items."""

    checkpoint: str
    variant: str
    samples: Samples


def diagnose(
    store: Store,
    task: TaskDef,
    checkpoints: Sequence[str] = (),
    *,
    high_variance: float | None = None,
    shown: int = SHOWN,
) -> dict[str, Any]:
    """What `stats.question_diagnostics` finds, with all that a reader needs to judge it. Raises NotScored.

    checkpoints: only these (default: all that are scored on the task). shown: items of each pattern that get
    their question, pictures and answers; `findings` names them all. JSON-able, with NaN:
    {task, models: [{checkpoint, variant, k, n}], left_out: [{checkpoint, why}], n, counts, meaning, note,
    high_variance, findings: [{item_id, pattern, models, answer, internal_variance}],
    items: {item_id: {messages, target, choices, media, answers: {checkpoint: [{sample, answer, score, text, ...}]}}}}
    """
    from stats import question_diagnostics
    from stats.diagnostics import MEANING

    ids, models, left_out = _on_the_same_items(_answered(store, task.task, checkpoints))
    given = {m.checkpoint: (m.samples.scores, m.samples.answers) for m in models}
    options = {} if high_variance is None else {"high_variance": high_variance}
    found = question_diagnostics(given, **options)
    findings = [
        {
            "item_id": str(ids[f.item]),
            "pattern": f.pattern,
            "models": list(f.models),
            "answer": f.answer,
            "internal_variance": f.internal_variance,
        }
        for f in found.findings
    ]
    wanted = _first_of_each(findings, shown)
    return {
        "task": task.task,
        "models": [{"checkpoint": m.checkpoint, "variant": m.variant, "k": m.samples.k, "n": len(ids)} for m in models],
        "left_out": left_out,
        "n": found.n,
        "counts": dict(found.counts),
        "meaning": dict(MEANING),
        "note": found.note,
        "high_variance": found.high_variance,
        "shown": shown,
        "findings": findings,
        "items": _details(store, task, models, wanted),
    }


def _answered(store: Store, task: str, checkpoints: Sequence[str]) -> list[Answered]:
    """The models that are scored on the task, the latest scored first."""
    where = f"task = {quoted(task)} AND stage = 'scores'"
    variants: dict[str, list[str]] = {}
    for row in sorted(cells(store).rows(where), key=lambda r: r["at"], reverse=True):
        departs = row["variant"].split(",")
        if "blind" not in departs and not any(d.startswith(("limit=", "frames=")) for d in departs):
            variants.setdefault(row["checkpoint"], []).append(row["variant"])
    for key in checkpoints:
        if key not in variants:
            find_checkpoint(store, key)
            raise NotScored(
                f"{key} on {task} is not scored on all items: run `evals run --checkpoint {key} --tasks {task}`"
            )
    if not variants:
        raise NotScored(f"no checkpoint is scored on {task}: run `evals run --checkpoint NAME --tasks {task}` for some")
    return [_most_samples(store, task, key, variants[key]) for key in variants if not checkpoints or key in checkpoints]


def _most_samples(store: Store, task: str, checkpoint: str, variants: Sequence[str]) -> Answered:
    """Of the cell and its variants the one with the most samples; the cell itself where it has as many."""
    rows = {variant: stored_scores(store, checkpoint, task, variant).count_rows() for variant in variants}
    best = max(variants, key=lambda variant: (rows[variant], variant == ""))
    return Answered(checkpoint, best, load_samples(store, checkpoint, task, best))


def _on_the_same_items(answered: list[Answered]) -> tuple[Any, list[Answered], list[dict[str, str]]]:
    """The items of the latest scored model; the others on these, or left out where the questions are not the same."""
    latest = answered[0].samples
    kept, left_out = [], []
    for model in answered:
        samples = model.samples
        place = {item_id: i for i, item_id in enumerate(samples.ids)}
        rows = [place.get(item_id, -1) for item_id in latest.ids]
        lacking = sum(row < 0 for row in rows)
        differing = sum(row >= 0 and samples.hashes[row] != own for row, own in zip(rows, latest.hashes, strict=True))
        if lacking or differing:
            why = f"{differing} items with another question or label, {lacking} lacking: it is stale, run it again"
            left_out.append({"checkpoint": model.checkpoint, "why": why})
        else:
            kept.append(Answered(model.checkpoint, model.variant, _in_order(samples, rows)))
    return latest.ids, sorted(kept, key=lambda m: m.checkpoint), left_out


def _in_order(samples: Samples, rows: list[int]) -> Samples:
    answers = None if samples.answers is None else [samples.answers[row] for row in rows]
    clusters = None if samples.clusters is None else samples.clusters[rows]
    return Samples(samples.ids[rows], samples.hashes[rows], samples.scores[rows], answers, clusters)


def _first_of_each(findings: list[dict[str, Any]], shown: int) -> set[str]:
    """Items of the first `shown` of each pattern."""
    by_pattern: dict[str, dict[str, None]] = {}
    for f in findings:
        by_pattern.setdefault(f["pattern"], {})[f["item_id"]] = None
    return {item_id for ids in by_pattern.values() for item_id in list(ids)[:shown]}


def _details(store: Store, task: TaskDef, models: list[Answered], wanted: set[str]) -> dict[str, Any]:
    """Question, target, media and every model's answers of some items."""
    from eval_assets.pipeline.ingest import items_of
    from eval_assets.pipeline.questions import COLUMNS, question

    if not wanted:
        return {}
    stored = items_of(store, task).table().to_table(columns=list(COLUMNS), filter=one_of("item_id", wanted))
    found: dict[str, Any] = {}
    for row in stored.to_pylist():
        asked = question(task, row)
        found[asked.item.id] = {
            "messages": [[m.role, [list(part) for part in m.parts]] for m in asked.messages],
            "target": asked.item.target,
            "choices": list(asked.item.choices or ()),
            "media": [{"sha": m.sha, "kind": m.kind, "missing": m.missing} for m in asked.item.media],
            "answers": {},
        }
    for model in models:
        for item_id, answers in _answers(store, task.task, model, wanted).items():
            if item_id in found:
                found[item_id]["answers"][model.checkpoint] = answers
    return found


def _answers(store: Store, task: str, model: Answered, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Item -> what the model said in each sample, and what the judge made of it. text: None where it is not stored."""
    columns = ["item_id", "sample", "request_key", "score", "answer", "flags", "unscored"]
    verdicts = stored_scores(store, model.checkpoint, task, model.variant)
    rows = verdicts.to_table(columns=columns, filter=one_of("item_id", wanted)).to_pylist()
    point = find_checkpoint(store, model.checkpoint)
    table = OutputsTable(store.table("outputs", task, point.fingerprint or ""))
    keys = ("item_id", "sample", "request_key")
    texts: dict[tuple[Any, ...], str] = {}
    for answer in table.lookup(*keys).find({tuple(row[k] for k in keys) for row in rows}):
        texts.setdefault(tuple(answer[k] for k in keys), answer["text"])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        said = {name: row[name] for name in ("sample", "answer", "score", "flags", "unscored")}
        found.setdefault(row["item_id"], []).append({**said, "text": texts.get(tuple(row[k] for k in keys))})
    return found


def write_diagnostics(store: Store, task: TaskDef, data: dict[str, Any]) -> str:
    """`reports/<task>/diagnostics.html`, whose path or URI is returned, and the same as JSON beside it."""
    from eval_assets.pipeline.files import clean, write_json
    from eval_assets.pipeline.ingest import media_of
    from eval_assets.preview import picture_url
    from eval_assets.reporting.diagnostics import diagnostics_page

    media = media_of(store, task)
    shas = {m["sha"] for item in data["items"].values() for m in item["media"] if m["sha"] and m["kind"] == "image"}
    # One at a time: a hundred photographs at once would be held for thumbnails of a few kilobytes.
    pictures = {sha: picture_url(media.read([sha])[sha]) for sha in sorted(shas)}
    page = diagnostics_page(clean(data), pictures)
    write_json(store, data, FILE, task.task)
    return store.write_file(page.encode(), "reports", task.task, "diagnostics.html")
