"""Where the videos lie, below the data folder, of benchmarks whose rows name them without folder or suffix."""

from typing import Any


def longvideobench(doc: dict[str, Any]) -> str:
    return f"videos/{doc['video_path']}"


def egoschema(doc: dict[str, Any]) -> str:
    return f"videos/{doc['video_idx']}.mp4"


def tempcompass(doc: dict[str, Any]) -> str:
    return f"videos/{doc['video_id']}.mp4"


def nextqa(doc: dict[str, Any]) -> str:
    return f"NExTVideo/{doc['video']}.mp4"


def perceptiontest(doc: dict[str, Any]) -> str:
    return f"videos/{doc['video_name']}.mp4"
