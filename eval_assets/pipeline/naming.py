"""Which checkpoint somebody means: by its name, a path, a hub id or an entry of models.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval_assets.pipeline.cell import find_checkpoint
from eval_assets.pipeline.registering import from_directory
from resources.models import ModelUnusable
from resources.models.checkpoint import Checkpoint
from resources.models.configured import load_models
from resources.models.registry import check_model, source_of
from resources.store import Store
from resources.store.records import checkpoints


def checkpoint_of(
    store: Store, name: str, model: str | None, args: Mapping[str, Any], *, run: str | None = None,
    step: int | None = None,
) -> Checkpoint:  # fmt: skip
    """The checkpoint that a name (registered, or of models.yaml), a path or a hub id means; not registered.

    Raises ModelUnusable and UnknownCheckpoint.
    """
    entry = load_models().models.get(name)
    if entry is not None:  # as models.yaml has it now, with what is said here over it
        model, args = model or entry.model, {**entry.args, **args}
        source = absolute_source(source_of(model, args) or entry.source)
        return Checkpoint(name, check_model(model), source, args, run=run, step=step)
    if model is None and not args and checkpoints(store).get(checkpoint=name) is not None:
        return find_checkpoint(store, name)
    model = check_model(model or "transformers")
    source = source_of(model, args)
    looks_like_path = Path(name).expanduser().is_dir() or name.startswith((".", "/", "~"))
    if source is None and looks_like_path and Checkpoint("", model, "").has_weights:
        path = Path(name).expanduser()
        if not path.is_dir():
            raise ModelUnusable(f"no directory {path}")
        point = from_directory(path, run=run, model=model, **args)
    elif source is None and model == "transformers" and "/" not in name:
        return find_checkpoint(store, name)  # a plain name that nobody registered: say which there are
    else:
        point = Checkpoint(name, model, absolute_source(source) if source else name, args)
    return replace(point, run=run or point.run, step=step if step is not None else point.step)


def absolute_source(source: str) -> str:
    """A folder's path from anywhere; a hub id and an endpoint's name as they are."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.is_dir() else source
