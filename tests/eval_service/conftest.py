"""The service on a port of this host, over a project with a task and recorded answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import uvicorn

from eval_assets.instance import ensure_instance
from eval_assets.sensors import drain_wanted
from eval_service import EvalClient
from eval_service.app import create_app
from eval_service.queue import DagsterQueue
from eval_service.service import Service
from eval_service.settings import load_service_settings
from tests.assets.conftest import Project, project_in
from tests.assets.test_sensors import execute, tick


class Served:
    """A running service. `restart` ends it and starts another over the same store."""

    def __init__(self, made: Project) -> None:
        self.project = made
        self.start()

    def start(self) -> None:
        service = Service(load_service_settings(), DagsterQueue(self.project.instance))
        config = uvicorn.Config(create_app(service), port=0, log_level="warning", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def client(self, **options: Any) -> EvalClient:
        return EvalClient(self.url, **{"patience": 5, **options})

    def http(self, method: str, path: str, **request: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, **request)

    def drain(self, most: int = 10) -> list[str]:
        """Ticks of the sensor and the runs that it asks for, until it rests."""
        jobs = []
        for _ in range(most):
            requests = tick(self.project, drain_wanted)
            if not requests:
                return jobs
            for request in requests:
                jobs.append(f"{request.job_name}:{request.partition_key}")
                execute(self.project, request)
        raise AssertionError(f"the sensor never rests: {jobs}")


@contextlib.contextmanager
def stored_project(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """With an instance as a user has it: its runs can be terminated."""
    monkeypatch.setenv("DAGSTER_HOME", str(path / "dagster"))
    ensure_instance(path / "dagster")
    with dg.DagsterInstance.get() as instance:
        yield project_in(path, monkeypatch, instance)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with stored_project(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def served(project: Project) -> Iterator[Served]:
    project.answers("good", right=30)
    project.answers("fair", right=20)
    made = Served(project)
    yield made
    made.stop()
