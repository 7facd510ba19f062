"""The first questions of a data set as a Markdown table with thumbnails."""

from __future__ import annotations

import base64
import io
from itertools import islice

from eval_assets.pipeline.ingest import media_of
from eval_assets.pipeline.questions import questions
from resources.store import Store
from task_defs import TaskDef

_EDGE = 96  # pixels


def preview(store: Store, task: TaskDef, count: int = 5) -> str:
    """`count` items: id, picture, question, target."""
    media = media_of(store, task)
    lines = ["| id | medium | question | target |", "|---|---|---|---|"]
    for batch in islice(questions(store, task, limit=count), 1):
        for q in batch:
            sha = next((m.sha for m in q.item.media if m.sha and m.kind == "image"), None)
            picture = thumbnail(media.read([sha])[sha]) if sha else q.item.missing_media or ""
            text = "".join(str(value) for kind, value in q.messages[-1].parts if kind == "text")
            lines.append(f"| {_cell(q.item.id)} | {picture} | {_cell(text)} | {_cell(str(q.item.target))} |")
    return "\n".join(lines)


def thumbnail(data: bytes) -> str:
    """A small picture as Markdown; words where the bytes cannot be decoded."""
    shown = picture_url(data, _EDGE)
    return f"![]({shown})" if shown.startswith("data:") else shown


def picture_url(data: bytes, edge: int = 360) -> str:
    """A picture of at most edge x edge pixels as a data URL; words where the bytes cannot be decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (edge, edge))  # a large JPEG is decoded at a fraction of its size
            image.thumbnail((edge, edge))
            small = io.BytesIO()
            image.convert("RGB").save(small, "PNG", optimize=True)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        return f"cannot be shown: {error}"
    return f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"


def _cell(text: str, most: int = 160) -> str:
    short = text if len(text) <= most else text[:most] + "…"
    return short.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
