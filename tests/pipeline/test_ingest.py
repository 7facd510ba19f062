"""From rows to stored items: once, in order, each medium as it came, a bad row alone."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from eval_assets.pipeline.ingest import DuplicateIds, ingest, items_of, media_of
from eval_assets.pipeline.questions import dataset_record
from resources.store import Store
from resources.store.tables import open_table
from task_defs import TaskError
from tests.conftest import TaskFolder


def rows(count: int, **more) -> list[dict]:
    return [{"id": f"q{i}", "question": f"Question {i}?", "answer": str(i), **more} for i in range(count)]


def stored(store, task) -> list[dict]:
    columns = ["item_id", "position", "item_hash", "target", "cluster", "media", "media_cluster", "doc"]
    return [row for batch in items_of(store, task).batches(columns) for row in batch]


def version_of(store, task) -> int:
    return open_table(items_of(store, task).uri).version


def test_rows_become_items_in_their_order(store, folder):
    task = folder.rows(rows(3, kind="owl")).task()
    done = ingest(task, store)
    assert (done.items, done.change, done.missing_media, done.quarantined) == (3, "replaced", 0, [])
    found = stored(store, task)
    assert [(r["item_id"], r["position"], json.loads(r["target"])) for r in found] == [
        ("q0", 0, "0"), ("q1", 1, "1"), ("q2", 2, "2"),
    ]  # fmt: skip
    assert json.loads(found[1]["doc"]) == {"id": "q1", "question": "Question 1?", "answer": "1", "kind": "owl"}


def test_the_same_rows_again_write_nothing(store, folder):
    task = folder.rows(rows(5)).task()
    first = ingest(task, store)
    before = version_of(store, task)
    again = ingest(task, store)
    assert (again.change, again.version) == ("unchanged", first.version)
    assert version_of(store, task) == before
    other = ingest(task, Store(Path(store.root).parent / "other"))
    assert other.version == first.version, "the version is of the content, not of the store"


def test_rows_added_at_the_end_are_appended(store, folder):
    task = folder.rows(rows(5)).task()
    first = ingest(task, store)
    old = {f.fragment_id for f in open_table(items_of(store, task).uri).get_fragments()}
    done = ingest(folder.rows(rows(8)).task(), store)
    assert done.change == "appended"
    assert done.version != first.version
    fragments = open_table(items_of(store, task).uri).get_fragments()
    new = [f for f in fragments if f.fragment_id not in old]
    assert {f.fragment_id for f in fragments} > old
    assert sum(f.count_rows() for f in new) == 3
    assert [r["position"] for r in stored(store, task)] == list(range(8))


def test_a_changed_row_replaces_and_its_version_differs(store, folder):
    task = folder.rows(rows(5)).task()
    first = ingest(task, store)
    changed = rows(5)
    changed[2]["question"] = "Another?"
    done = ingest(folder.rows(changed).task(), store)
    assert done.change == "replaced"
    assert done.version != first.version
    assert json.loads(stored(store, task)[2]["doc"])["question"] == "Another?"
    assert ingest(folder.rows(rows(5)).task(), store).version == first.version


@pytest.mark.parametrize("change", ["removed", "reordered", "inserted", "new field"])
def test_other_changes_replace_too(store, folder, change):
    ingest(folder.rows(rows(5)).task(), store)
    changed = {
        "removed": rows(4),
        "reordered": rows(5)[::-1],
        "inserted": [{"id": "new", "question": "?", "answer": "x"}, *rows(5)],
        "new field": [*rows(5), {"id": "q9", "question": "?", "answer": "x", "level": 3}],
    }[change]
    task = folder.rows(changed).task()
    assert ingest(task, store).change == "replaced"
    assert [r["item_id"] for r in stored(store, task)] == [row["id"] for row in changed]


def test_lost_items_are_ingested_again_though_the_record_says_complete(store, folder):
    import shutil

    task = folder.rows(rows(5)).task()
    ingest(task, store)
    shutil.rmtree(items_of(store, task).uri)
    assert ingest(task, store).change == "replaced"
    assert len(stored(store, task)) == 5


def test_an_id_that_two_rows_have_is_refused_with_both(store, folder):
    double = rows(5)
    double[4]["id"] = "q1"
    with pytest.raises(DuplicateIds, match=r"rows 1 and 4 .*'q1'.*doc_to_id"):
        ingest(folder.rows(double).task(), store)
    assert items_of(store, folder.task()).count() == 0


def test_an_unreadable_row_is_set_aside_and_the_rest_is_kept(store, folder):
    folder.rows(rows(3))
    with (folder.path / "test.jsonl").open("a") as file:
        file.write('{"id": "q3", "question": \n')
        file.write(json.dumps({"question": "no id"}) + "\n")
        file.write(json.dumps({"id": "q5", "question": "?", "answer": "5"}) + "\n")
    task = folder.task()
    done = ingest(task, store)
    assert [r["item_id"] for r in stored(store, task)] == ["q0", "q1", "q2", "q5"]
    assert [entry["position"] for entry in done.quarantined] == [3, 4]
    assert "test.jsonl:4: not JSON" in done.quarantined[0]["reason"]
    assert "no field 'id'" in done.quarantined[1]["reason"]
    assert json.loads(dataset_record(store, task)["quarantined"]) == done.quarantined


@pytest.mark.parametrize("value", ["\ud800", "\x00", 10**400, 1e308, [[[]]], {"a": {"b": None}}, "", None, True])
def test_no_value_of_json_stops_an_ingestion(store, folder, value):
    task = folder.rows([*rows(2), {"id": "odd", "question": "?", "answer": "x", "field": value}]).task()
    done = ingest(task, store)
    assert done.items + len(done.quarantined) == 3
    assert done.items >= 2
    assert [r["item_id"] for r in stored(store, task)][:2] == ["q0", "q1"]


def test_a_medium_that_cannot_be_had_keeps_its_item_with_the_reason(store, folder, png):
    (folder.path / "empty.png").touch()
    (folder.path / "cut.png").write_bytes(png(1)[:-20])
    (folder.path / "text.png").write_text("this is no picture")
    names = [folder.picture("good.png", 1), "absent.png", "empty.png", "cut.png", "text.png", "../../etc/passwd", None]
    data = [{**row, "image": name} for row, name in zip(rows(7), names, strict=True)]
    task = folder.rows(data).task(doc_to_visual="image")
    done = ingest(task, store)
    assert (done.items, done.missing_media, done.media) == (7, 5, 1)
    media = [row["media"] for row in stored(store, task)]
    assert media[0] == [{"sha": hashlib.sha256(png(1)).hexdigest(), "mime": "image/png", "missing": None}]
    reasons = [entry[0]["missing"] for entry in media[1:6]]
    for reason, word in zip(reasons, ["not found", "0 bytes", "damaged", "not a known", "outside"], strict=True):
        assert word in reason
    assert media[6] == []
    assert media_of(store, task).read([media[0][0]["sha"]]) == {media[0][0]["sha"]: png(1)}


def test_a_picture_that_arrives_later_makes_another_version(store, folder):
    task = folder.rows([{**rows(1)[0], "image": "a.png"}]).task(doc_to_visual="image")
    first = ingest(task, store)
    folder.picture("a.png", 1)
    second = ingest(task, store)
    assert (first.missing_media, second.missing_media) == (1, 0)
    assert second.version != first.version
    folder.picture("a.png", 2)
    third = ingest(task, store)
    assert third.version not in {first.version, second.version}
    assert third.new_media_bytes == len((folder.path / "a.png").read_bytes())


def test_each_picture_is_stored_once_however_many_rows_and_names_it_has(store, folder):
    data = [{**row, "image": folder.picture(f"{i}.png", i % 3)} for i, row in enumerate(rows(30))]
    task = folder.rows(data).task(doc_to_visual="image")
    assert ingest(task, store).media == 3
    assert open_table(media_of(store, task).uri).count_rows() == 3


def test_a_new_item_that_joins_two_clusters_renames_the_old_ones(store, folder):
    a, b, c = (folder.picture(f"{n}.png", n) for n in range(3))
    data = [{**row, "image": name} for row, name in zip(rows(3), ([a], [b], [c]), strict=True)]
    task = folder.rows(data).task(doc_to_visual="image")
    ingest(task, store)
    before = [row["cluster"] for row in stored(store, task)]
    assert len(set(before)) == 3
    data.append({"id": "bridge", "question": "?", "answer": "x", "image": [a, c]})
    done = ingest(folder.rows(data).task(doc_to_visual="image"), store)
    assert done.change == "replaced"
    after = [row["cluster"] for row in stored(store, task)]
    assert after[0] == after[2] == after[3] != after[1]
    data.append({"id": "on its own", "question": "?", "answer": "x", "image": [b]})
    assert ingest(folder.rows(data).task(doc_to_visual="image"), store).change == "appended"


def test_a_cluster_key_goes_before_shared_media(store, folder):
    picture = folder.picture("a.png", 1)
    data = [{**row, "image": picture, "scene": f"s{i % 2}"} for i, row in enumerate(rows(4))]
    task = folder.rows(data).task(doc_to_visual="image", cluster_key="scene")
    ingest(task, store)
    assert [row["cluster"] for row in stored(store, task)] == ["s0", "s1", "s0", "s1"]


def test_items_are_queried_with_lancedb_and_read_as_parquet(store, folder):
    import lancedb
    import pyarrow.parquet as pq

    data = [{**row, "split": ("test", "dev")[i % 2], "duration_sec": 30.5 * i} for i, row in enumerate(rows(10))]
    task = folder.rows(data).task()
    ingest(task, store)
    table = lancedb.connect(f"{store.root}/datasets").open_table("birds")
    found = table.search().where("split = 'test' AND duration_sec > 60").select(["item_id", "duration_sec"]).limit(2)
    assert found.to_arrow().to_pylist() == [
        {"item_id": "q2", "duration_sec": 61.0},
        {"item_id": "q4", "duration_sec": 122.0},
    ]
    file = f"{store.root}/datasets/birds.parquet"
    columns = pq.read_table(file, columns=["item_id", "split"])
    assert columns.column_names == ["item_id", "split"]
    assert columns["item_id"].to_pylist() == [row["id"] for row in data]
    folder.rows([*data, {"id": "new", "question": "?", "answer": "x", "split": "dev", "duration_sec": 1.0}])
    ingest(folder.task(), store)
    assert pq.read_table(file, columns=["item_id"]).num_rows == 11


def test_data_are_found_where_eval_data_says(store, folder, tmp_path, monkeypatch):
    task = folder.task(dataset_path="nowhere", data_folder="birds-data", source="jsonl")
    with pytest.raises(TaskError, match=r"birds-data.*EVAL_DATA"):
        ingest(task, store)
    place = TaskFolder(tmp_path / "data" / "birds-data").rows(rows(2))
    monkeypatch.setenv("EVAL_DATA", f"{tmp_path / 'absent'}:{tmp_path / 'data'}")
    assert ingest(task, store).items == 2
    assert place.path.is_dir()


def test_several_that_ingest_a_grown_source_at_once_double_nothing(store, folder):
    picture = folder.picture("a.png", 1)
    ingest(folder.rows(rows(100, image=picture)).task(doc_to_visual="image"), store)
    grown = folder.rows(rows(200, image=picture)).task(doc_to_visual="image")
    together = threading.Barrier(4)

    def run(_: int) -> str:
        together.wait(10)
        return ingest(grown, Store(store.root)).change

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == ["appended", "unchanged", "unchanged", "unchanged"]
    assert [r["item_id"] for r in stored(store, grown)] == [f"q{i}" for i in range(200)]
    assert media_of(store, grown).totals()[0] == 1


def test_memory_stays_flat_over_many_rows(store, folder):
    """Of 10 000 rows of 4 KB, 40 MB of text, a few batches may be held at any time."""
    rng = random.Random(4)
    task = folder.rows([{**row, "text": rng.randbytes(2000).hex()} for row in rows(10_000)]).task()
    arrow = pa.default_memory_pool()
    before, _ = arrow.bytes_allocated(), tracemalloc.start()
    try:
        assert ingest(task, store).items == 10_000
        python = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert python < 15e6
    assert arrow.bytes_allocated() - before < 10e6
