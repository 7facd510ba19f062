"""Rows from every kind of source, and what happens to those that cannot be read."""

from __future__ import annotations

import builtins
import datetime
import json
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from task_defs import (
    FunctionRef,
    MediaBytes,
    TaskDef,
    TaskError,
    compile_task,
    load_task,
    open_source,
    plain_doc,
    read_media,
)

from .conftest import picture


def made(**fields) -> TaskDef:
    return TaskDef(**{"task": "birds", "doc_to_text": "{{ q }}", "judge": "exact", **fields})


def rows(task, roots=()):
    return list(open_source(task, roots).rows())


def docs(task, roots=()):
    return [row.doc for row in rows(task, roots)]


def test_json_lines_that_cannot_be_read_do_not_stop_the_others(tmp_path):
    file = tmp_path / "rows.jsonl"
    lines = [b'\xef\xbb\xbf{"q": 1}', b"", b'{"q": 2', b'{"q": "\xff"}', b"[1]", b"[" * 100_000, b'{"q": 3}']
    file.write_bytes(b"\n".join(lines))
    found = rows(made(dataset_path=str(file)))
    assert [row.position for row in found] == list(range(6))
    assert [row.doc for row in found] == [{"q": 1}, None, None, None, None, {"q": 3}]
    errors = [row.error for row in found]
    assert errors[0] is None
    assert errors[1] == "rows.jsonl:3: not JSON: Expecting ',' delimiter at character 7"
    assert errors[2] == "rows.jsonl:4: not UTF-8: invalid start byte at byte 7"
    assert errors[3] == "rows.jsonl:5: expected an object, found a list"
    assert errors[4].startswith("rows.jsonl:6: not JSON that can be read: ")


def test_a_json_file_may_be_one_list(tmp_path):
    (tmp_path / "rows.json").write_text('\n [{"q": 1},\n 5, {"q": 2}]')
    (tmp_path / "lines.json").write_text('{"q": 1}\n{"q": 2}\n')
    found = rows(made(dataset_path=str(tmp_path / "rows.json")))
    assert [row.doc for row in found] == [{"q": 1}, None, {"q": 2}]
    assert found[1].error == "rows.json[1]: expected an object, found a int"
    assert len(docs(made(dataset_path=str(tmp_path / "lines.json")))) == 2


def test_json_lines_are_read_in_flat_memory(tmp_path):
    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for number in range(20_000):
            out.write(json.dumps({"q": number, "text": "x" * 1000}) + "\n")
    tracemalloc.start()
    count = sum(1 for _ in open_source(made(dataset_path=str(file)), []).rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000  # of a file of 20 MB


def test_parquet_rows_with_media_pass_through(tmp_path):
    held = [{"bytes": picture(c), "path": f"{c}.jpg"} for c in ("red", "blue", "green")]
    table = pa.table({"q": ["a", "b", "c"], "image": held, "price": [Decimal("1.10"), None, Decimal("2.00")]})
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet", row_group_size=2)
    task = made(dataset_path=str(tmp_path))
    found = docs(task)
    assert [doc["price"] for doc in found] == ["1.10", None, "2.00"]
    values = [value for doc in found for value in compile_task(task).visuals(doc)]
    media = [read_media(value, None) for value in values]
    assert [(m.data, m.name) for m in media] == [(h["bytes"], h["path"]) for h in held]


def test_text_that_is_not_utf8_in_parquet_costs_its_row_only(tmp_path):
    column = pa.array([b"good", b"\xff\xfe", b"fine"]).view(pa.string())
    pq.write_table(pa.table({"q": column}), tmp_path / "test.parquet")
    found = rows(made(dataset_path=str(tmp_path)))
    assert [row.doc for row in found] == [{"q": "good"}, None, {"q": "fine"}]
    assert found[1].error == "test.parquet: row group 0: not UTF-8: invalid start byte at byte 0"


def test_a_damaged_row_group_costs_its_rows_only(tmp_path):
    file = tmp_path / "test.parquet"
    table = pa.table({"q": [f"{n:030d}" for n in range(6)]})
    pq.write_table(table, file, row_group_size=2, compression="zstd", use_dictionary=False)
    column = pq.ParquetFile(file).metadata.row_group(1).column(0)
    content = bytearray(file.read_bytes())
    start = column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(content)
    found = rows(made(dataset_path=str(tmp_path)))
    assert [row.doc is None for row in found] == [False, False, True, True, False, False]
    assert found[2].error.startswith("test.parquet: row group 1: ")


def test_a_file_that_is_not_parquet_is_named(tmp_path):
    (tmp_path / "test.parquet").write_text("no")
    with pytest.raises(TaskError, match=r"test.parquet: not Parquet: "):
        rows(made(dataset_path=str(tmp_path)))


def test_lance_by_batches(tmp_path):
    lance = pytest.importorskip("lance")
    table = pa.table({"q": [str(n) for n in range(100)], "image": [picture()] * 100})
    lance.write_dataset(table, str(tmp_path / "rows.lance"))
    task = made(dataset_path="rows.lance")
    object.__setattr__(task, "_path", tmp_path / "birds.yaml")
    found = docs(task)
    assert [doc["q"] for doc in found] == [str(n) for n in range(100)]
    assert compile_task(task).visuals(found[5]) == [picture()]


def test_lance_blob_columns_come_as_bytes(tmp_path):
    lance = pytest.importorskip("lance")
    schema = pa.schema(
        [("q", pa.string()), pa.field("image", pa.large_binary(), metadata={"lance-encoding:blob": "true"})]
    )
    table = pa.table({"q": ["a", "b"], "image": [picture("red"), picture("blue")]}, schema=schema)
    lance.write_dataset(table, str(tmp_path / "test.lance"))
    assert [doc["image"] for doc in docs(made(dataset_path=str(tmp_path)))] == [
        picture("red"),
        picture("blue"),
    ]


def test_an_image_folder_and_image_columns_through_datasets_keep_their_bytes(tmp_path):
    datasets = pytest.importorskip("datasets")
    pictures = [picture("red"), picture("blue")]
    folder = tmp_path / "folder" / "test"
    folder.mkdir(parents=True)
    for number, content in enumerate(pictures):
        (folder / f"{number}.jpg").write_bytes(content)
    (folder / "metadata.jsonl").write_text("".join(f'{{"file_name": "{n}.jpg", "q": "{n}"}}\n' for n in range(2)))
    features = datasets.Features({"q": datasets.Value("string"), "image": datasets.Image()})
    held = [{"bytes": content, "path": None} for content in pictures]
    (tmp_path / "columns").mkdir()
    datasets.Dataset.from_dict({"q": ["0", "1"], "image": held}, features=features).to_parquet(
        str(tmp_path / "columns/test.parquet")
    )
    for name, source in (("folder", "auto"), ("columns", "huggingface"), ("columns", "auto")):
        task = made(dataset_path=str(tmp_path / name), source=source)
        opened = open_source(task, [])
        found = [row.doc for row in opened.rows()]
        assert [doc["q"] for doc in found] == ["0", "1"]
        values = [value for doc in found for value in compile_task(task).visuals(doc)]
        assert [read_media(value, opened.root).data for value in values] == pictures
        if name == "folder":  # nothing of where the folder lies is in the rows
            assert [value["path"] for value in values] == ["test/0.jpg", "test/1.jpg"]


def test_the_hub_out_of_reach_says_how_to_get_the_data(monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    task = made(dataset_path="nobody/birds", dataset_revision="abc")
    source = open_source(task, ["/nowhere/data"])
    assert (source.origin, source.revision()) == ("nobody/birds", None)
    with pytest.raises(TaskError) as caught:
        list(source.rows())
    said = str(caught.value).splitlines()
    assert "on this machine (/nowhere/data/birds: not there)" in said[1]
    assert said[3] == "  hf download nobody/birds --repo-type dataset --revision abc --local-dir $EVAL_DATA/birds"


def test_the_commit_that_is_read_is_the_one_that_is_told(monkeypatch):
    """There is no hub here: a branch that moves between two questions stands in for it."""
    datasets, hub = pytest.importorskip("datasets"), pytest.importorskip("huggingface_hub")
    asked, read = [], []

    def dataset_info(self, path, revision, timeout):
        asked.append((path, revision))
        return type("Info", (), {"sha": f"{len(asked):040x}"})

    class Rows(list):
        def decode(self, on):
            return self

    monkeypatch.setattr(hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: read.append(k["revision"]) or Rows([{"q": "x"}]))
    for revision, commit in ((None, f"{1:040x}"), ("video", f"{2:040x}"), ("a" * 40, "a" * 40)):
        source = open_source(made(dataset_path="nobody/birds", dataset_revision=revision), [])
        assert [row.doc for row in source.rows()] == [{"q": "x"}]
        assert source.revision() == read[-1] == commit
    assert asked == [("nobody/birds", None), ("nobody/birds", "video")], "a commit is not asked for"


@pytest.mark.parametrize(("commits", "told"), [("aa", "a" * 40), ("ab", None), ("", None)])
def test_the_commit_of_a_download_is_what_hf_download_noted(write, tmp_path, commits, told):
    write("birds/data/rows.jsonl", '{"q": "x"}')
    for number, commit in enumerate(commits):
        write(f"birds/.cache/huggingface/download/data/{number}.metadata", f"{commit * 40}\netag\n1.5\n")
    assert (
        open_source(made(dataset_path=str(tmp_path / "birds"), data_files={"test": "data/*.jsonl"}), []).revision()
        == told
    )


def test_without_the_datasets_package_the_command_is_told(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "datasets":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TaskError, match=r"pip install 'eval-assets\[huggingface\]'"):
        rows(made(dataset_path="nobody/birds"))


def test_eval_data_is_looked_in_first_then_the_local_path(write, tmp_path, monkeypatch):
    for place in ("second/birds", "third/birds", "here"):
        write(f"{place}/rows.jsonl", f'{{"q": "{place}"}}\n')
    path = write(
        "birds.yaml",
        "task: birds\ndataset_path: here\ndata_files: {test: rows.jsonl}\ndoc_to_text: q\njudge: exact\n",
    )
    task = load_task(path)
    assert docs(task) == [{"q": "here"}]
    monkeypatch.setenv("EVAL_DATA", f"{tmp_path}/first:{tmp_path}/second:{tmp_path}/third")
    found = open_source(task)
    assert [row.doc for row in found.rows()] == [{"q": "second/birds"}]
    assert found.root == tmp_path / "second/birds"
    assert [row.doc for row in open_source(task, [tmp_path / "third"]).rows()] == [{"q": "third/birds"}]


def test_several_files_and_patterns_in_order(write, tmp_path):
    for number in (2, 1, 3):
        write(f"birds/part-{number}.jsonl", f'{{"q": {number}}}\n')
    files = ["part-3.jsonl", "part-[12].jsonl"]
    found = rows(made(data_files={"test": files}), [tmp_path])
    assert [(row.position, row.doc["q"]) for row in found] == [(0, 3), (1, 1), (2, 2)]


def test_data_that_are_nowhere_are_told_with_all_places(write, tmp_path):
    write("root/birds/other.jsonl", "{}")
    path = write("birds.yaml", "task: birds\ndata_files: {test: rows.jsonl}\ndoc_to_text: q\njudge: exact\n")
    with pytest.raises(TaskError) as caught:
        open_source(load_task(path), [tmp_path / "no", tmp_path / "root"])
    assert str(caught.value) == (
        f"{path}:2: dataset_path: task birds: no data found. Looked at {tmp_path}/no/birds: not there; "
        f"{tmp_path}/root/birds/rows.jsonl: not there. "
        "Put rows.jsonl into a folder 'birds' of one that EVAL_DATA names"
    )


def test_a_data_file_that_links_outside_is_refused(write, tmp_path):
    secret = write("secret.jsonl", "{}")
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds/rows.jsonl").symlink_to(secret)
    with pytest.raises(TaskError, match="leads outside"):
        open_source(made(data_files={"test": "rows.jsonl"}), [tmp_path])


def test_rows_from_a_function_are_made_json_able(write, tmp_path):
    file = write(
        "utils.py",
        """
        import datetime, decimal, numpy as np

        def docs(root, task):
            yield {
                "q": np.str_("a"), "n": np.int64(3), "x": np.float32(0.5), "nan": float("nan"),
                "inf": float("-inf"), "list": np.arange(3), "day": datetime.date(2024, 5, 1),
                "price": decimal.Decimal("1.10"), "pair": (1, 2), 5: {"b": b"raw"},
            }
            yield {"q": object()}
            yield "no mapping"
            yield {"q": root.name, "task": task.task}
        """,
    )
    found = rows(made(source="function", docs=FunctionRef(name="utils.docs", file=file)), [])
    assert found[0].doc == {
        "q": "a", "n": 3, "x": 0.5, "nan": None, "inf": "-inf", "list": [0, 1, 2], "day": "2024-05-01",
        "price": "1.10", "pair": [1, 2], "5": {"b": b"raw"},
    }  # fmt: skip
    assert type(found[0].doc["n"]) is int
    assert found[1].error == "row 1: field q: a builtins.object cannot be kept as JSON"
    assert found[2].error == "row 2: expected a mapping of fields, found a str"
    assert found[3].doc["task"] == "birds"


def test_a_row_is_stored_with_its_bytes_by_hash():
    stored = plain_doc({"q": "a", "image": {"bytes": b"abc", "path": "x"}, "t": datetime.time(1), "a": np.ones(1)})
    assert stored["image"]["bytes"]["size"] == 3
    assert stored["image"]["bytes"]["sha256"].startswith("ba7816bf")
    assert json.loads(json.dumps(stored)) == stored


def test_process_docs_gets_rows_root_and_task_and_unreadable_rows_keep_their_place(write, tmp_path):
    file = write(
        "utils.py",
        """
        def odd(docs, root, task):
            for doc in docs:
                if doc["q"] % 2:
                    yield {**doc, "from": root.name, "task": task.task}
        """,
    )
    write("birds/rows.jsonl", '{"q": 1}\n{"q": 2}\nbroken\n{"q": 3}\nbroken too\n')
    ref = FunctionRef(name="utils.odd", file=file)
    found = rows(made(data_files={"test": "rows.jsonl"}, process_docs=ref), [tmp_path])
    assert [row.position for row in found] == [0, 1, 2, 3]
    assert [row.doc and row.doc["q"] for row in found] == [1, None, 3, None]
    assert found[0].doc == {"q": 1, "from": "birds", "task": "birds"}
    assert found[1].error.startswith("rows.jsonl:3: ")
    assert found[3].error.startswith("rows.jsonl:5: ")


def test_a_function_that_fails_is_named_with_its_line(write, tmp_path):
    write("utils.py", "def f(docs, root, task):\n    for doc in docs:\n        yield {'q': doc['nothing']}\n")
    write("rows.jsonl", '{"q": 1}\n')
    path = write(
        "birds.yaml",
        "task: birds\ndataset_path: rows.jsonl\ndoc_to_text: q\njudge: exact\nprocess_docs: utils.f\n",
    )
    with pytest.raises(TaskError) as caught:
        docs(load_task(path))
    assert str(caught.value) == f"{path}:5: process_docs: task birds: KeyError: 'nothing'"


def test_rows_can_be_read_again(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": 1}\n')
    source = open_source(made(dataset_path=str(tmp_path / "rows.jsonl")), [])
    assert list(source.rows()) == list(source.rows())
    assert isinstance(read_media(picture(), source.root), MediaBytes)


def test_a_task_says_how_to_get_its_data_where_they_are_not(tmp_path):
    how = {"get_data": "hf download nobody/birds\nthen unzip it\n"}
    task = made(dataset_path="nobody/birds", source="parquet", metadata=how)
    words = "'birds' of one that EVAL_DATA names. To get the data:\n  hf download nobody/birds\n  then unzip it"
    with pytest.raises(TaskError) as caught:
        rows(task, [tmp_path])
    assert str(caught.value).endswith(words)
