"""The small tables: what is known of checkpoints, data sets and cells, what is wanted, and scores."""

from __future__ import annotations

import pyarrow as pa

from resources.store.home import Store
from resources.store.tables import KeyedTable

_TEXT, _TIME = pa.string(), pa.timestamp("us", tz="UTC")

_CHECKPOINT = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("model", _TEXT),  # implementation: transformers, openai, recorded
        ("source", _TEXT),  # directory, hub id, endpoint's model name, or file
        ("model_args", _TEXT),  # JSON
        ("run", _TEXT),
        ("step", pa.int64()),
        ("created_at", _TIME),
        ("signature", _TEXT),  # names, sizes and times when the fingerprint was taken
        ("fingerprint", _TEXT),  # null until the checkpoint asset has hashed it
        ("bytes", pa.int64()),
        ("suite", _TEXT),  # of the watch entry that found it
        ("problem", _TEXT),  # why it cannot be evaluated now
    ]
)

_DATASET = pa.schema(
    [
        ("task", _TEXT),
        ("version", _TEXT),
        ("definition", _TEXT),  # digest of what in the task decided how rows became items
        ("source", _TEXT),
        ("n_items", pa.int64()),
        ("n_missing_media", pa.int64()),
        ("n_media", pa.int64()),
        ("media_bytes", pa.int64()),
        ("quarantined", _TEXT),  # JSON: [{position, reason}]
        ("at", _TIME),
    ]
)

# What was rendered of all items, computed once: a memo, so never part of a data set's own record.
_DIGEST = pa.schema(
    [
        ("task", _TEXT),
        ("version", _TEXT),  # of the data set
        ("kind", _TEXT),  # requests, labels
        ("definition", _TEXT),  # digest of the definition's part
        ("digest", _TEXT),
    ]
)

_CELL = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("task", _TEXT),
        ("variant", _TEXT),  # "" for the task as it is defined
        ("stage", _TEXT),  # outputs, scores, report, comparison
        ("key", _TEXT),  # what it was made from
        ("version", _TEXT),  # data version: key and what came out
        ("n_rows", pa.int64()),
        ("details", _TEXT),  # JSON: what `evals plan` explains a difference with
        ("run_id", _TEXT),
        ("at", _TIME),
    ]
)

# What a judge model answered, by the hash of what it was asked: lmms-eval's functions ask one question at a time.
_JUDGE_ANSWER = pa.schema([("key", _TEXT), ("answer", _TEXT), ("at", _TIME)])

_WANTED = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("task", _TEXT),
        ("variant", _TEXT),  # JSON, "" for the task as it is defined
        ("who", _TEXT),
        ("priority", pa.int64()),
        ("state", _TEXT),  # wanted, done, failed, cancelled
        ("reason", _TEXT),
        ("at", _TIME),
    ]
)

_JOB = pa.schema(
    [
        ("job_id", _TEXT),  # hash of what was asked, and by whom
        ("client", _TEXT),
        ("checkpoint", _TEXT),
        ("tasks", _TEXT),  # JSON: in the order asked for
        ("variant", _TEXT),  # JSON, as in the ledger
        ("request", _TEXT),  # JSON: as it came
        ("priority", pa.int64()),
        ("at", _TIME),
    ]
)

# What people said of a checkpoint's answers, to hold a judge against.
_HUMAN_LABEL = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("task", _TEXT),
        ("item_id", _TEXT),
        ("label", _TEXT),  # as it was given: a grade, or a number on the judge's scale
        ("source", _TEXT),  # the file's name
        ("at", _TIME),
    ]
)

_SUMMARY = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("task", _TEXT),
        ("metric", _TEXT),
        ("is_primary", pa.bool_()),
        ("higher_is_better", pa.bool_()),
        ("value", pa.float64()),
        ("se", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("n", pa.int64()),
        ("n_clusters", pa.int64()),
        ("coverage", pa.float64()),
        ("run", _TEXT),
        ("step", pa.int64()),
        ("version", _TEXT),
        ("at", _TIME),
    ]
)

# Where the recorded answers of a checkpoint come from, task by task.
_IMPORT = pa.schema(
    [
        ("checkpoint", _TEXT),
        ("task", _TEXT),
        ("format", _TEXT),  # inspect, lm-eval, lmms-eval, vlmevalkit, plain
        ("file", _TEXT),  # its name
        ("sha256", _TEXT),  # of the file
        ("model", _TEXT),  # that the log names
        ("settings", _TEXT),  # JSON: generation parameters and versions that the log names
        ("answers", pa.int64()),
        ("details", _TEXT),  # JSON: coverage, how items were found, what was compared and what was left out
        ("at", _TIME),
    ]
)


def checkpoints(store: Store) -> KeyedTable:
    return KeyedTable(store.table("checkpoints"), _CHECKPOINT, ["checkpoint"])


def judge_models(store: Store) -> KeyedTable:
    """Models that judge, with the fingerprints they had when they were looked at last."""
    return KeyedTable(store.table("judge_models"), _CHECKPOINT, ["checkpoint"])


def human_labels(store: Store) -> KeyedTable:
    return KeyedTable(store.table("human_labels"), _HUMAN_LABEL, ["checkpoint", "task", "item_id"])


def datasets(store: Store) -> KeyedTable:
    return KeyedTable(store.table("dataset_versions"), _DATASET, ["task"])


def digests(store: Store) -> KeyedTable:
    return KeyedTable(store.table("digests"), _DIGEST, ["task", "version", "kind", "definition"])


def judge_answers(store: Store) -> KeyedTable:
    return KeyedTable(store.table("judge_answers"), _JUDGE_ANSWER, ["key"])


def cells(store: Store) -> KeyedTable:
    return KeyedTable(store.table("cells"), _CELL, ["checkpoint", "task", "variant", "stage"])


def wanted(store: Store) -> KeyedTable:
    return KeyedTable(store.table("wanted"), _WANTED, ["checkpoint", "task", "variant", "who"])


def jobs(store: Store) -> KeyedTable:
    return KeyedTable(store.table("jobs"), _JOB, ["job_id"])


def summary(store: Store) -> KeyedTable:
    return KeyedTable(store.table("summary"), _SUMMARY, ["checkpoint", "task", "metric"])


def imports(store: Store) -> KeyedTable:
    return KeyedTable(store.table("imports"), _IMPORT, ["checkpoint", "task"])
