"""`evals import-answers`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval_assets.cli.common import Json, names, print_json, store

if TYPE_CHECKING:
    from eval_assets.pipeline.import_files import Batch
    from eval_assets.pipeline.importing import Imported

_FORMATS = "inspect, lm-eval, lmms-eval, vlmevalkit or plain"


def import_answers(
    files: Annotated[list[str], typer.Argument(help="Logs, patterns, or the folder of a run: one file a task.")],
    name: Annotated[str, typer.Option(help="The checkpoint's name from now on.")],
    task: Annotated[
        list[str] | None,
        typer.Option(help="The task that was answered, or THEIRS=OURS for a name in the log; by name if left out."),
    ] = None,
    format: Annotated[str | None, typer.Option(help=f"{_FORMATS}; found out if left out.")] = None,
    match: Annotated[
        str | None, typer.Option(help="How items are found: id, row, question or field:NAME; tried if left out.")
    ] = None,
    response_field: Annotated[
        str | None, typer.Option(help="Of plain rows, the field with the answer; dots lead into nested fields.")
    ] = None,
    id_field: Annotated[
        str | None, typer.Option(help="Field with the item's id, or one whose values the items have too.")
    ] = None,
    sample_field: Annotated[str | None, typer.Option(help="Field with the sample's number, from 0.")] = None,
    error_field: Annotated[str | None, typer.Option(help="Field that says why there is no answer.")] = None,
    question_field: Annotated[str | None, typer.Option(help="Field to compare with our question.")] = None,
    target_field: Annotated[str | None, typer.Option(help="Field to compare with our label.")] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="Two answers to one sample: refuse, first, last or samples (further ones).")
    ] = None,
    allow_mismatch: Annotated[
        bool, typer.Option("--allow-mismatch", help="Keep only what is of our data set version, leave the rest out.")
    ] = False,
    check: Annotated[bool, typer.Option(help="Compare questions and labels with ours.")] = True,
    empty_is_missing: Annotated[
        bool, typer.Option("--empty-is-missing", help="An empty text is no answer: unscored, not wrong.")
    ] = False,
    max_part: Annotated[int, typer.Option(min=1, help="MiB that one sample, line or value may have.")] = 256,
    as_json: Json = False,
) -> None:
    """Keep recorded answers (another harness's log) as a checkpoint that is judged like any other."""
    from eval_assets.pipeline.import_choosing import DUPLICATES
    from eval_assets.pipeline.import_files import import_files
    from eval_assets.pipeline.importers import FORMATS, Fields, Options
    from eval_assets.pipeline.importing import Rules

    _one_of(format, FORMATS, "--format")
    _one_of(duplicates, DUPLICATES, "--duplicates")
    if match is not None and not match.startswith("field:"):
        _one_of(match, ("id", "row", "question"), "--match")
    fields = Fields(id_field, response_field, sample_field, error_field, question_field, target_field)
    options = Options(fields, max_part * 2**20, empty_is_missing)
    batch = import_files(
        store(), _paths(files), name, tasks=names(task or []), format=format, options=options,
        rules=Rules(match, duplicates, check, allow_mismatch), prepare=_prepare,
    )  # fmt: skip
    if as_json:
        print_json(_as_data(batch, one=len(batch.done) == 1 and not batch.failures))
    else:
        _say(batch)
    for place, why in batch.failures.items():
        sys.stderr.write(f"evals: {_placed(place, why)}\n")
    if batch.failures:
        sys.exit(1)


def _prepare(task: Any) -> None:
    from eval_assets.cli.runs import ensure_dataset

    ensure_dataset(store(), task)


def _one_of(value: str | None, known: tuple[str, ...], option: str) -> None:
    if value is not None and value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)


def _paths(given: list[str]) -> list[Path]:
    """Files and folders as they are, patterns as the files that they stand for."""
    found: list[Path] = []
    for text in given:
        path = Path(text).expanduser()
        matching = [] if path.exists() else sorted(glob(str(path), recursive=True))
        found += map(Path, matching) if matching else [path]
    return found


def _as_data(batch: Batch, *, one: bool) -> Any:
    whole = [asdict(done) for done in batch.done]
    return whole[0] if one else {"imported": whole, "left_out": batch.left_out, "failures": batch.failures}


def _say(batch: Batch) -> None:
    for done in batch.done:
        _say_one(done, batch.found[done.file])
    for file, why in batch.left_out.items():
        typer.echo(f"left out: {_placed(file, why)}")
    if batch.done:
        tasks = ",".join(done.task for done in batch.done)
        fewest = min(done.samples[0] for done in batch.done)
        several = f" --repeats {fewest}" if fewest > 1 else ""
        typer.echo(f"next: evals run --checkpoint {batch.done[0].checkpoint} --tasks {tasks}{several}")


def _say_one(done: Imported, found: str) -> None:
    model = f", answers of {done.model}" if done.model else ""
    typer.echo(f"{done.file}: {found}{model}")
    covered = done.items - done.items_without
    fewest, most = done.samples
    samples = f", {fewest if fewest == most else f'{fewest} to {most}'} samples each" if most > 1 else ""
    typer.echo(
        f"{done.checkpoint}: {done.answers} answers to {covered} of {done.items} items of {done.task}{samples} "
        f"(matched by {done.matched_by})"
    )
    agree = ", ".join(f"{count} {kind}s" for kind, count in done.checked.items())
    typer.echo(f"  same data set version: {agree} agree" if agree else "  data set version: nothing to compare")
    if done.items_without:
        typer.echo(f"  {done.items_without} items have no answer and will be unscored: {_some(done.without)}")
    if done.n_failed:
        reasons = "; ".join(f"{count} x {reason[:120]}" for reason, count in list(done.failed.items())[:3])
        typer.echo(f"  {done.n_failed} answers failed there and will be unscored: {reasons}")
    if done.empty:
        typer.echo(f"  {done.empty} answers are empty texts, which count as wrong (--empty-is-missing: as unscored)")
    if done.n_mismatched:
        typer.echo(f"  left out, of another version: {done.n_mismatched} answers: {_some(done.mismatched)}")
    if done.n_unmatched:
        typer.echo(f"  rows that match no item: {done.n_unmatched}: {_some(done.unmatched)}")
    for note in done.notes:
        typer.echo(f"  {note}")
    if done.repeated:
        typer.echo(f"  answered more often than the others: {_some(done.repeated)}")


def _placed(file: str, why: str) -> str:
    return why if file in why else f"{file}: {why}"


def _some(values: list[str]) -> str:
    return ", ".join(values[:5]) + (" ..." if len(values) > 5 else "")
