"""Lance tables and plain files under EVAL_HOME."""

from resources.store.home import Store, StoreUnwritable
from resources.store.keys import KeyRefused, check_key, slug, unslug

__all__ = ["KeyRefused", "Store", "StoreUnwritable", "check_key", "slug", "unslug"]
