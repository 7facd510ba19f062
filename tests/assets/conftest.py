"""A project in a temporary folder: a task, recorded answers, an instance, real runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from eval_assets.definitions import defs
from eval_assets.partitions import cell_partition, register_partitions
from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.ingest import ingest
from resources.store import Store
from task_defs import TaskDef, load_task

ITEMS = 40


class Project:
    """Task `colours` of 40 items in 10 clusters, in EVAL_TASK_PATH; a temporary instance."""

    def __init__(self, path: Path, instance: dg.DagsterInstance) -> None:
        self.path, self.instance, self.store = path, instance, Store(path / "home")
        rows = [{"id": str(i), "question": f"Colour {i}?", "answer": "red", "photo": i // 4} for i in range(ITEMS)]
        (path / "tasks").mkdir()
        (path / "tasks" / "test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        self.define()

    def define(self, **changes: Any) -> TaskDef:
        fields = {
            "task": "colours", "dataset_path": ".", "data_files": {"test": "test.jsonl"}, "doc_to_id": "id",
            "doc_to_text": "{{ question }}", "doc_to_target": "answer", "cluster_key": "photo", "judge": "exact",
        } | changes  # fmt: skip
        (self.path / "tasks" / "colours.yaml").write_text(yaml.safe_dump(fields))
        return load_task("colours")

    def answers(self, name: str, right: int, samples: int = 1) -> None:
        """Record a checkpoint that has the first `right` items right."""
        if not (self.path / "home" / "datasets").exists():
            ingest(load_task("colours"), self.store)
        file = self.path / f"{name}.jsonl"
        texts = [{"id": str(i), "text": "red" if i < right else "blue"} for i in range(ITEMS) for _ in range(samples)]
        file.write_text("".join(json.dumps(t) + "\n" for t in texts))
        import_answers(self.store, file, load_task("colours"), name, id_field="id", response_field="text")
        register_partitions(self.instance, [name], ["colours"])

    def run(self, job: str, partition: Any = None, **config: Any) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(f"{job}_job").execute_in_process(
            partition_key=partition, instance=self.instance, raise_on_error=False, **config
        )

    def cell(self, name: str) -> dg.ExecuteInProcessResult:
        return self.run("cell", cell_partition(name, "colours"))

    def configure(self, **settings: Any) -> None:
        (self.path / "evals.yaml").write_text(yaml.safe_dump(settings))

    def version(self, asset: str, partition: str) -> str:
        """The data version of the latest materialization of one partition, as Dagster has it."""
        event = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition]), limit=1
        ).records[0]
        return event.asset_materialization.tags["dagster/data_version"]

    def count(self, asset: str) -> int:
        return len(self.instance.fetch_materializations(dg.AssetKey(asset), limit=100).records)


def project_in(path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Project:
    for name, value in (("EVAL_HOME", "home"), ("EVAL_TASK_PATH", "tasks"), ("EVAL_CONFIG", "evals.yaml")):
        monkeypatch.setenv(name, str(path / value))
    (path / "evals.yaml").write_text("{}")
    return Project(path, instance)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        yield project_in(tmp_path, monkeypatch, instance)
