"""A PyTorch distributed checkpoint (DCP, as FSDP writes it) → a Hugging Face folder.

    python examples/convert_dcp.py SOURCE TARGET --like FOLDER

FOLDER holds a model of the same architecture in Hugging Face format, such as the one that training began
with: configuration, tokenizer, processor and the weights' names come from it. To be copied and changed:
trainers nest their weights differently. A DCP folder's `.metadata` is a pickle: convert your own only.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.pt", "*.pth")


def convert(source: Path, target: Path, like: Path, key: str) -> None:
    """Fill the folder `target`. key: under which the weights lie in the checkpoint; "" for its top."""
    import torch.distributed.checkpoint as dcp

    model = load_like(like)
    weights = model.state_dict()
    # Loads into these tensors; raises where one of them is not in the checkpoint or has another shape.
    dcp.load({key: weights} if key else weights, checkpoint_id=str(source))
    model.load_state_dict(weights)
    target.mkdir(parents=True, exist_ok=True)
    for file in like.iterdir():
        if file.is_file() and not any(file.match(kind) for kind in WEIGHTS):
            shutil.copyfile(file, target / file.name)
    model.save_pretrained(target)


def load_like(folder: Path) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    sees = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    return kind.from_pretrained(folder, local_files_only=True, use_safetensors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--like", type=Path, required=True, help="a Hugging Face folder of the same architecture")
    parser.add_argument("--key", default="model", help='where the weights lie in the checkpoint; "" for its top')
    options = parser.parse_args()
    convert(options.source, options.target, options.like, options.key)


if __name__ == "__main__":
    main()
