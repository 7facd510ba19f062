"""A run's curve as it stands now, made once: two hundred checkpoints take ten seconds."""

from __future__ import annotations

from threading import Lock
from typing import Any

from cachetools import LRUCache, cached

from eval_assets.pipeline.learning_curve import curve_data, curve_version, stored_curve
from eval_assets.settings import Settings
from resources.store import Store


def curve(store: Store, run: str, settings: Settings) -> dict[str, Any]:
    """As the daemon has written it, where it is made from what is stored now. Raises UnknownRun and NotScored."""
    return _curve(store, run, settings, curve_version(store, run, settings))


@cached(LRUCache(32), key=lambda store, run, settings, version: (store.root, run, version), lock=Lock())
def _curve(store: Store, run: str, settings: Settings, version: str) -> dict[str, Any]:
    stored = stored_curve(store, run, settings)
    return stored.data if stored else curve_data(store, run, settings)
