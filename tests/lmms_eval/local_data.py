"""Small local copies of three benchmarks' schemas, in the layout that the hub's downloads have."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def picture(number: int, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (48, 48), (40 * number % 256, 90, 200 - 20 * number % 200))
    ImageDraw.Draw(image).ellipse((8, 8, 20 + 2 * number, 40), fill=(250, 240, 20))
    file = io.BytesIO()
    image.convert(mode).save(file, kind)
    return file.getvalue()


def write(rows: list[dict[str, Any]], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=4)


def mmmu(root: Path, n: int = 8) -> Path:
    """`lmms-lab-encoder/MMMU`: picture multiple choice and, every fourth, an open question."""
    rows = []
    for i in range(n):
        open_ended = i % 4 == 3
        row: dict[str, Any] = {
            "id": f"validation_{('Art', 'Biology')[i % 2]}_{i}",
            "question": f"<image 1> What is shown in picture {i}?",
            "options": "[]" if open_ended else "['A disc', 'A square', 'A tree', 'Nothing']",
            "explanation": "",
            "image_1": {"bytes": picture(i, "PNG" if i % 2 else "JPEG"), "path": f"{i}.png"},
            **{f"image_{k}": None for k in range(2, 8)},
            "img_type": "['Diagrams']",
            "answer": "12" if open_ended else "ABCD"[i % 4],
            "topic_difficulty": "Easy",
            "question_type": "open" if open_ended else "multiple-choice",
            "subfield": "Shapes",
        }
        rows.append(row)
    write(rows, root / "lmms-lab-encoder/MMMU/data/validation-00000-of-00001.parquet")
    return root


def mme(root: Path, pictures: int = 12) -> Path:
    """`lmms-lab-encoder/MME`: two questions on each picture, of perception and of cognition."""
    rows = []
    for i in range(pictures):
        category = ("existence", "color", "code_reasoning")[i % 3]
        for answer in ("Yes", "No"):
            rows.append(
                {
                    "question_id": f"{category}/{i}.png",
                    "image": {"bytes": picture(i), "path": f"{i}.jpg"},
                    "question": f"Is there a {'disc' if answer == 'Yes' else 'dog'} in it? Please answer yes or no.",
                    "answer": answer,
                    "category": category,
                }
            )
    write(rows, root / "lmms-lab-encoder/MME/data/test-00000-of-00001.parquet")
    return root


def gsm8k(root: Path, n: int = 10) -> Path:
    """`gsm8k`, configuration `main`: text, with examples from its training split."""
    for split, count, start in (("train", 6, 100), ("test", n, 0)):
        rows = [
            {
                "question": f"Ann has {start + i} nuts, finds {i}. How many?",
                "answer": f"Sum.\n#### {start + 2 * i}",
            }
            for i in range(count)
        ]
        write(rows, root / f"gsm8k/main/{split}-00000-of-00001.parquet")
    return root
