"""The model behind an asked judge: how it is configured, and what of it is part of the scores' version."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.judge_models import JudgeNotConfigured, judge_model
from eval_assets.pipeline.planning import need_of
from resources.models import ModelUnusable
from tests.pipeline.conftest import Judged, quiet


def test_the_judge_models_name_endpoint_and_snapshot_are_part_of_the_scores_version(judged: Judged) -> None:
    task = judged.task()
    judged.scored(task)
    assert need_of(judged.bench.store, "m", task).stage != "judge_scores"
    judged.configure(default=judged.entry(snapshot="2026-01"))
    assert need_of(judged.bench.store, "m", task).stage == "judge_scores"
    judged.configure(default=judged.entry("other-judge"))
    need = need_of(judged.bench.store, "m", task)
    assert (need.stage, need.reason) == ("judge_scores", "labels or judge changed")
    # A price or another concurrency is no other judge.
    judged.configure(default=judged.entry(concurrency=2, price_in=1, price_out=2))
    assert need_of(judged.bench.store, "m", task).stage != "judge_scores"


def test_a_judge_that_is_not_configured_is_told_before_anything_is_asked(judged: Judged) -> None:
    task = judged.task(model="gpt-judge")
    judged.configure(**{"gpt_judge": judged.entry()})
    cell = judged.bench.cell(task)
    with pytest.raises(
        JudgeNotConfigured, match=r"'gpt-judge' is not configured \(did you mean gpt_judge\?\).*judge_models"
    ):
        infer(cell, judged.bench.store, run_id="r", log=quiet)
    assert judged.endpoint.seen == []


def test_an_alias_leads_to_models_yaml(judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(yaml.safe_dump({"models": {"big": judged.entry("big-judge")}}))
    monkeypatch.setenv("EVAL_MODELS", str(models))
    judged.configure(default="big")
    judged.scored(judged.task())
    assert {seen.body["model"] for seen in judged.asked_of_judges()} == {"big-judge"}


def test_a_key_in_the_configuration_is_refused_unrepeated(judged: Judged) -> None:
    judged.configure(default={**judged.entry(), "api_key": "sk-secret"})
    with pytest.raises(ModelUnusable) as error:
        judge_model(judged.bench.store, "default", "birds")
    assert "sk-secret" not in str(error.value)


def test_cells_of_different_judges_are_not_compared(judged: Judged) -> None:
    from eval_assets.pipeline.comparing import NotComparable, compare_cells

    task = judged.task()
    judged.scored(task)
    judged.configure(default=judged.entry("another"))
    judged.bench.scored(task, key="n", extra={"a": 1})
    with pytest.raises(NotComparable, match="m and n on birds were judged by different judge models"):
        compare_cells(judged.bench.store, task, "m", "n")
    judged.scored(task)
    assert compare_cells(judged.bench.store, task, "m", "n")[0]["mean_diff"] == 0


def test_a_local_judge_is_told_by_its_folders_content_and_hashed_when_it_changes(
    judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers come from the endpoint here: what is looked at is who it is, and when that is hashed."""
    from eval_assets.pipeline import judge_models, registering
    from resources.models.openai import OpenAIModel

    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "config.json").write_text('{"a": 1}')
    monkeypatch.setattr(registering, "folder_problem", lambda folder, args: None)
    monkeypatch.setattr(
        judge_models, "build_model", lambda *args, **more: OpenAIModel("judge", **judged.endpoint.args(max_retries=0))
    )
    judged.configure(default={"model": "transformers", "source": str(folder)})
    task = judged.task()
    judged.scored(task)
    assert "response_format" not in judged.asked_of_judges()[0].body
    assert need_of(judged.bench.store, "m", task).stage != "judge_scores"
    before = len(judged.asked_of_judges())
    judged.scored(task)
    assert len(judged.asked_of_judges()) == before
    (folder / "config.json").write_text('{"a": 2}')
    need = need_of(judged.bench.store, "m", task)
    assert (need.stage, need.reason) == ("judge_scores", "labels or judge changed")
    judged.scored(task)
    assert len(judged.asked_of_judges()) == 2 * before
    assert need_of(judged.bench.store, "m", task).stage != "judge_scores"
