"""An adapter folded into its base: for loading in this process, and as a folder that engines serve."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.models.adapter import Base, base_of, is_adapter, read_config
from resources.models.base import ModelUnusable
from resources.models.conversion import loadable
from resources.models.derived import Log, made_once, quiet

# Files that belong together: where the adapter has one of a group, the base's of that group are left out.
_GROUPS = (
    ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
     "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json"),
    ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"),
    ("chat_template.jinja", "chat_template.json"),
    ("generation_config.json",),
)  # fmt: skip
_OF_THE_BASE = ("config.json", "*.py")
# What decides which weights are loaded from a folder, and is no flag of an engine.
WEIGHT_ARGS = ("base", "convert", "convert_timeout", "revision", "allow_pickle", "trust_remote_code")


def served_weights(source: str, args: Mapping[str, Any], *, fingerprint: str = "", log: Log = quiet) -> str:
    """What an engine that serves whole models is given for a checkpoint.

    source: as the checkpoint has it; args: its model arguments, of which WEIGHT_ARGS are read.
    A hub id is itself; a folder is itself, or what its converter makes of it; an adapter is merged into
    its base. Converting and merging take minutes and memory for the whole model; they are done once for
    each content and kept under `<cache>/converted` and `<cache>/merged` (see `derived.cache_folder`).
    fingerprint: of the checkpoint, spares hashing an adapter and its base again.
    Raises ModelUnusable.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return source
    weights = loadable(folder, args, log)
    return str(merged(weights, args, fingerprint=fingerprint, log=log) if is_adapter(weights) else weights)


def merged(folder: Path, args: Mapping[str, Any], *, fingerprint: str = "", log: Log = quiet) -> Path:
    """A folder of the base's weights with the adapter's folded in, in the base's dtype, made once.

    Configuration from the base; tokenizer, processor and chat template from the adapter's folder where
    it has them. The weights have the base's own names, whatever they are called in memory.
    """
    if not fingerprint:
        from resources.models.identity import identify

        converted = {k: v for k, v in args.items() if k != "convert"}
        fingerprint = identify("transformers", str(folder), converted).fingerprint
    name = hashlib.sha256(json.dumps([fingerprint, "merged"]).encode()).hexdigest()[:32]
    return made_once("merged", name, lambda target: _merge(folder, args, target, log), log)


def _merge(folder: Path, args: Mapping[str, Any], target: Path, log: Log) -> None:
    from resources.models.transformers_load import Source, load

    log(f"merging the adapter {folder} into {base_of(folder, args).name}")
    given = {k: args[k] for k in ("base", "revision", "allow_pickle", "trust_remote_code") if k in args}
    model, _ = load(Source(str(folder), dtype="auto", device="cpu", **given))
    model.save_pretrained(target)
    (target / "generation_config.json").unlink(missing_ok=True)  # `load` has emptied it
    for name, file in companions(folder, base_of(folder, args)).items():
        shutil.copyfile(file, target / name)


def companions(folder: Path, base: Base) -> dict[str, Path]:
    """name -> file of all that is loaded beside the weights: the base's configuration and code, and
    of tokenizer, processor, chat template and generation defaults the adapter's own or else the base's.
    """
    theirs = base.folder or _snapshot(base)
    found = {p.name: p for kind in _OF_THE_BASE for p in theirs.glob(kind)}
    for group in _GROUPS:
        own = [folder / name for name in group if (folder / name).is_file()]
        if not own and group[0].startswith("chat_template") and _has_template(folder):
            continue  # it stands in the adapter's tokenizer, and a file of the base's would go before it
        found |= {p.name: p for p in own or [theirs / name for name in group if (theirs / name).is_file()]}
    return found


def attach(model: Any, folder: Path) -> Any:
    """The base model with the adapter's weights folded in.

    Raises ModelUnusable: no `peft`, weights that the adapter lacks or that the base has no place for
    (PEFT would warn and answer as the base does), an adapter that cannot be merged.
    """
    try:
        from peft import PeftConfig, PeftModel
    except ImportError as error:
        raise ModelUnusable(f"{folder} is an adapter ({error}): pip install 'eval-assets[lora]'") from error
    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        # The plain class: those for a task type would look for parts of it that are not needed here.
        adapted = PeftModel(model, config)
        result = adapted.load_adapter(str(folder), adapted.active_adapter, torch_device="cpu")
        problem = _left_over(result)
        if problem is None:
            return adapted.merge_and_unload(safe_merge=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnusable(f"the adapter {folder} does not fit its base {_named(folder)}: {error}") from error
    raise ModelUnusable(f"the adapter {folder} does not fit its base {_named(folder)}: {problem}")


def _left_over(result: Any) -> str | None:
    if result.missing_keys:
        return f"{len(result.missing_keys)} of its weights are missing: {', '.join(result.missing_keys[:3])}"
    if result.unexpected_keys:
        return f"{len(result.unexpected_keys)} of its weights have no place: {', '.join(result.unexpected_keys[:3])}"
    return None


def _named(folder: Path) -> str:
    return str(read_config(folder).get("base_model_name_or_path"))


def _snapshot(base: Base) -> Path:
    """The hub's small files of a base, at its commit."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                base.name, revision=base.revision, allow_patterns=["*.json", "*.jinja", "*.model", "*.txt", "*.py"]
            )
        )
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"the adapter's base {base.name} cannot be had from the hub: {error}") from error


def _has_template(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(json.loads(config.read_bytes()).get("chat_template"))
