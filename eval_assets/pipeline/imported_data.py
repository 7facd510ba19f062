"""Whether imported answers are still to the items that they were compared with."""

from __future__ import annotations

import json

from resources.store import Store
from resources.store.records import imports


def outdated(store: Store, name: str, task: str, data_version: str) -> str | None:
    """Why answers that were imported may not be to these items: the data set changed since. None: it did not."""
    row = imports(store).get(checkpoint=name, task=task)
    known = json.loads(row["details"]).get("data_version") if row else None
    if not known or known == data_version:
        return None
    return (
        f"{task} has changed since {row['file']} was imported and compared with it: where a question is another one "
        f"now, the answer to the old one is judged. Import it again: evals import-answers {row['file']} --name {name}"
    )
