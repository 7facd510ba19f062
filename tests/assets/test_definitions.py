"""The code location as Dagster's tools see it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

from eval_assets.definitions import defs

ROOT = Path(__file__).resolve().parents[2]


def test_workspace_and_dg_name_the_same_module():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["load_from"][0]["python_module"] == project["code_location_target_module"]
    assert project["code_location_target_module"].startswith(project["root_module"] + ".")


def test_definitions_load_and_form_the_chain():
    graph = defs.resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    parents = {k.to_user_string(): {p.to_user_string() for p in graph.get(k).parent_keys} for k in keys}
    assert parents["model_outputs"] == {"checkpoint", "benchmark_dataset"}
    assert parents["judge_scores"] == {"model_outputs"}
    assert parents["statistical_report"] == parents["comparison"] == {"judge_scores"}
    assert parents["checkpoint_report"] == {"statistical_report", "comparison"}
    defs.get_repository_def().load_all_definitions()


def test_importing_the_definitions_stays_light():
    """Heavy packages at module level would be paid by every run of every cell."""
    import subprocess
    import sys

    code = "import sys, eval_assets.definitions; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "openai", "statsmodels", "lancedb", "duckdb", "datasets", "scipy.stats", "PIL"}
    assert not heavy & set(loaded.stdout.split())
