"""A store that cannot be written: said clearly, nothing stored is lost, the next run completes."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval_assets.pipeline.cell import plan_cell
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest, items_of
from eval_assets.pipeline.registering import identify_checkpoint, register
from resources.models.checkpoint import Checkpoint
from resources.store import Store, StoreUnwritable
from resources.store.media import MediaTable, MediaWriter
from resources.store.records import wanted
from tests.conftest import Reply

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Use up the disk but for `leave` bytes; whoever writes at the same time may take a part of what was free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        left = max(0, free - leave)
        while left > 0:
            left -= filler.write(bytes(min(left, 100_000)))
    return disk / "filler"


def rows(count: int) -> list[dict]:
    return [{"id": f"q{i}", "question": f"Question {i}?", "answer": "yes"} for i in range(count)]


def test_a_home_that_is_no_folder_is_told_before_any_work(tmp_path, folder):
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreUnwritable, match=r"EVAL_HOME.*folder"):
            ingest(folder.rows(rows(1)).task(), Store(home))


def test_a_home_without_permission_says_what_to_set(tmp_path, folder, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreUnwritable, match=r"Read-only.*set EVAL_HOME"):
        ingest(folder.rows(rows(1)).task(), Store(small_disk / "home"))
    with pytest.raises(StoreUnwritable, match="set EVAL_HOME"):
        Store(small_disk / "home").write_file(b"x", "reports", "x.json")


def test_a_full_disk_while_a_report_is_written_leaves_the_old_one(small_disk):
    store = Store(small_disk / "home")
    store.write_file(b"old", "reports", "a.json")
    filler = fill(small_disk, 10_000)
    with pytest.raises(StoreUnwritable, match=r"No space left.*free some space"):
        store.write_file(bytes(1_000_000), "reports", "a.json")
    assert store.read_file("reports", "a.json") == b"old"
    assert [p.name for p in (small_disk / "home" / "reports").iterdir()] == ["a.json"]
    filler.unlink()
    store.write_file(b"new", "reports", "a.json")
    assert store.read_file("reports", "a.json") == b"new"


def test_a_full_disk_while_items_are_stored(small_disk, folder):
    store = Store(small_disk / "home")
    ingest(folder.rows(rows(10)).task(), store)
    filler = fill(small_disk, 100_000)
    big = [{**row, "text": os.urandom(2000).hex()} for row in rows(500)]
    task = folder.rows(big).task()
    with pytest.raises(StoreUnwritable, match=r"datasets.*No space left.*free some space"):
        ingest(task, store)
    assert items_of(store, task).count() == 10
    filler.unlink()
    assert ingest(task, store).change == "replaced"
    assert items_of(store, task).count() == 500


def test_a_full_disk_while_media_are_stored(small_disk):
    table = MediaTable(str(small_disk / "home" / "media" / "m.lance"))
    with MediaWriter(table) as writer:
        first = writer.add(b"a" * 1000, "image/png")
    fill(small_disk, 50_000)
    writer = MediaWriter(MediaTable(table.uri))
    writer.add(os.urandom(500_000), "image/png")
    with pytest.raises(StoreUnwritable, match="free some space"):
        writer.flush()
    assert MediaTable(table.uri).read([first]) == {first: b"a" * 1000}


def test_a_full_disk_while_a_record_is_written(small_disk):
    store = Store(small_disk / "home")
    wish = {"checkpoint": "a", "task": "t", "who": "me", "priority": 0, "state": "wanted", "reason": "", "at": None,
            "variant": ""}  # fmt: skip
    wanted(store).upsert([wish])
    fill(small_disk, 0)
    with pytest.raises(StoreUnwritable, match="free some space"):
        wanted(store).upsert([{**wish, "checkpoint": f"b{i}", "reason": "x" * 1000} for i in range(100)])
    assert [row["checkpoint"] for row in wanted(store).rows()] == ["a"]


def test_a_full_disk_while_a_model_answers(small_disk, folder, endpoint):
    """What was answered before stays, the error says what to do, and the next run asks only the rest."""
    store = Store(small_disk / "home")
    task = folder.rows(rows(300)).task()
    ingest(task, store)
    register(store, Checkpoint("m", "openai", "m", endpoint.args(concurrency=4)))
    cell = plan_cell(store, identify_checkpoint(store, "m"), task)

    def full_after_some(request, number):
        full = (small_disk / "filler").exists()
        if number % 20 == 0 and not full and cell.outputs(store).count():  # some rows, however fast this machine is
            fill(small_disk, 0)
        return Reply(text="x" * 3000, delay=0.01)

    endpoint.answer = full_after_some
    with pytest.raises(StoreUnwritable, match=r"answers could not be stored.*No space left.*run again"):
        infer(cell, store, run_id="r", log=print)
    kept = cell.outputs(store).count()
    assert 0 < kept < 300
    (small_disk / "filler").unlink()
    endpoint.seen.clear()
    endpoint.answer = lambda request, number: Reply(text="yes")
    infer(cell, store, run_id="r", log=print)
    assert len(endpoint.seen) == 300 - kept
    assert len({(i, s) for i, s, _, _ in list(cell.outputs(store).identities())}) == cell.outputs(store).count() == 300


_LIMITED = """
import resource, sys
from pathlib import Path
from resources.store import Store, StoreUnwritable
from eval_assets.pipeline.ingest import ingest
from task_defs import load_task
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    ingest(load_task(Path(sys.argv[1])), Store(sys.argv[2]))
except StoreUnwritable as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_told(store, folder):
    ingest(folder.rows(rows(10)).task(), store)
    task = folder.rows([{**row, "text": "é" + os.urandom(5000).hex()} for row in rows(100)]).task()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(task.path), store.root],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert os.strerror(errno.EFBIG) in done.stdout
    assert items_of(store, task).count() in {10, 100}, "the old items or the new ones, whole"
    assert ingest(task, store).items == items_of(store, task).count() == 100
