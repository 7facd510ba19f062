"""`evals engines` and models.yaml from the shell."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
import yaml
from typer.testing import CliRunner

from eval_assets.cli.app import app
from resources.engines.lease import Lease
from resources.models.base import ModelUnusable
from tests.engines.conftest import until


def evals(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def held(engines):
    """An engine that somebody holds until the test lets go."""
    let_go = threading.Event()

    async def hold() -> None:
        async with Lease(engines.slot, engines.want("a", holder="cell one"), print):
            await asyncio.to_thread(let_go.wait, 60)

    def work() -> None:
        asyncio.run(hold())

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: engines.status() and engines.status()["key"])
    yield engines
    let_go.set()
    thread.join(20)


def test_list_shows_what_is_served_and_for_whom(held):
    said = json.loads(evals("engines", "list", "--json"))
    assert said["cpu"]["checkpoint"] == "a"
    assert said["cpu"]["tenants"][0]["holder"] == "cell one"
    assert "a" in evals("engines", "list")


def test_logs_are_the_engines_own_and_history_the_hosts(held):
    assert "stand-in serves a" in evals("engines", "logs", "cpu")
    assert "granted" in evals("engines", "logs", "--history")
    with pytest.raises(ModelUnusable, match="there are cpu"):
        evals("engines", "logs", "gpu-7")


def test_stop_ends_all_and_returns_when_it_has(engines):
    async def briefly() -> None:
        async with Lease(engines.slot, engines.want("a"), print):
            pass

    asyncio.run(briefly())
    assert "stopped" in evals("engines", "stop")
    until(lambda: not engines.processes("resources.engines"), 5)
    assert not engines.processes("stand_in")
    assert "nothing runs" in evals("engines", "stop", "cpu")


def test_an_entry_of_models_yaml_is_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("EVAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EVAL_MODELS", str(tmp_path / "models.yaml"))
    entries = {"gpt": {"model": "openai", "source": "gpt-x", "base_url": "http://127.0.0.1:9/v1"},
               "big": {"model": "tp2", "source": "owner/model", "dtype": "float16"}}  # fmt: skip
    file = {"models": entries, "engines": {"tp2": {"kind": "vllm", "tensor_parallel_size": 2}}}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(file))
    assert "gpt: openai gpt-x" in evals("checkpoints", "add", "gpt")
    added = json.loads(evals("checkpoints", "add", "big", "--json"))
    assert (added["model"], added["source"], json.loads(added["model_args"])) == (
        "tp2", "owner/model", {"dtype": "float16"},
    )  # fmt: skip
    entries["gpt"]["source"] = "gpt-y"
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(file))
    assert "gpt: openai gpt-y" in evals("checkpoints", "add", "gpt")
    entries["gpt"]["model"] = "tp3"
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(file))
    with pytest.raises(ModelUnusable, match="did you mean 'tp2'"):
        evals("checkpoints", "add", "gpt")
