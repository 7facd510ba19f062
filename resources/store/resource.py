"""The store as a Dagster resource."""

from __future__ import annotations

import dagster as dg

from resources.store.home import Store


class EvalStore(dg.ConfigurableResource):  # type: ignore[type-arg]
    """home: EVAL_HOME, a local path or `s3://...`; empty: the environment's, else `.evals`."""

    home: str = ""

    def open(self) -> Store:
        return Store(self.home or None)
