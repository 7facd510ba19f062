"""One engine a slot, shared and handed on; whoever is killed, nothing is left and the next cell works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from resources.engines import host as host_module
from resources.engines.lease import Lease, ask, connect
from resources.engines.slots import Slot
from resources.engines.tenant import Tenant
from resources.models.base import ModelUnusable
from tests.engines.conftest import Engines, until


def leased(engines: Engines, *wants) -> list[str]:
    """Lease each want at once, hold each until all have asked; the order in which they were granted."""
    order, leases = [], []

    async def cell(want) -> None:
        leases.append(Lease(engines.slot, want, print))
        async with leases[-1] as lease:
            order.append(want.holder)
            assert lease.url
            # Until the host has greeted each of them.
            while len(leases) < len(wants) or not all(one.before for one in leases):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def all_of_them() -> None:
        _, writer = await connect(engines.slot)  # the host is there before the first of them asks
        writer.close()
        tasks = []
        for want in wants:
            tasks.append(asyncio.create_task(cell(want)))
            await asyncio.sleep(0)  # they ask in this order
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    return order


def test_cells_of_one_checkpoint_share_one_start(engines):
    leased(engines, *(engines.want("a", holder=str(i)) for i in range(4)))
    leased(engines, engines.want("a", holder="later"))
    assert engines.starts() == ["a"]


def test_three_tasks_on_three_checkpoints_are_three_starts(engines):
    wants = [engines.want(model, holder=f"{model}{task}") for task in range(3) for model in "abc"]
    order = leased(engines, *wants)
    assert engines.starts() == ["a", "b", "c"]
    assert [name[0] for name in order] == list("aaabbbccc")


def test_the_engine_serves_what_was_asked_for(engines):
    async def answer(model: str) -> str:
        import aiohttp

        async with Lease(engines.slot, engines.want(model), print) as lease, aiohttp.ClientSession() as session:
            body = {"messages": [{"role": "user", "content": "who?"}]}
            async with session.post(f"{lease.url}/v1/chat/completions", json=body) as reply:
                return (await reply.json())["choices"][0]["message"]["content"]

    assert asyncio.run(answer("a")) == "a: who?"
    assert asyncio.run(answer("b")) == "b: who?"


def test_an_engine_that_nobody_wants_is_stopped_and_its_host_with_it(engines):
    leased(engines, engines.want("a", idle_minutes=0.01))
    until(lambda: not engines.processes("resources.engines"))
    assert not engines.processes("stand_in")
    assert engines.events()[-1] == "host ends"


def test_an_engine_that_cannot_start_says_why_in_its_own_words(engines):
    said = "ValueError: Model architectures ['Foo'] are not supported for now."
    with pytest.raises(ModelUnusable, match="unknown architecture") as failure:
        leased(engines, engines.want("a", "--fail", said))
    assert said in str(failure.value)
    leased(engines, engines.want("b"))  # the slot is not spoiled by it


def test_a_port_that_somebody_took_meanwhile_is_another_port(engines, tmp_path):
    leased(engines, engines.want("a", "--port-taken-once", str(tmp_path / "taken")))
    assert "failed" not in engines.events()


def test_one_that_never_becomes_healthy_is_given_up(engines):
    from dataclasses import replace

    with pytest.raises(ModelUnusable, match="not healthy after"):
        leased(engines, replace(engines.want("a", "--start-seconds", "60"), start_timeout=1.0))
    assert not engines.processes("stand_in")


def hold_in_another_process(engines: Engines, model: str, seconds: float = 60) -> subprocess.Popen:
    code = f"""
        import asyncio
        from resources.engines.lease import Lease, Want
        from resources.engines.slots import Slot
        async def main():
            async with Lease(Slot(), Want(**{engines.want(model, holder="killed").__dict__!r}), print) as lease:
                print("held", flush=True)
                await asyncio.sleep({seconds})
        asyncio.run(main())
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    while "held" not in process.stdout.readline():
        assert process.poll() is None
    return process


def test_a_killed_cell_holds_nothing(engines):
    cell = hold_in_another_process(engines, "a")
    cell.kill()
    cell.wait()
    started = time.monotonic()
    leased(engines, engines.want("b"))
    assert time.monotonic() - started < host_module.SILENCE / 2  # by its connection, and not by its silence
    assert engines.starts() == ["a", "b"]


def test_a_cell_that_shows_no_life_loses_its_lease(engines, monkeypatch):
    cell = hold_in_another_process(engines, "a")
    assert engines.status()["tenants"][0]["holds"]
    host = host_module.Host(engines.folder)  # the rule itself, on a clock of its own
    host.record = lambda *a, **k: None

    class Writer:
        def close(self) -> None: ...

    tenant = Tenant({"label": "a", "holder": "x", "key": "k"}, Writer())
    host.tenants[1] = tenant
    host._drop_silent()
    assert host.tenants
    tenant.seen -= host_module.SILENCE + 1
    host._drop_silent()
    assert not host.tenants
    cell.kill()
    cell.wait()


@pytest.mark.parametrize("victim", ["stand_in", "resources.engines.keeper", "resources.engines.host"])
def test_whoever_is_killed_the_lease_comes_back(engines, victim):
    async def cell() -> tuple[str, str]:
        async with Lease(engines.slot, engines.want("a"), print) as lease:
            before = lease.url
            engines.kill(victim)
            async with asyncio.timeout(120):
                while lease.url == before:
                    await asyncio.sleep(0.1)
                    await lease.ready()
            return before, lease.url

    before, after = asyncio.run(cell())
    assert after != before
    assert engines.starts() == ["a", "a"]
    # One engine and its worker, one keeper, one host: nothing of the first engine is left.
    until(lambda: len(engines.processes("stand_in")) == 2)
    assert len(engines.processes("resources.engines.keeper")) == 1
    assert len(engines.processes("resources.engines.host")) == 1


def test_an_engine_that_dies_twice_is_given_up(engines):
    async def cell() -> None:
        async with Lease(engines.slot, engines.want("a"), print) as lease:
            for _ in range(2):
                url = lease.url
                engines.kill("stand_in")
                while lease.url == url:
                    await asyncio.sleep(0.1)
                    await lease.ready()

    with pytest.raises(ModelUnusable, match="once already"):
        asyncio.run(cell())
    assert engines.starts() == ["a", "a"]


def test_host_and_keeper_killed_at_once_leave_an_engine_that_the_next_host_ends(engines):
    leased(engines, engines.want("a"))
    engine = engines.processes("stand_in")
    # A frozen keeper cannot see its host go: as after a kill of both where the kernel's signal is lost.
    keeper = engines.processes("resources.engines.keeper")[0]
    os.kill(keeper, signal.SIGSTOP)
    engines.kill("resources.engines.host")
    time.sleep(0.3)
    assert set(engine) & set(engines.processes("stand_in"))
    leased(engines, engines.want("b"))
    assert not set(engine) & set(engines.processes())
    assert "ended an engine whose host was killed" in (engines.folder / "host.log").read_text()


def test_a_folder_too_deep_for_a_socket_is_said(engines, monkeypatch):
    monkeypatch.setenv("EVAL_ENGINES", str(engines.root / ("deep" * 30)))
    with pytest.raises(ModelUnusable, match="EVAL_ENGINES"):
        leased(engines, engines.want("a"))


def test_slots_that_share_a_gpu_take_turns(engines):
    """As engines of one GPU and of two on one machine: who is wanted waits for the other's last cell, and no longer."""
    one, two = Slot(("0",)), Slot(("0", "1"))
    waited = asyncio.Event()

    def log(line: str) -> None:
        if line == "vllm for b: waits for a GPU that the engine of slot gpu-0 holds":
            waited.set()

    async def cells() -> None:
        async with asyncio.timeout(120):
            async with Lease(one, engines.want("a", idle_minutes=60), print):
                waiting = Lease(two, engines.want("b"), log)
                task = asyncio.create_task(waiting.__aenter__())
                await waited.wait()
                assert not task.done()
            await task
            assert ask(one.folder, "status") is None
            await waiting.__aexit__()

    asyncio.run(cells())


def test_idle_seconds_are_those_in_which_a_cell_had_nothing_under_way(engines):
    leased(engines, engines.want("a"))  # so that what follows is no start

    async def cell() -> tuple[float, float]:
        begun = time.monotonic()
        async with Lease(engines.slot, engines.want("a"), print) as lease:
            await lease.begin()
            asked = time.monotonic()
            await asyncio.sleep(1.0)
            busy = time.monotonic() - asked
            await lease.end()
            await asyncio.sleep(0.5)
        return lease.counted["idle_seconds"], time.monotonic() - begun - busy

    idle, rest = asyncio.run(cell())
    assert 0.3 < idle < rest + 0.5  # the host hears of it a moment later; the busy second would show
