"""A data folder for a task of the catalogue, made from its rows in tests/task_defs/catalog_rows (see its README)."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

from task_defs import TaskDef, compile_task, open_source
from tests.conftest import png
from tests.videos import sound, video

ROWS = Path(__file__).parent / "task_defs" / "catalog_rows"
_MARK = re.compile(r"@(?:(base64|bytes) )?(image|video|audio)(?: (\d+))?")
_VIDEOS = {".mp4", ".avi", ".mkv", ".webm", ".mov"}
_SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".m4a"}


def beside(task: TaskDef, ending: str) -> Path | None:
    """`<task><ending>`, or `<data_folder><ending>`; None where there is neither."""
    names = [task.task, *([task.data_folder] if task.data_folder else [])]
    return next((path for name in names if (path := ROWS / f"{name}{ending}").exists()), None)


def place(task: TaskDef, root: Path) -> Path:
    """Writes the task's rows and media below `root`, which is to be in EVAL_DATA. Returns the data folder."""
    folder = root / (task.data_folder or task.task)
    if more := beside(task, ""):
        shutil.copytree(more, folder, dirs_exist_ok=True)
    if lines := beside(task, ".jsonl"):
        rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert all(set(row) == set(rows[0]) for row in rows), f"{lines.name}: rows differ in their fields"
        names = task.data_files.get(task.test_split, (f"{task.test_split}-00000-of-00001.parquet",))
        for number, name in enumerate(names):
            part = rows[: len(rows) - len(names) + 1] if number == 0 else [rows[number - len(names)]]
            _write(folder / name.replace("*", "0"), [_filled(row) for row in part])
    _make_named_media(task, root, folder)
    return folder


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows), encoding="utf-8")
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _filled(value: Any) -> Any:
    """The value with its markers replaced by media."""
    if isinstance(value, dict):
        return {key: _filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner) for inner in value]
    if not isinstance(value, str) or not (mark := _MARK.fullmatch(value)):
        return value
    data = _medium(mark[2], int(mark[3] or 1))
    if mark[1] == "base64":
        return base64.b64encode(data).decode()
    return data if mark[1] == "bytes" else {"bytes": data, "path": None}


def _medium(kind: str, number: int) -> bytes:
    if kind == "image":
        return png(number, 32)
    return video(8, salt=number) if kind == "video" else sound(0.05 + number / 100)


def _make_named_media(task: TaskDef, root: Path, folder: Path) -> None:
    """A small medium at every path that the rows name."""
    if task.docs is not None and not folder.exists():
        return
    source, functions, made = open_source(task, [root]), compile_task(task), 0
    assert source.root is not None, f"{task.task} looks for its rows elsewhere than in {folder}"
    for row in source.rows():
        assert row.doc is not None, row.error
        for value in functions.visuals(row.doc):
            name = value.get("path") if isinstance(value, dict) and not value.get("bytes") else value
            if isinstance(name, str) and not (file := folder / name).exists():
                made += 1
                kind = "video" if file.suffix in _VIDEOS else "audio" if file.suffix in _SOUNDS else "image"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(_medium(kind, 100 + made))
