"""Log lines as a shell shows them: the message and nothing else."""

import logging
import sys

import dagster as dg


class _MessageOnly(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", None)
        return str(meta["orig_message"] if meta else record.getMessage())


def _said_by_us(record: logging.LogRecord) -> bool:
    """Whether a line comes from an asset and is not one of Dagster's own events."""
    return (getattr(record, "dagster_meta", None) or {}).get("dagster_event") is None


@dg.logger(description="Messages of the assets on stderr, without Dagster's events.")
def plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("evals", logging.INFO)  # of this run alone
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MessageOnly())
    handler.addFilter(_said_by_us)
    logger.addHandler(handler)
    return logger
