"""Whether a checkpoint can see at all, from its configuration alone: before anything is loaded or decoded."""

from __future__ import annotations

import json
from pathlib import Path

# What the configurations of models that see have in the names of their fields (vision_config, image_token_id,
# img_processor, visual, mm_vision_tower ...).
_SEES = ("vis", "image", "img", "pixel", "video")


def cannot_see(source: str) -> bool:
    """True only where a local folder's config.json is that of a plain language model; what is not known may see."""
    file = Path(source) / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict):
        return False
    architectures = config.get("architectures") or []
    plain = bool(architectures) and all(str(name).endswith("ForCausalLM") for name in architectures)
    return plain and not any(part in str(key).lower() for key in config for part in _SEES)
