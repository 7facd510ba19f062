"""Data of reports as the pipeline makes it, small enough to check by eye."""

import math
from typing import Any

import pytest

RUN = "sft"


def metric(value: float, half: float = 0.02, n: int | None = 200, **more: Any) -> dict[str, Any]:
    return {
        "value": value, "se": half / 1.96, "ci_low": value - half, "ci_high": value + half, "df": 99.0,
        "n": n, "n_clusters": 100, "design_effect": 1.5, "icc": None, "effective_n": 133.3,
        "method": "mean; t interval with 99 degrees of freedom, standard error clustered (CR2, 100 clusters)",
        "note": "", "coverage": 1.0, "aggregation": "mean", "higher_is_better": True, **more,
    }  # fmt: skip


def cell_report(task: str = "maths", **more: Any) -> dict[str, Any]:
    report = {
        "checkpoint": f"{RUN}.2000", "task": task, "variant": "", "run": RUN, "step": 2000, "primary": "accuracy",
        "metric_list": [{"name": "accuracy", "aggregation": "mean"}], "metrics": {"accuracy": metric(0.5834)},
        "by": {}, "bounds": {"all_wrong": 0.571, "all_right": 0.591}, "clusters": "image_id",
        "n_items": 200, "n_samples": 400, "n_scored": 392, "coverage": 0.98, "flags": {}, "unscored": {},
        "usage": {"prompt_tokens": None, "completion_tokens": None, "median_seconds": None, "p95_seconds": None},
        "scores_version": "abc", "judge": {"name": "number"}, "gen_kwargs": {"temperature": 0.0},
        "at": "2026-01-02T03:04:05+00:00", "version": "def",
    }  # fmt: skip
    return {**report, **more}


def comparison(diff: float, p: float, task: str = "maths", b: str = f"{RUN}.0", **more: Any) -> dict[str, Any]:
    return {
        "task": task, "metric": "accuracy", "a": f"{RUN}.2000", "b": b, "mean_diff": diff, "se": 0.01,
        "ci_low": diff - 0.02, "ci_high": diff + 0.02, "t": 2.0, "df": 99.0, "p_value": p, "n": 200, "n_clusters": 100,
        "correlation": 0.6, "variance_reduction": 0.5, "p_mcnemar": math.nan, "method": "paired mean difference",
        "note": "", "only_a": 0, "only_b": 0, "higher_is_better": True, "p_adjusted": p, **more,
    }  # fmt: skip


def history() -> list[dict[str, Any]]:
    def point(step: int, value: float, vs_first: dict[str, Any] | None) -> dict[str, Any]:
        fields = {
            k: v for k, v in metric(value).items() if k in ("value", "se", "ci_low", "ci_high", "n", "n_clusters")
        }
        own = {"checkpoint": f"{RUN}.{step}", "step": step, "metric": "accuracy", "coverage": 1.0}
        return {**own, **fields, "vs_first": vs_first, "vs_previous": vs_first}

    def short(diff: float) -> dict[str, Any]:
        return {"b": f"{RUN}.0", "mean_diff": diff, "ci_low": diff - 0.02, "ci_high": diff + 0.02, "p_value": 0.01}

    return [point(0, 0.4, None), point(1000, math.nan, short(math.nan)), point(2000, 0.5834, short(0.1834))]


def checkpoint_data(**more: Any) -> dict[str, Any]:
    data = {
        "checkpoint": f"{RUN}.2000", "run": RUN, "step": 2000, "baseline": None, "previous": f"{RUN}.1000",
        "first": f"{RUN}.0", "suite": "core", "tasks": {"maths": cell_report()}, "missing": [],
        "comparisons": {"baseline": [], "previous": [], "first": [comparison(0.1834, 0.0001)]},
        "history": {"maths": history()}, "at": "2026-01-02T03:04:05+00:00",
        "provenance": {
            "git_commit": None, "versions": {"numpy": "2.1"}, "fingerprint": "f00", "model": "m", "source": "s",
        },
    }  # fmt: skip
    return {**data, **more}


def board_row(checkpoint: str, task: str, value: float, **more: Any) -> dict[str, Any]:
    fields = {
        k: v for k, v in metric(value).items() if k in ("value", "ci_low", "ci_high", "n", "n_clusters", "coverage")
    }
    own = {"checkpoint": checkpoint, "task": task, "metric": "accuracy", "run": None, "step": None}
    return {**own, **fields, "higher_is_better": True, **more}


def decision(state: str, check: str = "no_worse_than_baseline", **more: Any) -> dict[str, Any]:
    own = {"check": check, "state": state, "why": "much worse", "numbers": {}, "blocking": True, "stops": False}
    return {**own, **more}


def macro() -> dict[str, Any]:
    shared = {"over": ["maths", "birds"], "left_out": []}
    score = {**metric(0.61, n=400), "n_clusters": 150, **shared}
    against = comparison(0.05, 0.01, "macro average", "base", n=400, n_clusters=150) | shared
    del against["p_adjusted"]
    return {"score": score, "baseline": against}


class Make:
    """The builders above, since tests do not import each other."""

    metric, cell_report, comparison = staticmethod(metric), staticmethod(cell_report), staticmethod(comparison)
    decision, macro = staticmethod(decision), staticmethod(macro)
    history, checkpoint_data, board_row = staticmethod(history), staticmethod(checkpoint_data), staticmethod(board_row)


@pytest.fixture
def make() -> type[Make]:
    return Make
