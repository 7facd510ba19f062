"""What the tests of requests share: a question's inputs, and what of them an endpoint was sent."""

from __future__ import annotations

import base64
import json

from eval_assets.pipeline.questions import question
from task_defs import TaskDef


def inputs(task: TaskDef, doc: dict, *mimes: str) -> str:
    media = [{"sha": f"{n:02x}" * 32, "mime": mime, "missing": None} for n, mime in enumerate(mimes, 0xAB)]
    row = {"item_id": "0", "doc": json.dumps(doc), "media": media, "media_cluster": None}
    return question(task, row).inputs


def media_of(body: dict) -> list[tuple[str, bytes]]:
    """(kind, bytes) of the media in a request, in order."""
    found = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "input_audio":
                found.append(("audio", base64.b64decode(part["input_audio"]["data"])))
            elif part["type"] != "text":
                url = part[part["type"]]["url"]
                found.append((url[5:].partition(";")[0], base64.b64decode(url.partition(",")[2])))
    return found


def shape(body: dict) -> list[tuple[str, str]]:
    """(role, text with a mark for each medium) of the messages."""
    marks = {"image_url": "[i]", "video_url": "[v]", "input_audio": "[a]"}

    def text(content: str | list[dict]) -> str:
        return (
            content if isinstance(content, str) else "".join(p.get("text", marks.get(p["type"], "")) for p in content)
        )

    return [(message["role"], text(message["content"])) for message in body["messages"]]
