"""How relevant a frame is to a question, by a dual encoder of Transformers (CLIP, SigLIP and the like)."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from resources.models.base import ModelUnusable

if TYPE_CHECKING:
    import numpy as np

_HUB = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


class Scorer:
    """Maps pictures and texts into one space, in which what belongs together is near.

    source: a folder, or `organisation/name@commit` of a hub. It runs on the CPU in float32, one call at a time, beside
    whatever model is evaluated. Nothing but safetensors is loaded and no code that comes with them.
    Raises ModelUnusable where it is no dual encoder, or not whole.
    """

    def __init__(self, source: str) -> None:
        from resources.models.transformers_load import Source, load_parts
        from resources.models.weights import checkpoint_problem

        name, revision = _where(source)
        if revision is None and (problem := checkpoint_problem(name)):
            raise ModelUnusable(f"scorer: {problem}")
        try:
            self._model, self._processor = load_parts(
                Source(name, revision, dtype="float32"), name, revision, class_of=_dual_encoder
            )
        except ModelUnusable as error:
            raise ModelUnusable(f"scorer: {error}") from error
        except ImportError as error:
            raise ModelUnusable(f"scorer: {error}: pip install 'eval-assets[local]'") from error
        self._model.eval()
        self._lock = Lock()

    def pictures(self, data: Sequence[bytes]) -> np.ndarray:
        """Encoded pictures as [n, width], each of length 1."""
        from PIL import Image

        opened = [Image.open(io.BytesIO(one)).convert("RGB") for one in data]
        with self._lock:
            inputs = self._processor.image_processor(images=opened, return_tensors="pt")
            return self._encoded(self._model.get_image_features, inputs)

    def text(self, said: str) -> np.ndarray:
        """A text as [width], of length 1; what is longer than the encoder reads is cut off."""
        config = self._model.config.text_config
        with self._lock:
            inputs = self._processor.tokenizer(
                [said], padding="max_length", truncation=True, max_length=config.max_position_embeddings,
                return_tensors="pt",
            )  # fmt: skip
            return self._encoded(self._model.get_text_features, inputs)[0]

    @staticmethod
    def _encoded(features: Any, inputs: Any) -> np.ndarray:
        import torch

        with torch.inference_mode():
            found = features(**inputs).pooler_output
            unit: np.ndarray = torch.nn.functional.normalize(found, dim=-1).numpy()
        return unit


def scorer_identity(source: str) -> list[str]:
    """A scorer by content, a folder's fingerprint or a hub's commit, and what prepares its pictures.

    Raises ModelUnusable where there is none.
    """
    from resources.models.identity import signature

    name, revision = _where(source)
    content = f"{name}@{revision}" if revision else _fingerprint(name, signature(Path(name)))
    return [f"scorer {content}", f"transformers {_installed('transformers')}"]


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"  # results can be read where they cannot be made


@lru_cache(maxsize=16)
def _fingerprint(folder: str, signature: str) -> str:
    """signature: hashed again only where the folder looks otherwise."""
    from resources.models.identity import identify

    return identify("transformers", folder, {}).fingerprint


def _where(source: str) -> tuple[str, str | None]:
    """Folder and None, or hub id and commit."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return str(folder), None
    if found := _HUB.fullmatch(source):
        return found.group(1), found.group(2)
    raise ModelUnusable(
        f"scorer: no directory {source}. A model of the hub is named with the commit that is meant, "
        "organisation/name@0123... (40 digits): another one would show other frames"
    )


def _dual_encoder(config: Any) -> Any:
    from transformers import MODEL_MAPPING

    found = MODEL_MAPPING.get(type(config), None)
    if not all(hasattr(found, name) for name in ("get_image_features", "get_text_features")):
        raise ValueError(
            f"a {config.model_type} is no dual encoder of pictures and texts, such as clip, siglip or siglip2"
        )
    return found
