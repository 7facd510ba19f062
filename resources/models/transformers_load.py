"""Loading a model of Transformers and its processor, and refusing what must not be loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.models.adapter import base_of, is_adapter
from resources.models.base import ModelUnusable
from resources.models.conversion import DEFAULT_TIMEOUT, loadable
from resources.models.derived import Log, quiet
from resources.models.merging import WEIGHT_ARGS, attach, companions
from resources.models.weights import checkpoint_problem


@dataclass(frozen=True, slots=True)
class Source:
    """What is loaded, and how. See `resources.models.transformers.TransformersModel`."""

    pretrained: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    attn_implementation: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    base: str | None = None
    convert: tuple[str, ...] = ()
    convert_timeout: float = DEFAULT_TIMEOUT


def load(source: Source, log: Log = quiet) -> tuple[Any, Any]:
    """The model in evaluation mode on its device, and its processor (or tokenizer).

    A folder with a converter is converted first, an adapter is merged into its base.
    Raises ModelUnusable with what to do: no such directory, weights cut short, pickled weights,
    weights that the checkpoint lacks (Transformers would make them up), an unknown device.
    """
    folder = Path(source.pretrained).expanduser()
    local = folder.is_dir()
    if local:
        args = {name: getattr(source, name) for name in WEIGHT_ARGS}
        folder = loadable(folder, args, log)
        if problem := checkpoint_problem(folder, allow_pickle=source.allow_pickle, base=source.base):
            raise ModelUnusable(problem)
    elif folder.is_absolute() or source.pretrained.startswith((".", "~")) or source.pretrained.count("/") > 1:
        raise ModelUnusable(f"no directory {source.pretrained}")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelUnusable(f"{error}: pip install 'eval-assets[local]'") from error

    if local and is_adapter(folder):
        base = base_of(folder, args)
        with tempfile.TemporaryDirectory(prefix="eval-assets-") as place:
            for name, file in companions(folder, base).items():
                (Path(place) / name).symlink_to(file.resolve())
            model, processor = load_parts(source, base.name, base.revision, beside=place)
        model = attach(model, folder)
    else:
        if not local:
            _refuse_hub_adapter(source)
        model, processor = load_parts(source, str(folder) if local else source.pretrained, source.revision)
    # Only what a request says decides how it is decoded, not the sampling defaults of the model.
    ends = model.generation_config
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=ends.eos_token_id, bos_token_id=ends.bos_token_id, pad_token_id=ends.pad_token_id
    )
    device = source.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return model.to(device).eval(), processor
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch without CUDA
        raise ModelUnusable(f"{source.pretrained} cannot be put on device {device!r}: {error}") from error


def load_parts(
    source: Source,
    name: str,
    revision: str | None,
    beside: str | None = None,
    class_of: Callable[[Any], Any] | None = None,
) -> tuple[Any, Any]:
    """Model and processor from a directory or hub id.

    beside: a folder with config and processor of their own. class_of: the model's class by its config, by default one
    that answers; it raises ValueError for a config that it has none for. Raises ModelUnusable.
    """
    import transformers

    common: dict[str, Any] = {
        "revision": revision or "main",
        "trust_remote_code": source.trust_remote_code,
        "local_files_only": Path(name).is_dir(),  # a directory is complete: the hub is not asked about it
    }
    with _quiet():
        try:
            config = transformers.AutoConfig.from_pretrained(beside or name, **common)
            model_class = (class_of or _model_class)(config)
            processor = transformers.AutoProcessor.from_pretrained(beside or name, **common)
            model, info = model_class.from_pretrained(
                name,
                config=config,
                dtype=_dtype(source.dtype),
                attn_implementation=source.attn_implementation,
                # None takes either kind; True refuses pickles, which can run any code.
                use_safetensors=None if source.allow_pickle else True,
                output_loading_info=True,
                **common,
            )
        except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
            raise ModelUnusable(f"{source.pretrained} cannot be loaded: {error}") from error
    if missing := sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"]):
        raise ModelUnusable(
            f"{source.pretrained} lacks {len(missing)} weights of its architecture, which would be random: "
            f"{', '.join(missing[:3])}"
        )
    return model, processor


def _refuse_hub_adapter(source: Source) -> None:
    """Transformers would load an adapter's base of any revision, which no fingerprint knows of."""
    from transformers.utils.peft_utils import find_adapter_config_file

    if find_adapter_config_file(source.pretrained, revision=source.revision or "main"):
        raise ModelUnusable(
            f"{source.pretrained} is an adapter: `hf download {source.pretrained} --local-dir FOLDER`, "
            "and evaluate the folder"
        )


def _model_class(config: Any) -> Any:
    """The class for models that see pictures where there is one for this kind, else for text."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    own_code = getattr(config, "auto_map", None) or {}
    sees = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if sees or AutoModelForImageTextToText.__name__ in own_code:
        return AutoModelForImageTextToText
    return AutoModelForCausalLM


def _dtype(name: str) -> Any:
    import torch

    if name == "auto":
        return name
    dtype = getattr(torch, name.removeprefix("torch."), None)
    if not isinstance(dtype, torch.dtype):
        raise ModelUnusable(f"unknown dtype {name!r}: auto, float32, bfloat16 or float16")
    return dtype


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no advice of Transformers; how it was is restored."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
