"""What makes a key another key, and what does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval_assets import versions
from eval_assets.pipeline.cell import Variant, plan_cell
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.planning import need_of
from eval_assets.pipeline.registering import identify_checkpoint, register
from eval_assets.versions import StreamDigest, digest, digest_sequence, request_key, settings_key, variant_id
from resources.models.checkpoint import Checkpoint
from task_defs import load_task

ROOT = Path(__file__).resolve().parents[2]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_matter(data, rng):
    names = list(data)
    rng.shuffle(names)
    assert digest({name: data[name] for name in names}) == digest(data)


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_a_sequence_is_told_from_every_other(a, b):
    assert (digest_sequence(a) == digest_sequence(b)) == (a == b)


def test_a_stream_digest_is_the_digest_of_its_parts():
    stream = StreamDigest()
    for part in ("a", "", "ü\ud800"):
        stream.add(part)
    assert stream.hexdigest() == digest_sequence(["a", "", "ü\ud800"])
    assert digest_sequence(["ab"]) != digest_sequence(["a", "b"]) != digest_sequence(["a", "b", ""])


def test_each_part_of_a_request_counts():
    plain = ({"name": "e"}, {"max_tokens": 8}, "fingerprint", None)
    settings = {
        settings_key(*plain),
        settings_key({"name": "e", "dtype": "bf16"}, *plain[1:]),
        settings_key(plain[0], {"max_tokens": 9}, *plain[2:]),
        settings_key(*plain[:2], "other", None),
        settings_key(*plain[:3], "commit"),
    }
    assert len(settings) == 5
    keys = {request_key(s, i, n, item) for s in ("s", "t") for i in ("i", "j") for n in (0, 1) for item in (None, "a")}
    assert len(keys) == 16


@pytest.mark.parametrize(
    ("gen", "repeats", "limit", "name"),
    [({}, None, None, ""), ({}, None, 5, "limit=5"), ({"b": 1, "a": 2}, 3, 5, "a=2,b=1,repeats=3,limit=5")],
)
def test_a_variant_is_named_by_what_it_departs_in(gen, repeats, limit, name):
    assert variant_id(gen, repeats, limit) == name


# --- of whole cells ---------------------------------------------------------------------------


def test_what_makes_another_cell(bench, folder, rows):
    task = folder.rows(rows(4)).task()
    keys = {
        "plain": bench.cell(task).key,
        "engine settings": bench.cell(task, extra={"reasoning_effort": "low"}, key="m2").key,
        "endpoint's model": bench.cell(task, snapshot="2026-01-01", key="m3").key,
        "temperature": bench.cell(folder.task(generation_kwargs={"max_tokens": 8, "temperature": 0.5})).key,
        "repeats": bench.cell(folder.task(repeats=2)).key,
        "prompt": bench.cell(folder.task(doc_to_text="Q: {{ question }}")).key,
        "limit": bench.cell(task, Variant(limit=2)).key,
        "variant repeats": bench.cell(task, Variant(repeats=3)).key,
        "variant gen": bench.cell(task, Variant(gen={"top_p": 0.9})).key,
        "rows": bench.cell(folder.rows(rows(5)).task()).key,
    }
    assert len(set(keys.values())) == len(keys)


def test_what_makes_no_other_cell(bench, folder, rows):
    task = folder.rows(rows(4, note="a")).task()
    key = bench.cell(task).key
    same = {
        "retries and concurrency": bench.cell(task, key="m2", concurrency=1, timeout=3).key,
        "judge": bench.cell(folder.task(judge={"name": "contains"})).key,
        "label rule": bench.cell(folder.task(doc_to_target="question")).key,
        "labels": bench.cell(folder.rows([{**r, "answer": "no"} for r in rows(4, note="a")]).task()).key,
        "a field nobody asks for": bench.cell(folder.rows(rows(4, note="b")).task()).key,
        "breakdown": bench.cell(folder.task(report_by=["note"])).key,
        "the repeats it has anyway": bench.cell(folder.task(), Variant(repeats=1)).key,
    }
    assert same == dict.fromkeys(same, key)


def test_a_corrected_label_judges_again_and_asks_nothing(bench, folder, rows):
    data = rows(4)
    assert [row["score"] for row in bench.scored(folder.rows(data).task())] == [1.0] * 4
    data[2]["answer"] = "no"
    before = len(bench.endpoint.seen)
    scored = bench.scored(folder.rows(data).task())
    assert [row["score"] for row in scored] == [1.0, 1.0, 0.0, 1.0]
    assert len(bench.endpoint.seen) == before


def test_another_judge_judges_again_and_asks_nothing(bench, folder, rows):
    from tests.conftest import Reply

    bench.endpoint.answer = lambda request, number: Reply(text="I say: yes")
    task = folder.rows(rows(3)).task()
    assert [row["score"] for row in bench.scored(task)] == [0.0] * 3
    assert [row["score"] for row in bench.scored(folder.task(judge={"name": "contains"}))] == [1.0] * 3
    assert len(bench.endpoint.seen) == 3


def test_an_edited_judge_function_judges_again(bench, folder, rows):
    (folder.path / "utils.py").write_text("def rule(item, text):\n    return 0.25\n")
    folder.rows(rows(2))

    def task():
        made = folder.task()
        text = made.path.read_text().replace("judge: exact", "judge: {name: function, function: !function utils.rule}")
        made.path.write_text(text)
        return load_task(made.path)

    assert [row["score"] for row in bench.scored(task())] == [0.25] * 2
    (folder.path / "utils.py").write_text("def rule(item, text):\n    return 0.75\n")
    assert [row["score"] for row in bench.scored(task())] == [0.75] * 2
    assert len(bench.endpoint.seen) == 2


def test_a_prompt_edit_asks_again_and_its_undoing_does_not(bench, folder, rows):
    task = folder.rows(rows(3)).task()
    bench.infer(task)
    assert bench.asked(folder.task(doc_to_text="Say: {{ question }}")) == [f"Say: Question {i}?" for i in range(3)]
    assert bench.asked(folder.task()) == []


# --- of checkpoints ---------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A whole checkpoint; nobody loads it."""
    folder = tmp_path / "runs" / "a" / "step-10"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    header = json.dumps({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"abcd")
    return folder


def of(store, task, key: str, folder: Path) -> tuple[str, str]:
    """(cell key, outputs table) of the checkpoint in this folder."""
    register(store, Checkpoint(key, "transformers", str(folder)))
    cell = plan_cell(store, identify_checkpoint(store, key), task)
    return cell.key, cell.outputs(store).uri


def test_a_copied_folder_has_the_same_cell_and_one_overwritten_in_place_another(store, folder, rows, weights, tmp_path):
    pytest.importorskip("transformers")
    task = folder.rows(rows(2)).task()
    ingest(task, store)
    first = of(store, task, "a.10", weights)
    copy = Path(shutil.copytree(weights, tmp_path / "runs" / "b" / "step-99"))
    (copy / "optimizer.pt").write_bytes(b"state")
    (copy / "trainer_state.json").write_text("{}")
    assert of(store, task, "b.99", copy) == first
    data = (weights / "model.safetensors").read_bytes()
    (weights / "model.safetensors").write_bytes(data[:-4] + b"abcX")
    assert need_of(store, "a.10", task).reason == "weights changed"
    second = of(store, task, "a.10", weights)
    assert second[0] != first[0]
    assert second[1] != first[1]


# --- of processes and commits -------------------------------------------------------------------

_KEYS = """
import sys
from pathlib import Path
from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.registering import identify_checkpoint
from eval_assets.pipeline.questions import questions
from eval_assets.pipeline.scoring import scores_key
from eval_assets.versions import request_key
from resources.store import Store
from task_defs import load_task
store, task = Store(sys.argv[1]), load_task(Path(sys.argv[2]))
cell = plan_cell(store, identify_checkpoint(store, "m"), task)
print(cell.key, scores_key(store, cell, "v"))
print([request_key(cell.settings, q.inputs, 0) for batch in questions(store, task) for q in batch])
"""


def test_keys_are_the_same_in_every_process(bench, folder, rows, store):
    task = folder.rows(rows(5, a=1, b=[2], c={"x": 1, "y": 2})).task(report_by=["a"])
    bench.cell(task, extra={"b": 1, "a": {"d": 2, "c": 3}})
    seen = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _KEYS, store.root, str(task.path)],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seen.add(done.stdout)
    assert len(seen) == 1
    assert bench.cell(task, extra={"b": 1, "a": {"d": 2, "c": 3}}).key in seen.pop()


_COMMIT = """
from eval_assets.versions import cache_commit, settings_key
print(settings_key({}, {}, "f", cache_commit()))
"""


def test_with_cache_by_commit_another_commit_is_another_key(tmp_path):
    """A copy of the module in a checkout of its own, where commits can be made."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    package = tmp_path / "eval_assets"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(versions.__file__, package / "versions.py")

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    def key(**environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-B", "-c", _COMMIT],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    plain = key()
    assert "no git checkout: unset it" in key(EVAL_CACHE_BY_COMMIT="1", GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    first = key(EVAL_CACHE_BY_COMMIT="1")
    assert len({plain, first}) == 2
    assert key(EVAL_CACHE_BY_COMMIT="1") == first
    (package / "versions.py").write_text((package / "versions.py").read_text() + "\n# edited\n")
    edited = key(EVAL_CACHE_BY_COMMIT="1")
    git("commit", "-qam", "two")
    second = key(EVAL_CACHE_BY_COMMIT="1")
    assert len({plain, first, edited, second}) == 4
    assert key() == plain
