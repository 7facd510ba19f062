"""Files that are damaged, too large, or made to do harm: each one clear line, and nothing is run or unpacked."""

from __future__ import annotations

import json
import pickle
import resource
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from eval_assets.pipeline.importers import Fields, ImportRefused, Options, open_log
from tests.pipeline.importing import LOGS

ROWS = Options(Fields("id", "text"))


def read(path: Path, options: Options = ROWS) -> list:
    return list(open_log(path, options).answers)


class Harmful:
    def __reduce__(self):
        return (Path("ran.txt").touch, ())


@pytest.mark.parametrize("name", ["model_Birds.pkl", "renamed.xlsx", "log.jsonl"])
def test_a_pickle_is_refused_by_its_content_and_never_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps([Harmful()]))
    with pytest.raises(ImportRefused, match=r"is a pickle, which could run anything: never read"):
        read(path)
    assert not (tmp_path / "ran.txt").exists()
    (tmp_path / "text.pkl").write_text('{"id": "q0", "text": "a"}\n')
    with pytest.raises(ImportRefused, match="is a pickle"):
        read(tmp_path / "text.pkl")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x1f\x8b\x08\0", "packed by gzip: unpack it first"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (b"MZ\0\0\x01", "neither text nor a format that is known: lm-eval, lmms-eval, vlmevalkit, plain, inspect"),
        (b"PK\x03\x04 cut off", "damaged or unfinished zip"),
        (b"PAR1 and no more", "damaged Parquet"),
        (b"{" * 100_000, "log: not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'[{"id": "q0", "text": "a"}, {"id": ', "not JSON"),
        (b'[{"id": "q0", "text": "a"}] and more', "Extra data"),
        (b'[\n{"id": "q0", "text": "a"}\n] and more', "expected the end at character 30, found 'a'"),
        (b'[{"id": "q0", "text": "a"}, 7]', "entry 2: expected an object, found a int"),
        (b'[{"id": "q0", "text": "caf\xe9"}]', "not UTF-8"),
        (b"id,text\nq0,a\nq1\n", "log:3: 1 cells, and the header has 2"),
        (b"id,id\nq0,a\n", "two columns are called 'id'"),
        (b"id,text\nq0,caf\xe9\n", "not UTF-8"),
    ],
)
def test_what_is_no_log_is_told_in_one_line(tmp_path, data, says):
    path = tmp_path / "log"
    path.write_bytes(data)
    with pytest.raises(ImportRefused, match=says) as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_one_line_or_value_may_not_be_larger_than_agreed(tmp_path):
    small = Options(Fields("id", "text"), part_bytes=2**20)
    for name, data in (
        ("a.jsonl", b'{"id": "q0", "text": "' + b"x" * 2**21 + b'"}\n'),
        ("b.json", b'[{"id": "q0", "text": "' + b"x" * 2**21 + b'"}]'),
        ("c.csv", b"id,text\nq0," + b"x" * 2**21 + b"\n"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImportRefused, match=r"more than 1 MiB|field larger than field limit"):
            read(tmp_path / name, small)
        assert len(read(tmp_path / name)) == 1


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


HEADER = {"header.json": json.dumps({"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}).encode()}


def test_a_zip_that_unfolds_without_end_is_refused_before_it_is_unpacked(tmp_path):
    path = archive(tmp_path / "bomb.eval", {**HEADER, "samples/a_epoch_1.json": b" " * 2**30})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImportRefused, match=r"unpacks to 1024 MiB, more than 256: raise --max-part"):
        read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17, "kB: nothing near a gigabyte"


def test_many_members_that_share_their_bytes_are_refused(tmp_path):
    """A zip whose directory names one member a thousand times: small, and huge when unpacked."""
    data = zlib.compress(b" " * 10**6, 9)[2:-4]
    crc = zlib.crc32(b" " * 10**6)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), 10**6, 11, 0) + b"header.json" + data
    entries = b""
    for number in range(1000):
        name = b"header.json" if number == 0 else b"samples/%d_epoch_1.json" % number
        sizes = (crc, len(data), 10**6, len(name), 0, 0, 0, 0, 0, 0)
        entries += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, len(entries), len(local), 0)
    path = tmp_path / "overlap.eval"
    path.write_bytes(local + entries + end)
    with pytest.raises(ImportRefused, match="its parts overlap or are too many: no honest archive"):
        read(path)


def test_a_member_never_becomes_a_file_whatever_it_is_called(tmp_path):
    sample = json.dumps({"id": "q0", "epoch": 1, "input": "?", "target": "", "output": {"choices": []}}).encode()
    names = ["samples/../../../escaped_epoch_1.json", "/samples/x_epoch_1.json", "..\\samples\\y_epoch_1.json"]
    (tmp_path / "in").mkdir()
    path = archive(tmp_path / "in" / "climbing.eval", {**HEADER, **dict.fromkeys(names, sample)})
    (answer,) = read(path)
    assert answer.error == "nothing was generated"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["climbing.eval"]


def test_a_damaged_member_is_told_and_not_guessed(tmp_path):
    path = tmp_path / "flipped.eval"
    with zipfile.ZipFile(LOGS / "inspect.eval") as whole:
        member = whole.getinfo("samples/q3_epoch_1.json")
    data = bytearray((LOGS / "inspect.eval").read_bytes())
    at = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(ImportRefused, match=r"'samples/q3_epoch_1.json' is damaged"):
        read(path)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"readme.txt": b"hello"}, "neither a log of inspect_ai nor a workbook"),
        ({"header.json": b"{}"}, "has no `eval`"),
        ({"header.json": b'{"eval": {"config": 3, "model_generate_config": 7}}'}, "not written as such logs are"),
        ({**HEADER, "samples/a_epoch_1.json": b"[]"}, "is no object"),
        ({**HEADER, "samples/a_epoch_1.json": b"{}"}, "has no id and epoch"),
        ({**HEADER, "samples/a_epoch_1.json": b'{"id": 1, "epoch": 1, "output": "x"}'}, "not written as such logs are"),
        ({**HEADER, "samples/a_epoch_1.json": b"[" * 10**5}, "is not JSON"),
    ],
)
def test_a_zip_of_the_wrong_things_is_told(tmp_path, members, says):
    with pytest.raises(ImportRefused, match=says):
        read(archive(tmp_path / "log.eval", members))


def workbook(path: Path, sheet: str, *, shared: str = "") -> Path:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="s" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{rel}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet.replace("MAIN", main),
    }
    return archive(path, {name: text.encode() for name, text in parts.items()})


CELLS = '<row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>text</t></is></c></row>'
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize("hidden", ["", f"<!--{' ' * 5000}-->"])
def test_entities_of_a_workbook_do_not_unfold(tmp_path, hidden):
    sheet = (
        f'<?xml version="1.0"?>{hidden}<!DOCTYPE x [<!ENTITY l0 "{"ha" * 50}">{LAUGHS}]>'
        '<worksheet xmlns="MAIN"><sheetData>'
        f'{CELLS}<row><c t="inlineStr"><is><t>q0</t></is></c><c t="inlineStr"><is><t>&l9;</t></is></c></row>'
        "</sheetData></worksheet>"
    )
    with pytest.raises(ImportRefused, match=r"defines entities|damaged XLSX"):
        read(workbook(tmp_path / "laughs.xlsx", sheet))


def test_a_formula_is_its_text_and_is_not_computed(tmp_path):
    sheet = (
        f'<worksheet xmlns="MAIN"><sheetData>{CELLS}<row><c t="inlineStr"><is><t>q0</t></is></c>'
        '<c><f>HYPERLINK("http://x","y")</f><v>0</v></c></row><row><c><v>7.0</v></c><c><v>3</v></c></row>'
        "</sheetData></worksheet>"
    )
    answers = read(workbook(tmp_path / "formula.xlsx", sheet))
    assert [(a.id, a.text) for a in answers] == [("q0", '=HYPERLINK("http://x","y")'), ("7", "3")]


def test_a_damaged_workbook_is_told(tmp_path):
    for name, sheet in (
        ("cut.xlsx", '<worksheet xmlns="MAIN"><sheetData><row>'),
        ("empty.xlsx", '<worksheet xmlns="MAIN"/>'),
    ):
        with pytest.raises(ImportRefused, match=r"damaged XLSX|no header"):
            read(workbook(tmp_path / name, sheet))


def test_rows_are_the_same_from_every_kind_of_table(tmp_path):
    import openpyxl
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": "q0", "text": 'a "b"\nc'}, {"id": "q1", "text": "=1+1"}, {"id": "q2", "text": "ü, ok"}]
    book = openpyxl.Workbook()
    for cells in (["id", "text"], *([row["id"], row["text"]] for row in rows)):
        book.active.append(cells)
    book.save(tmp_path / "t.xlsx")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    (tmp_path / "t.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "one.json").write_text(json.dumps(rows))
    (tmp_path / "map.json").write_text(json.dumps({row["id"]: {"text": row["text"]} for row in rows}))
    (tmp_path / "t.jsonl").write_text("\ufeff" + "".join(json.dumps(row) + "\n" for row in rows))
    quoted = ['q0,"a ""b""\nc"', "q1,=1+1", 'q2,"ü, ok"']
    (tmp_path / "t.csv").write_text("\ufeffid,text\n" + "\n".join(quoted) + "\n")
    (tmp_path / "t.tsv").write_text("id\ttext\n" + 'q0\t"a ""b""\nc"\nq1\t=1+1\nq2\tü, ok\n')
    for path in sorted(tmp_path.iterdir()):
        assert [(a.id, a.text) for a in read(path)] == [(r["id"], r["text"]) for r in rows], path.name


def test_a_long_document_is_read_value_by_value(tmp_path):
    """A megabyte of rows, over several chunks, with NaN, an escaped quote at odd places and a number at the end."""
    from eval_assets.pipeline.importers.json_stream import stream_json

    values = [{"id": i, "text": '"\\' * (i % 50), "score": float("nan") if i % 2 else 1.5} for i in range(20_000)]
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"version": 2, "samples": values, "last": 12345}))
    found = list(stream_json(path, "samples", 2**20))
    assert found[0] == ("version", 2)
    assert found[-1] == ("last", 12345)
    assert [value["text"] for key, value in found if key == "samples"] == [value["text"] for value in values]
    path.write_text("{}")
    assert list(stream_json(path, None, 100)) == []
    path.write_text("  12")
    with pytest.raises(ImportRefused, match="expected an array or an object"):
        list(stream_json(path, None, 100))


def test_memory_stays_flat_over_a_large_log(tmp_path):
    """200 MB of lines pass through one at a time."""
    path = tmp_path / "large.jsonl"
    line = json.dumps({"id": "q", "text": "x" * 100_000}) + "\n"
    with path.open("w") as file:
        for _ in range(2000):
            file.write(line)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in open_log(path, ROWS).answers) == 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_secrets_in_a_logs_settings_are_not_kept():
    from eval_assets.pipeline.importers.base import kept_settings

    kept = kept_settings(
        {"model_args": "model=m,api_key=sk-1,base_url=http://h", "api_key": "sk-2", "nested": {"HF_TOKEN": "hf_3"},
         "base_url": "https://me:sk-4@host/v1", "max_tokens": 7, "authorization": "Bearer sk-5", "none": None}
    )  # fmt: skip
    assert "sk-" not in json.dumps(kept)
    assert "hf_3" not in json.dumps(kept)
    assert kept["max_tokens"] == 7
    assert kept["base_url"] == "https://host/v1"
    assert kept["model_args"] == "model=m,api_key=(not kept),base_url=http://h"
