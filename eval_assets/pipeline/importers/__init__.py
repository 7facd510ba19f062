"""Logs of other harnesses as one kind of thing: answers with what the log says about them.

One module a format; each has `read(path, options) -> Log`. `open_log` finds out which one a file is.
"""

from eval_assets.pipeline.importers.base import Answer, Fields, ImportRefused, Log, Options
from eval_assets.pipeline.importers.detect import FORMATS, looks_like_log, open_log

__all__ = ["FORMATS", "Answer", "Fields", "ImportRefused", "Log", "Options", "looks_like_log", "open_log"]
