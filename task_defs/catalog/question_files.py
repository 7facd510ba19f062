"""Rows of benchmarks that keep one JSON list of questions, and one folder of videos, for each of their tasks."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from task_defs.sources.locate import how_to_get

_MVBENCH = {
    "action_antonym": "ssv2_video_mp4",
    "action_count": "perception/videos",
    "action_localization": "sta/sta_video_segment",
    "action_prediction": "star/Charades_segment",
    "action_sequence": "star/Charades_segment",
    "character_order": "perception/videos",
    "counterfactual_inference": "clevrer/video_validation",
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/video_fps3_hq_segment",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "fine_grained_pose": "nturgbd_convert",
    "moving_attribute": "clevrer/video_validation",
    "moving_count": "clevrer/video_validation",
    "moving_direction": "clevrer/video_validation",
    "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_segment",
    "object_shuffle": "perception/videos",
    "scene_transition": "scene_qa/video",
    "state_change": "perception/videos",
    "unexpected_action": "FunQA_test/test",
}
_MLVU = {
    name: f"video/{name}"
    for name in ("1_plotQA", "2_needle", "3_ego", "4_count", "5_order", "6_anomaly_reco", "7_topic_reasoning")
}


def mvbench(root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """The questions of all 20 tasks."""
    yield from _questions(root, task, _MVBENCH)


def mlvu(root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """The questions of the seven tasks that are multiple choice."""
    yield from _questions(root, task, _MLVU)


def _questions(root: Path, task: Any, folders: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """json/<file>.json, in the order of `folders`; `label`: the index of the answer.

    Raises FileNotFoundError where one is missing: a score over fewer tasks would pass for the benchmark's.
    """
    files = {name: root / "json" / f"{name}.json" for name in folders}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing:
        names = ", ".join(f"json/{name}.json" for name in missing[:3]) + (" ..." if len(missing) > 3 else "")
        place = root if root != task.folder else f"a folder '{task.task}' of one that EVAL_DATA names: there is none"
        found = f"{len(missing)} of {len(files)} files of questions are missing: {names}. Looked in {place}"
        raise FileNotFoundError(found + how_to_get(task))
    for name, file in files.items():
        kind = re.sub(r"^\d+_", "", name)
        for number, row in enumerate(json.loads(file.read_text(encoding="utf-8"))):
            yield {
                "id": f"{kind}_{number}",
                "task_type": kind,
                "video": f"{folders[name]}/{row['video']}",
                "question": row["question"],
                "candidates": row["candidates"],
                "label": row["candidates"].index(row["answer"]),
            }
