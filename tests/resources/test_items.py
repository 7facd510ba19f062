"""Items as a table that people query: types of columns, order, media order."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.store.items import RESERVED, ColumnTypes, ItemsTable, to_batch


def rows_of(docs: list[dict], media: list[list[str | None]] | None = None) -> list[dict]:
    return [
        {
            "item_id": str(i),
            "position": i,
            "item_hash": f"h{i}",
            "target": None,
            "cluster": None,
            "media": [{"sha": sha, "mime": "image/png", "missing": None} for sha in (media[i] if media else [])],
            "media_cluster": None,
            "doc": json.dumps(doc),
        }
        for i, doc in enumerate(docs)
    ]


def written(store, docs: list[dict], media: list[list[str | None]] | None = None) -> ItemsTable:
    types = ColumnTypes()
    for doc in docs:
        types.see(doc)
    table = ItemsTable(store.table("datasets", "t"))
    table.replace([to_batch(rows_of(docs, media), docs, types.schema())], types.schema())
    return table


@pytest.mark.parametrize(
    ("values", "kind", "stored"),
    [
        ([1, 2, None], pa.int64(), [1, 2, None]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        (["a", 1, True, 2.5], pa.string(), ["a", "1", "true", "2.5"]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([2**63, 1], pa.string(), [str(2**63), "1"]),
        ([2**60 + 1, 0.5], pa.string(), [str(2**60 + 1), "0.5"]),
        ([["a"], "b"], None, None),
        ([{"a": 1}], None, None),
        ([None, None], None, None),
    ],
)
def test_a_field_becomes_a_column_of_the_type_that_holds_all_its_values(store, values, kind, stored):
    table = written(store, [{"x": value} for value in values])
    assert ("x" in table.schema().names) == (kind is not None)
    if kind is not None:
        assert table.schema().field("x").type == kind
        assert table.table().to_table(columns=["x"])["x"].to_pylist() == stored
    docs = [json.loads(row["doc"]) for batch in table.batches(["doc"]) for row in batch]
    assert [doc["x"] for doc in docs] == values


@pytest.mark.parametrize(
    "name", ["a.b", "", " x", "größe", "select", "it's", '"q"', "item_id", "doc", "a`b", "X", "_rowid"]
)
def test_any_field_name_is_kept_if_only_in_doc(store, name):
    table = written(store, [{name: 1, "x": 2}])
    assert table.count() == 1
    assert set(RESERVED.names) <= set(table.schema().names)
    assert table.table().to_table(columns=["x"])["x"].to_pylist() == [2]
    assert json.loads(next(table.batches(["doc"]))[0]["doc"]) == {name: 1, "x": 2}


_SHAS = st.lists(st.sampled_from(["a" * 64, "b" * 64, "c" * 64, "d" * 64, None]), max_size=3)


@given(media=st.lists(_SHAS, min_size=1, max_size=30))
def test_questions_on_one_medium_follow_each_other(media, tmp_path_factory):
    from resources.store import Store

    table = written(Store(tmp_path_factory.mktemp("s")), [{"q": "x" * i} for i in range(len(media))], media)
    order = table.media_order()
    assert sorted(order) == list(range(len(media)))
    firsts = [media[i][0] if media[i] else None for i in order]
    runs = [sha for i, sha in enumerate(firsts) if i == 0 or firsts[i - 1] != sha]
    assert len(runs) == len(set(runs))


def test_without_media_the_order_is_by_length(store):
    docs = [{"q": "x" * length} for length in (9, 1, 5)]
    assert written(store, docs).media_order() == [1, 2, 0]


def test_take_gives_rows_in_the_order_that_was_asked_for(store):
    table = written(store, [{"q": str(i)} for i in range(10)])
    assert [row["item_id"] for row in table.take([7, 2, 5], ["item_id"])] == ["7", "2", "5"]


def test_items_that_are_not_there_say_what_to_do(store):
    table = ItemsTable(store.table("datasets", "absent"))
    assert (table.count(), table.schema(), table.hashes()) == (0, None, [])
    with pytest.raises(FileNotFoundError, match="materialize benchmark_dataset"):
        table.table()
