"""Items of a world: one for each seed, which draws its layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MEANING = {
    "minigrid": {
        "left": "turn left on the spot",
        "right": "turn right on the spot",
        "forward": "go one square forward",
        "pickup": "pick up what lies on the square in front of you",
        "drop": "put what you carry on the square in front of you",
        "toggle": "open or close the door in front of you; a locked one needs the key of its colour",
        "done": "say that you have arrived",
    },
    "miniworld": {
        "turn_left": "turn 45 degrees to the left",
        "turn_right": "turn 45 degrees to the right",
        "forward": "go 45 centimetres forward",
    },
    "ale": {
        "noop": "stay where you are",
        "up": "go forward, up the picture",
        "down": "go back, down the picture",
    },
}


def docs(root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`dataset_name` is the environment's id, `metadata.items` how many seeds there are, from 0."""
    meaning = _MEANING[task.episode.player]
    actions = "\n".join(f"- {name}: {meaning[name]}" for name in task.episode.params["actions"])
    for seed in range(task.metadata["items"]):
        yield {"id": f"seed-{seed:03}", "env": task.dataset_name, "seed": seed, "actions": actions}
