"""The command line: its groups, and how an error becomes one line that says what to do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from eval_assets.cli import (
    curve,
    engines,
    episode,
    importing,
    judging,
    models,
    power,
    push,
    rooms,
    running,
    sampling,
    serve,
    showing,
    sweeping,
)  # fmt: skip

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Evaluate large multimodal models: cached, paired, and honest about uncertainty.",
)  # fmt: skip
checkpoints_app = typer.Typer(no_args_is_help=True, help="Models that can be evaluated.")
app.add_typer(checkpoints_app, name="checkpoints")
engines_app = typer.Typer(no_args_is_help=True, help="Inference servers of this machine, which cells share.")
app.add_typer(engines_app, name="engines")

app.command("tasks")(showing.tasks)
app.command("ingest")(running.ingest)
app.command("import-answers")(importing.import_answers)
app.command("run")(running.run)
app.command("plan")(showing.plan)
app.command("report")(showing.report)
app.command("compare")(showing.compare)
app.command("power")(power.power)
app.command("curve")(curve.curve)
app.command("items")(showing.items)
app.command("episode")(episode.episode)
app.command("leaderboard")(showing.leaderboard)
app.command("queue")(showing.queue)
app.command("stability")(sampling.stability)
app.command("diagnose")(sampling.diagnose)
app.command("blind")(sampling.blind)
app.command("sweep-frames")(sweeping.sweep_frames)
app.command("sweep-context")(sweeping.sweep_context)
app.command("push")(push.push)
app.command("calibrate")(judging.calibrate)
app.command("import-judgements")(judging.import_judgements)
app.command("judgements")(judging.judgements)
app.command("serve")(serve.serve)
app.command("rooms")(rooms.rooms)
checkpoints_app.command("add")(models.add)
checkpoints_app.command("list")(models.list_checkpoints)
checkpoints_app.command("show")(models.show_checkpoint)
engines_app.command("list")(engines.list_engines)
engines_app.command("logs")(engines.logs)
engines_app.command("stop")(engines.stop)
engines_app.command("qualify-swap")(engines.qualify_swap)


def main() -> None:
    """Run the command line. What a user can mend is one line on stderr and exit code 1."""
    prepare_environment()
    try:
        app()
    except _expected() as error:
        sys.stderr.write(f"evals: {error}\n")
        if os.environ.get("EVAL_DEBUG"):
            raise
        sys.exit(1)


def prepare_environment() -> None:
    """Defaults that survive a restart: `.dagster` and `.evals` in the current folder."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path.cwd() / ".dagster"))).expanduser().absolute()
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("EVAL_HOME", str(Path.cwd() / ".evals"))
    # Lance tells on stderr of every table that it creates.
    os.environ.setdefault("LANCE_LOG", "error")
    from eval_assets.instance import ensure_instance

    ensure_instance(home)


def _expected() -> tuple[type[BaseException], ...]:
    """Errors that are about the user's input or surroundings, not about our code."""
    from eval_assets.cli.runs import RunFailed
    from eval_assets.pipeline.cell import UnknownCheckpoint
    from eval_assets.pipeline.comparing import NotComparable
    from eval_assets.pipeline.importers import ImportRefused
    from eval_assets.pipeline.ingest import DuplicateIds
    from eval_assets.pipeline.item_scores import NotScored
    from eval_assets.pipeline.metrics import UnknownMetric
    from eval_assets.pipeline.power import NothingVaries
    from eval_assets.pipeline.questions import NotIngested
    from eval_assets.pipeline.run_scores import UnknownRun
    from eval_assets.pipeline.stability import OneSample
    from eval_assets.pipeline.tracking import NotReported, PushFailed
    from eval_assets.settings import SettingsError
    from judges import JudgeParameterError, UnknownJudge
    from judges.library import MissingLibrary
    from resources.models import ModelUnusable
    from resources.rooms import RoomsError
    from resources.store import KeyRefused, StoreUnwritable
    from task_defs import TaskError

    return (
        RunFailed, UnknownCheckpoint, NotComparable, ImportRefused, DuplicateIds, NotScored, UnknownMetric,
        NotIngested, OneSample, SettingsError, JudgeParameterError, UnknownJudge, ModelUnusable, KeyRefused,
        StoreUnwritable, TaskError, NotReported, PushFailed, UnknownRun, NothingVaries, MissingLibrary,
        RoomsError,
    )  # fmt: skip
