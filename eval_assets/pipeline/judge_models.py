"""Who judges: the names in a task's `judge: {model: ...}` as models, with their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.recorded_judgements import recorded_runs
from eval_assets.pipeline.registering import changed_since, identified
from eval_assets.settings import config_path, load_settings
from eval_assets.versions import cache_commit, digest, request_key, settings_key
from judges import Judge, get_judge
from judges.asking import Ask
from judges.llm_base import LLMJudge
from resources.models import LMM, ModelUnusable
from resources.models.budget import Prices
from resources.models.checkpoint import Checkpoint
from resources.models.configured import Entry, load_models, models_path
from resources.models.identity import pinned
from resources.models.presets import key_variable
from resources.models.reasoning import Tags, tags_of
from resources.models.registry import build_model, check_model
from resources.store import Store
from resources.store.outputs import OutputsTable
from resources.store.records import judge_models as known_models
from task_defs import TaskDef, judge_spec
from task_defs.lmms_eval import is_lmms_eval

DEFAULT = "default"
LMMS_EVAL = "lmms_eval"  # the name in `judge_models` of who answers what functions of lmms-eval's tasks ask


class JudgeNotConfigured(ModelUnusable):
    """A task's judge asks a model of a name that nothing stands for."""


@dataclass(frozen=True)
class JudgeModel:
    """A judge model. point: who it is, as checkpoints are told apart; its fingerprint is None until it was hashed."""

    name: str
    task: str
    point: Checkpoint

    def model(self, log: Callable[[str], None] = lambda line: None) -> LMM:
        """The model, not loaded."""
        point, args = self.point, dict(self.point.model_args)
        if point.has_weights:
            args = pinned(point.source, args, point.signature)
        return build_model(
            point.model, point.source, args, task=self.task, label=point.key, fingerprint=point.fingerprint or "",
            log=log,
        )  # fmt: skip

    @cached_property
    def engine(self) -> dict[str, Any]:
        return dict(self.model().engine)

    @property
    def reasoning_tags(self) -> Tags:
        return tags_of(self.point.model_args.get("reasoning_tags"))

    @property
    def prices(self) -> Prices | None:
        return Prices.of(self.point.model_args)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells its verdicts from another model's."""
        return {"name": self.name, "fingerprint": self.point.fingerprint, "engine": self.engine}

    @property
    def not_taken(self) -> frozenset[str]:
        """Generation parameters that it is not sent: Transformers cannot be held to a schema."""
        return frozenset({"response_format"} if self.point.model == "transformers" else ())

    def sent(self, ask: Ask) -> dict[str, Any]:
        """The generation parameters as this model takes them."""
        return {name: value for name, value in ask.gen_kwargs.items() if name not in self.not_taken}

    def request_key(self, ask: Ask) -> str:
        """Of one request to the judge: the conversation, what decides its answer, and which of the K samples."""
        gen = {name: value for name, value in self.sent(ask).items() if name != "seed"}
        settings = settings_key(self.engine, gen, self.point.fingerprint or "", cache_commit())
        seed = ask.gen_kwargs.get("seed")
        seen = [list(ask.messages), *([] if seed is None else [seed]), *([list(ask.pictures)] if ask.pictures else [])]
        return request_key(settings, digest(seen), ask.sample)

    def answers(self, store: Store) -> OutputsTable:
        """The table of its answers on this task, whoever was judged: equal questions are asked once."""
        return OutputsTable(store.table("judgements", self.task, self.point.fingerprint or ""))


def judge_model(store: Store, name: str, task: str, *, hashing: bool = True) -> JudgeModel:
    """The model that a name stands for. Raises JudgeNotConfigured and ModelUnusable.

    hashing: False only looks: a folder that changed since it was hashed has no fingerprint then.
    """
    entry = _entry(name)
    point = _checkpoint(name, entry)
    row = known_models(store).get(checkpoint=point.key)
    if row is not None:
        before = Checkpoint.from_record(row)
        if _decides(before) == _decides(point):
            point = replace(point, fingerprint=before.fingerprint, signature=before.signature, bytes=before.bytes)
    if point.fingerprint and not changed_since(point):
        return JudgeModel(name, task, point)
    if not hashing and point.has_weights:
        return JudgeModel(name, task, replace(point, fingerprint=None))
    found = identified(point)
    if hashing and point.has_weights:  # an endpoint's identity costs nothing to take again
        store.ensure_writable()
        known_models(store).upsert([found.record()])
    return JudgeModel(name, task, found)


def task_judge(task: TaskDef) -> Judge:
    """The judge as the task defines it."""
    return get_judge(judge_spec(task))


def cell_judge(store: Store, checkpoint: str, task: TaskDef) -> Judge:
    """The judge of a checkpoint on a task: where its judge's answers were imported, with as many runs as those."""
    judge = task_judge(task)
    if not isinstance(judge, LLMJudge):
        return judge
    runs = recorded_runs(store, task.task, checkpoint, judge.models)
    return get_judge({**judge_spec(task), "samples": runs}) if runs else judge


def judge_identity(store: Store, checkpoint: str, task: TaskDef, judge: Judge) -> list[Any]:
    """What the scores' key says of who judges; empty for a judge that asks nobody. Hashes nothing.

    Raises JudgeNotConfigured, ModelUnusable.
    """
    from eval_assets.pipeline.recorded_judgements import recorded_digest

    names = asked_models(task, judge)
    if isinstance(judge, LLMJudge) and (recorded := recorded_digest(store, task.task, checkpoint, names)):
        return [["recorded", recorded]]
    return [judge_model(store, name, task.task, hashing=False).identity for name in names]


def asked_models(task: TaskDef, judge: Judge) -> tuple[str, ...]:
    """The names of the models that judging a task asks: the judge's, or the one for lmms-eval's functions."""
    if isinstance(judge, LLMJudge):
        return judge.models
    may_ask = is_lmms_eval(task.task) and task.metadata["lmms_eval"]["asks_a_judge"]
    return (LMMS_EVAL,) if may_ask and LMMS_EVAL in load_settings().judge_models else ()


def judged_by(models: Sequence[JudgeModel], task: TaskDef) -> str:
    """Digest of a task's judge and of who judges (none: imported answers): scores are compared under one only."""
    return digest([task_judge(task).digest(), [m.identity for m in models]])


def refuse_unjudgeable(store: Store, checkpoint: str, task: TaskDef) -> None:
    """Raises ModelUnusable where this task's answers could not be judged: looked at before any cost."""
    judge = task_judge(task)
    if other := getattr(judge.params, "baseline_checkpoint", None):
        find_checkpoint(store, other)
    names = asked_models(task, judge)
    if isinstance(judge, LLMJudge) and recorded_runs(store, task.task, checkpoint, names):
        return
    for name in names:
        point = _checkpoint(name, _entry(name))
        model = build_model(point.model, point.source, dict(point.model_args), task=task.task, label=point.key)
        del model


def _entry(name: str) -> Entry:
    configured, models = load_settings().judge_models, load_models().models
    entry = configured.get(name, name)
    if isinstance(entry, Entry):
        return entry
    if entry in models:
        return models[entry]
    known = sorted({*configured, *models})
    near = get_close_matches(entry, known, n=2)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    alias = f", which judge_models gives for {name!r}," if entry != name else ""
    raise JudgeNotConfigured(
        f"the judge model {entry!r}{alias} is not configured{hint}: add it to {config_path()} as "
        f"judge_models: {{{name}: {{model: openai, source: gpt-5-mini, preset: openai}}}}, or to {models_path()} "
        "under models:"
    )


def _checkpoint(name: str, entry: Entry) -> Checkpoint:
    if check_model(entry.model) == "recorded":
        raise ModelUnusable(
            f"judge model {name!r}: recorded answers judge nobody (a judge's own are kept by `evals import-judgements`)"
        )
    if "api_key" in entry.args:
        raise ModelUnusable(f"judge model {name!r}: put the key into an environment variable, named by api_key_env")
    if "api_key_env" in entry.args:
        key_variable(entry.args["api_key_env"])
    path = Path(entry.source).expanduser()
    source = str(path.resolve()) if path.is_dir() else entry.source
    return Checkpoint(f"judge {name}", entry.model, source, entry.args)


def _decides(point: Checkpoint) -> list[Any]:
    """What an identity may depend on: a new limit or price makes no other model."""
    names = ("revision", "base", "convert", "base_url", "preset", "snapshot")
    return [point.model, point.source, {k: point.model_args[k] for k in names if k in point.model_args}]
