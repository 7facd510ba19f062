"""Names of reports, JSON in which NaN survives as null, and temporary files."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from resources.store import Store, StoreUnwritable, slug


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


@contextlib.contextmanager
def spool(mode: str = "w+b", encoding: str | None = None) -> Iterator[IO[Any]]:
    """A temporary file that is gone afterwards. Raises StoreUnwritable where its folder is full."""
    try:
        with tempfile.TemporaryFile(mode, encoding=encoding) as file:
            yield file
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
            raise
        where = tempfile.gettempdir()
        raise StoreUnwritable(f"{where} is full ({error.strerror}): free some space or set TMPDIR") from error
