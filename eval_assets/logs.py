"""Log lines as a shell shows them: the message and nothing else."""

import logging
import sys

import dagster as dg


class _MessageOnly(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", None)
        return str(meta["orig_message"] if meta else record.getMessage())


@dg.logger(description="Messages of the assets on stderr, without Dagster's events.")
def plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("evals", logging.INFO)  # noqa: LOG001  # of this run alone
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MessageOnly())
    logger.addHandler(handler)
    return logger
