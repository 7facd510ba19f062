"""Small keyed tables under several writers, plain files, and the lock of a cell."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time

import pyarrow as pa
import pytest

from resources.store import Store
from resources.store.records import cells, wanted
from resources.store.tables import KeyedTable, append, compact, open_table, replace

SCHEMA = pa.schema([("name", pa.string()), ("writer", pa.int64()), ("value", pa.int64())])
SPAWN = multiprocessing.get_context("spawn")


def _write(uri: str, writer: int) -> None:
    """Ten commits: five keys that all writers write, five of this one's own."""
    table = KeyedTable(uri, SCHEMA, ["name"])
    for value in range(5):
        table.upsert([{"name": f"shared-{value}", "writer": writer, "value": value}])
        table.upsert([{"name": f"own-{writer}-{value}", "writer": writer, "value": value}])


def _run(target, *arguments) -> None:
    processes = [SPAWN.Process(target=target, args=(*arguments, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0, 0, 0, 0]


def test_four_processes_lose_nothing_and_double_nothing(tmp_path):
    uri = str(tmp_path / "keyed.lance")
    _run(_write, uri)
    rows = KeyedTable(uri, SCHEMA, ["name"]).rows()
    names = sorted(row["name"] for row in rows)
    assert names == sorted([f"shared-{v}" for v in range(5)] + [f"own-{w}-{v}" for w in range(4) for v in range(5)])
    for row in rows:
        assert row["name"].endswith(f"-{row['value']}")
        assert row["name"].startswith(("shared", f"own-{row['writer']}"))


def _append(uri: str, writer: int) -> None:
    for value in range(5):
        rows = [{"name": f"{writer}-{value}", "writer": writer, "value": value}]
        append(uri, pa.Table.from_pylist(rows, schema=SCHEMA), SCHEMA)


def test_four_processes_append_to_a_table_that_none_of_them_found(tmp_path):
    uri = str(tmp_path / "appended.lance")
    _run(_append, uri)
    names = open_table(uri).to_table()["name"].to_pylist()
    assert sorted(names) == sorted(f"{w}-{v}" for w in range(4) for v in range(5))
    compact(uri)
    assert sorted(open_table(uri).to_table()["name"].to_pylist()) == sorted(names)
    assert len(open_table(uri).get_fragments()) == 1


def _replace(uri: str, writer: int) -> None:
    rows = [{"name": f"{writer}-{value}", "writer": writer, "value": value} for value in range(100)]
    replace(uri, pa.Table.from_pylist(rows, schema=SCHEMA), SCHEMA)


def test_of_several_that_replace_a_table_one_remains_whole(tmp_path):
    uri = str(tmp_path / "replaced.lance")
    _run(_replace, uri)
    rows = open_table(uri).to_table().to_pylist()
    assert len(rows) == 100
    assert len({row["writer"] for row in rows}) == 1


def test_a_key_with_quotes_is_found_updated_and_replaced(store):
    table = KeyedTable(store.table("t"), SCHEMA, ["name"])
    table.upsert([{"name": "it's", "writer": 1, "value": 1}, {"name": "b", "writer": 1, "value": 1}])
    table.upsert([{"name": "it's", "writer": 2, "value": 2}])
    assert table.get(name="it's") == {"name": "it's", "writer": 2, "value": 2}
    assert table.get(name="x' OR '1'='1") is None
    table.upsert([{"name": "c", "writer": 1, "value": 3}], replacing="writer = 1")
    assert sorted(row["name"] for row in table.rows()) == ["c", "it's"]


def test_a_table_that_is_not_there_is_empty_and_stays_away(store):
    assert cells(store).rows() == []
    assert cells(store).get(checkpoint="a", task="b", variant="", stage="scores") is None
    wanted(store).upsert([])
    wanted(store).delete("checkpoint = 'a'")
    assert open_table(wanted(store).uri) is None


def test_files_are_published_whole_and_read_back(store, tmp_path):
    assert store.read_file("reports", "a.json") is None
    path = store.write_file(b'{"a": 1}', "reports", "openai/gpt", "a.json")
    assert path.endswith("/reports/openai_x2f_gpt/a.json")
    store.write_file(b'{"a": 2}', "reports", "openai/gpt", "a.json")
    assert store.read_json("reports", "openai/gpt", "a.json") == {"a": 2}
    files = [p.name for p in (tmp_path / "home").rglob("*") if p.is_file()]
    assert files == ["a.json"], "no temporary file stays behind"


@pytest.mark.parametrize("form", [str, "file://{}".format])
def test_the_home_is_a_path_or_a_file_uri(tmp_path, form, monkeypatch):
    home = tmp_path / "with space"
    monkeypatch.setenv("EVAL_HOME", form(home).replace(" ", "%20") if form is not str else str(home))
    store = Store()
    assert store.root == str(home)
    store.write_file(b"x", "reports", "x.txt")
    assert (home / "reports" / "x.txt").read_bytes() == b"x"


def _hold(root: str, ready, release) -> None:
    with Store(root).lock("cell"):
        ready.set()
        release.wait(60)


def test_a_lock_names_its_holder_and_a_killed_holder_frees_it(store):
    ready, release = SPAWN.Event(), SPAWN.Event()
    holder = SPAWN.Process(target=_hold, args=(store.root, ready, release))
    holder.start()
    assert ready.wait(60)
    said: list[str] = []
    taken = threading.Event()

    def take() -> None:
        with store.lock("cell", said.append):
            taken.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    while not said:
        time.sleep(0.01)
    assert said == [f"process {holder.pid}"]
    assert not taken.wait(0.2)
    holder.kill()
    holder.join(10)
    assert taken.wait(10)
    thread.join(10)
    with store.lock("another"), store.lock("third"):
        assert json.loads("1") == 1
