"""Names of reports, and JSON in which NaN survives as null."""

from __future__ import annotations

import json
import math
from typing import Any

from resources.store import Store, slug


def report_name(checkpoint: str, variant: str = "") -> str:
    return slug(f"{checkpoint}@{variant}" if variant else checkpoint)


def write_json(store: Store, data: Any, name: str, *folders: str) -> str:
    """`reports/<folders>/<name>.json`; its path or URI."""
    text = json.dumps(clean(data), ensure_ascii=False, indent=1)
    return store.write_file(text.encode(), "reports", *folders, f"{name}.json")


def clean(value: Any) -> Any:
    """The same data with NaN and infinities as null, which is what JSON can say."""
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
