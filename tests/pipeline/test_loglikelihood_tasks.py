"""`multiple_choice` and `loglikelihood` from a task's YAML to its report, on a real tiny model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from eval_assets.pipeline.cell import plan_cell, refuse_unanswerable
from eval_assets.pipeline.infer import infer
from eval_assets.pipeline.ingest import ingest
from eval_assets.pipeline.registering import from_directory, identify_checkpoint, register
from eval_assets.pipeline.report import report_cell
from eval_assets.pipeline.scoring import judge_cell, scores_of
from resources.models import Instance, ModelUnusable, Response
from resources.models.base import Media
from resources.models.checkpoint import Checkpoint
from resources.store import Store
from resources.store.outputs import SCHEMA, Asked, OutputsTable, response_of, row_of
from resources.store.tables import append, open_table
from task_defs import TaskDef, TaskError
from tests.conftest import Endpoint, TaskFolder
from tests.engines.scoring import MIXED, checkpoint, exact

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("run") / "step-1")


@pytest.fixture
def pictures(folder: TaskFolder) -> TaskFolder:
    rows = [
        {
            "id": f"q{n}",
            "question": f"Which digit is left, {n}?",
            "image": folder.picture(f"p{n % 3}.png", 9000 * n, 48),
        }
        | {"options": list(MIXED), "answer": "ABCDE"[n % 5], "said": MIXED[n % 5]}
        for n in range(6)
    ]
    return folder.rows(rows)


class Chain:
    """Every step of a cell of this model."""

    def __init__(self, store: Store, path: Path) -> None:
        self.store = store
        self.key = register(store, from_directory(path)).key
        self.asked = 0

    def report(self, task: TaskDef) -> dict[str, Any]:
        ingest(task, self.store)
        self.cell = plan_cell(self.store, identify_checkpoint(self.store, self.key), task)
        self.asked = infer(self.cell, self.store, run_id="r", log=print).asked
        judge_cell(self.cell, self.store, run_id="r", log=print)
        return report_cell(self.cell, self.store, run_id="r", log=print)

    def scores(self, task: TaskDef) -> list[dict[str, Any]]:
        return scores_of(self.store, self.key, task.task).dataset().to_table().to_pylist()


@pytest.fixture
def chain(store: Store, model: Path) -> Chain:
    return Chain(store, model)


def expected(folder: TaskFolder, model: Path, field: str) -> list[Response]:
    rows = [json.loads(line) for line in (folder.path / "test.jsonl").read_text().splitlines()]
    asked = [
        Instance(
            prompt=row["question"],
            media_list=[Media((folder.path / row["image"]).read_bytes(), "image/png")],
            continuations=tuple([row[field]] if isinstance(row[field], str) else row[field]),
            id=row["id"],
        )
        for row in rows
    ]
    found = exact(model, asked)
    return [found[request.id] for request in asked]


def test_multiple_choice_reports_accuracy_by_every_length(pictures: TaskFolder, chain: Chain, model: Path) -> None:
    fields = {"output_type": "multiple_choice", "doc_to_choice": "options", "judge": "choice"}
    task = pictures.task(**fields, doc_to_visual="image")
    report = chain.report(task)
    lengths = {
        "accuracy": lambda option, tokens: 1,
        "accuracy_norm": lambda option, tokens: len(option),
        "accuracy_bytes": lambda option, tokens: len(option.encode()),
        "accuracy_tokens": lambda option, tokens: tokens,
    }
    answers = expected(pictures, model, "options")
    for name, length in lengths.items():
        right = 0
        for n, answer in enumerate(answers):
            counted = zip(answer.loglikelihoods or (), MIXED, answer.continuation_tokens or (), strict=True)
            each = [value / length(option, tokens) for value, option, tokens in counted]
            right += each.index(max(each)) == n % 5
        assert report["metrics"][name]["value"] == pytest.approx(right / 6), name
    assert (report["primary"], report["coverage"]) == ("accuracy", 1.0)
    assert chain.asked == 6
    chain.report(task)
    assert chain.asked == 0


def test_the_likelihood_of_the_label(pictures: TaskFolder, chain: Chain, model: Path) -> None:
    fields = {"output_type": "loglikelihood", "doc_to_visual": "image", "judge": "loglikelihood"}
    task = pictures.task(**fields, doc_to_target="said")
    report = chain.report(task)
    answers = expected(pictures, model, "said")
    rows = chain.scores(task)
    for n, (answer, row) in enumerate(zip(answers, rows, strict=True)):
        (value,), (tokens,) = answer.loglikelihoods or (), answer.continuation_tokens or ()
        assert row["score"] == pytest.approx(math.exp(value / len(MIXED[n % 5].encode())), rel=1e-4)
        assert row["value_loglikelihood"] == pytest.approx(value, abs=1e-3)
        assert row["value_tokens"] == tokens
    mean = sum(row["value_per_token"] for row in rows) / len(rows)
    assert report["metrics"]["probability_per_token"]["value"] == pytest.approx(mean)
    assert report["primary"] == "probability_per_byte"


def test_another_label_is_another_question_where_the_label_is_what_is_asked(pictures: TaskFolder, chain: Chain) -> None:
    """And none where it is only compared with."""
    likely = {"output_type": "loglikelihood", "judge": "loglikelihood"}
    chain.report(pictures.task(**likely, doc_to_target="said"))
    chain.report(pictures.task(**likely, doc_to_target="answer"))
    assert chain.asked == 6
    ranked = {"output_type": "multiple_choice", "doc_to_choice": "options", "judge": "choice"}
    chain.report(pictures.task(**ranked))
    chain.report(pictures.task(**ranked, doc_to_target="said"))
    assert chain.asked == 0


def test_an_item_without_a_label_is_not_wrong(folder: TaskFolder, chain: Chain) -> None:
    folder.rows([{"id": "a", "question": "Which?", "answer": "5"}, {"id": "b", "question": "Which?"}])
    report = chain.report(folder.task(output_type="loglikelihood", judge="loglikelihood"))
    assert (report["coverage"], report["unscored"]) == (0.5, {"missing label": 1})


@pytest.mark.parametrize(
    ("fields", "able"),
    [
        ({"output_type": "multiple_choice", "doc_to_choice": ["a", "b"]}, "choice"),
        ({"output_type": "multiple_choice", "doc_to_choice": ["a", "b"], "judge": "loglikelihood"}, "choice"),
        ({"output_type": "loglikelihood", "judge": "choice"}, "loglikelihood"),
        ({"judge": "loglikelihood"}, "exact"),
    ],
)
def test_a_judge_that_cannot_read_the_responses_is_refused_with_the_task(
    folder: TaskFolder, fields: dict[str, Any], able: str
) -> None:
    with pytest.raises(TaskError, match=rf"cannot read what this task gives it, .*: use .*\b{able}\b"):
        folder.rows([]).task(**fields)


@pytest.mark.parametrize("model_name", ["openai", "recorded"])
def test_a_model_without_log_likelihoods_is_refused_before_any_cost(
    pictures: TaskFolder, store: Store, endpoint: Endpoint, model_name: str
) -> None:
    task = pictures.task(output_type="multiple_choice", doc_to_choice="options", judge="choice")
    point = Checkpoint("m", model_name, "gpt", endpoint.args() if model_name == "openai" else {})
    with pytest.raises(ModelUnusable, match=r"m on birds: .* no log-likelihood"):
        refuse_unanswerable(point, task)  # nothing is ingested, nothing has a fingerprint
    refuse_unanswerable(point, pictures.task())
    assert endpoint.seen == []


def test_a_cell_of_such_a_model_asks_nothing(pictures: TaskFolder, store: Store, endpoint: Endpoint) -> None:
    task = pictures.task(output_type="multiple_choice", doc_to_choice="options", judge="choice")
    ingest(task, store)
    register(store, Checkpoint("m", "openai", "gpt", endpoint.args()))
    cell = plan_cell(store, identify_checkpoint(store, "m"), task)
    with pytest.raises(ModelUnusable, match="no log-likelihood"):
        infer(cell, store, run_id="r", log=print)
    assert endpoint.seen == []


def test_a_table_written_before_the_number_of_tokens_was_kept_is_read_and_added_to(tmp_path: Path) -> None:
    uri = str(tmp_path / "outputs.lance")
    older = pa.schema([field for field in SCHEMA if field.name != "continuation_tokens"])
    told = Response("a", loglikelihoods=(-1.0, -2.0), continuation_tokens=(1, 3))
    row = row_of(Asked("a", 0, "key-a"), told, "r")
    append(uri, pa.Table.from_pylist([row], schema=older), older)
    table = OutputsTable(uri)
    (before,) = table.answers()
    assert before["loglikelihoods"] == [-1.0, -2.0]
    (found,) = table.lookup("item_id").find([("a",)])
    assert response_of(found).loglikelihoods == (-1.0, -2.0)
    table.append([row_of(Asked("b", 0, "key-b"), told, "r")])
    table.append([row_of(Asked("c", 0, "key-c"), told, "r")])
    rows = {r["item_id"]: response_of(r) for r in open_table(uri).to_table().to_pylist()}
    assert rows["a"].continuation_tokens is None
    assert rows["b"].continuation_tokens == rows["c"].continuation_tokens == (1, 3)
