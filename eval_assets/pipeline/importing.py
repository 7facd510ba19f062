"""Answers from another harness's log: matched with a task's items, kept as a recorded checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval_assets.pipeline.files import spool
from eval_assets.pipeline.import_choosing import DUPLICATES, Chosen, choose
from eval_assets.pipeline.import_matching import WAYS, Items, Match, best_match, said, unmatched
from eval_assets.pipeline.import_spool import Spooled, spool_answers
from eval_assets.pipeline.importers import Fields, ImportRefused, Log, Options, open_log
from resources.models.checkpoint import Checkpoint
from resources.models.recorded import RecordedAnswer, store_answers
from resources.store import Store, check_key
from resources.store.records import checkpoints, datasets, imports
from task_defs import TaskDef

LISTED = 20  # ids in a list that is stored or printed
_SAID = {"question": "questions", "target": "targets", "row": "hashes of rows"}


@dataclass(frozen=True)
class Rules:
    """How answers are put to items. match: one of WAYS; None: what the format offers, the best first.

    duplicates: one of DUPLICATES, for several answers to one sample of an item; None: the format's own.
    check: compare questions and targets. allow_mismatch: leave out what differs, and what matches no item.
    """

    match: str | None = None
    duplicates: str | None = None
    check: bool = True
    allow_mismatch: bool = False


@dataclass
class Imported:
    """What was kept and what was not; lists have the first LISTED.

    answers: kept texts. n_failed: samples where the log has an error in place of one; failed: by reason.
    items_without: items that the log has neither for. samples: of an item, the fewest and the most.
    checked: kind of evidence -> answers whose log agrees with our item.
    """

    checkpoint: str
    task: str
    format: str
    file: str
    answers: int
    items: int
    items_without: int
    without: list[str]
    matched_by: str
    n_failed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    samples: tuple[int, int] = (0, 0)
    unmatched: list[str] = field(default_factory=list)
    n_unmatched: int = 0
    checked: dict[str, int] = field(default_factory=dict)
    mismatched: list[str] = field(default_factory=list)
    n_mismatched: int = 0
    repeated: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    data_version: str = ""  # of our items, with which the log was compared


def import_answers(
    store: Store,
    path: Path,
    task: TaskDef,
    name: str,
    *,
    id_field: str | None = None,
    response_field: str | None = None,
    format: str | None = None,
    rules: Rules | None = None,
) -> Imported:
    """`import_log` of a file of any format; rows of no known one have the answer in `response_field`."""
    options = Options(Fields(id=id_field, response=response_field))
    return import_log(store, open_log(path, options, format), task, name, rules, options)


def import_log(
    store: Store, log: Log, task: TaskDef, name: str, rules: Rules | None = None, options: Options | None = None
) -> Imported:
    """Keep a log's answers as the recorded checkpoint `name`, for this task; what was there for the task goes.

    Raises ImportRefused, before anything is written, where most answers match no item, where the log is of another
    data set version, or where it answers one sample twice.
    """
    check_key(name)
    rules, options = rules or Rules(), options or Options()
    known = checkpoints(store).get(checkpoint=name)
    if known is not None and known["model"] != "recorded":
        raise ImportRefused(f"{name!r} is a checkpoint of model {known['model']!r} already: choose another --name")
    ways = (rules.match,) if rules.match else log.match
    wanted = next((way.removeprefix("field:") for way in ways if way.startswith("field:")), None)
    with spool() as file:
        spooled = spool_answers(log.answers, file, options, wanted)
        items = Items(store, task)
        _refuse_row_numbers(log, ways, spooled, items)
        match = best_match(items, spooled, ways, check=rules.check)
        done = _outcome(log, task, name, match, spooled, items, rules)
        chosen = choose(spooled, match, rules.duplicates or ("samples" if log.rows_are_samples else "refuse"))
        _refuse_repeated(chosen, items, log)
        _count(done, chosen, items)
        # Of two at once, the second would not see the first one's tasks.
        with store.lock(f"import-{name}"):
            uri = store.table("recorded", name)
            stored = store_answers(uri, task.task, _answers(spooled, match, chosen, items, done))
            done.answers = stored - done.n_failed
            done.data_version = (datasets(store).get(task=task.task) or {}).get("version", "")
            checkpoints(store).upsert([Checkpoint(name, "recorded", uri).record()])
            imports(store).upsert([_provenance(log, done)])
    return done


def _refuse_row_numbers(log: Log, ways: tuple[str, ...], spooled: Spooled, items: Items) -> None:
    """Rows that are counted and not numbered must be as many as the items."""
    if log.format == "plain" and ways == ("row",) and spooled.rows != len(items.ids):
        raise ImportRefused(
            f"{log.path} has {spooled.rows} rows and {items.task.task} {len(items.ids)} items: name the --id-field"
        )


def _outcome(
    log: Log, task: TaskDef, name: str, match: Match, spooled: Spooled, items: Items, rules: Rules
) -> Imported:
    named = unmatched(spooled, match, LISTED)
    n_unmatched = spooled.rows - match.matched
    if not match.matched or (n_unmatched > spooled.rows // 2 and not rules.allow_mismatch):
        raise ImportRefused(
            f"{n_unmatched} of {spooled.rows} rows of {log.path} match no item of {task.task} by {said(match.way)} "
            f"(such as {', '.join(map(repr, named[:3]))}); its items are called "
            f"{', '.join(map(repr, sorted(items.ids)[:3]))}; other ways: --match {WAYS}"
        )
    listed = _listed(spooled, match, items)
    all_differ = len(match.mismatched) == match.matched
    if match.mismatched and (all_differ or not rules.allow_mismatch):
        advice = (
            "If you know that they mean the same, --no-check keeps them" if all_differ
            else "--allow-mismatch keeps only those that agree"
        )  # fmt: skip
        raise ImportRefused(
            f"{log.path} is of another version of {task.task}, or its items are not those found by {said(match.way)}: "
            f"{len(match.mismatched)} of {match.matched} answers differ: "
            f"{'; '.join(listed[:8])}{'; ...' if len(listed) > 8 else ''}. {advice}"
        )
    return Imported(
        name, task.task, log.format, log.path.name, 0, len(items.ids), 0, [], said(match.way),
        unmatched=named, n_unmatched=n_unmatched, checked=match.agree, mismatched=listed,
        n_mismatched=len(match.mismatched), notes=[*log.notes, *_other_wording(match)], model=log.model,
        settings=log.settings,
    )  # fmt: skip


def _other_wording(match: Match) -> list[str]:
    kinds = [kind for kind in match.differ if kind not in match.agree]
    return [f"{_SAID[kind]} are written another way in the log and were not compared" for kind in kinds]


def _listed(spooled: Spooled, match: Match, items: Items) -> list[str]:
    """The items that differ, each once, with how."""
    found: dict[str, str] = {}
    for number, difference in sorted(match.mismatched.items()):
        found.setdefault(items.ids[match.positions[number]], difference)
        if len(found) == LISTED:
            break
    return [f"{item_id!r} ({difference})" for item_id, difference in found.items()]


def _refuse_repeated(chosen: Chosen, items: Items, log: Log) -> None:
    if chosen.conflicts:
        names = ", ".join(repr(items.ids[position]) for position in list(chosen.conflicts)[:8])
        raise ImportRefused(
            f"{log.path} answers {len(chosen.conflicts)} items more than once, and not the same ({names}): "
            f"--duplicates {', '.join(way for way in DUPLICATES if way != 'refuse')} say what they are"
        )


def _count(done: Imported, chosen: Chosen, items: Items) -> None:
    counts = Counter(position for position, _ in chosen.numbers.values())
    without = [item_id for position, item_id in enumerate(items.ids) if position not in counts]
    done.items_without, done.without = len(without), without[:LISTED]
    if counts:
        usual = Counter(counts.values()).most_common(1)[0][0]
        done.samples = (min(counts.values()), max(counts.values()))
        uneven = [f"{items.ids[p]!r} ({n})" for p, n in counts.items() if n > usual]
        done.repeated = uneven[:LISTED]
        if uneven:
            done.notes.append(f"{len(uneven)} items have more answers than the others: a run takes the first ones")
    if chosen.identical:
        done.notes.append(f"{chosen.identical} rows repeat an answer word for word and were left out")
    if chosen.replaced:
        done.notes.append(f"{chosen.replaced} rows were left out for others that answer the same sample")


def _answers(spooled: Spooled, match: Match, chosen: Chosen, items: Items, done: Imported) -> Iterator[RecordedAnswer]:
    number = 0
    for batch in spooled.batches():
        for row in batch:
            place = chosen.numbers.get(number)
            number += 1
            if place is None:
                continue
            position, sample = place
            if row["text"] is None:
                done.n_failed += 1
                reason = row["error"] or "no answer"
                if len(done.failed) < LISTED or reason in done.failed:
                    done.failed[reason] = done.failed.get(reason, 0) + 1
            elif not row["text"].strip():
                done.empty += 1
            yield RecordedAnswer(
                items.ids[position], sample, row["text"], row["error"], row["finish_reason"], row["reasoning"],
                row["prompt_tokens"], row["completion_tokens"], row["served_by"],
            )  # fmt: skip


def _provenance(log: Log, done: Imported) -> dict[str, Any]:
    with log.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    kept = ("checkpoint", "task", "format", "file", "model", "answers", "settings")
    whole = asdict(done)
    return {
        **{name: whole[name] for name in kept},
        "settings": json.dumps(done.settings, ensure_ascii=False, sort_keys=True),
        "details": json.dumps({k: v for k, v in whole.items() if k not in kept}, ensure_ascii=False),
        "sha256": sha256,
        "at": datetime.now(UTC),
    }
