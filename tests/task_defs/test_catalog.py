"""The tasks of the catalog on the real data."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from task_defs import (
    MediaBytes,
    MissingMedia,
    compile_task,
    list_tasks,
    load_task,
    messages,
    open_source,
    read_media,
)

pytestmark = pytest.mark.real


def opened(name, data):
    task = load_task(name)
    source = open_source(task, [data])
    rows = list(source.rows())
    assert all(row.error is None for row in rows)
    assert [row.position for row in rows] == list(range(len(rows)))
    return task, compile_task(task), source, [row.doc for row in rows]


@pytest.mark.parametrize("name", list_tasks([]))
def test_every_task_of_the_catalog_loads_and_compiles(name):
    assert compile_task(load_task(name)).task.task == name


def test_mathvision(data):
    _, functions, source, docs = opened("mathvision", data)
    assert len(docs) == len({functions.item_id(doc, 0) for doc in docs}) == 3040
    media = [read_media(value, source.root) for doc in docs for value in functions.visuals(doc)]
    assert len(media) == 3040
    assert sum(isinstance(m, MediaBytes) for m in media) == 304
    assert {m.reason.partition(":")[0] for m in media if isinstance(m, MissingMedia)} == {"file not found"}
    assert all(isinstance(functions.target(doc), str) for doc in docs)
    assert Counter(functions.choices(doc) is None for doc in docs) == {True: 1508, False: 1532}
    assert functions.categories(docs[0]) == {"level": "2", "subject": "arithmetic"}
    assert functions.cluster(docs[0]) is None


def test_mathvision_prompts(data):
    task, functions, _, docs = opened("mathvision", data)
    by_id = {doc["id"]: doc for doc in docs}
    instruction = (
        'Please solve the problem step by step and put your answer in one "\\boxed{}". If it is a multiple '
        'choice question, only one letter is allowed in the "\\boxed{}".\n'
    )
    # Options that are only the letters in the picture are not repeated; real ones are.
    assert functions.text(by_id["2"]) == instruction + "Which bike is most expensive?\n<image1>"
    assert functions.text(by_id["2551"]).endswith(
        "\n<image1>\n(A) $\\frac{1}{3}$\n(B) $\\frac{1}{2}$\n(C) $\\frac{2}{3}$\n(D) $\\frac{7}{9}$\n(E) $1$"
    )
    # Every question gets its one picture once.
    for doc in docs:
        parts = messages(task, doc, 1)
        assert [part for part in parts if part[0] == "media"] == [("media", 0)]


def test_mathvision_testmini(data):
    task, functions, source, docs = opened("mathvision_testmini", data)
    assert len(docs) == 304
    media = [read_media(value, source.root) for doc in docs for value in functions.visuals(doc)]
    assert sum(isinstance(m, MediaBytes) for m in media) == 304
    assert task.report_by == ("level", "subject")


def test_gsm8k(data):
    _, functions, _, docs = opened("gsm8k", data)
    assert len(docs) == 1319
    assert {tuple(doc) for doc in docs} == {("question", "solution", "answer")}
    assert functions.target(docs[0]) == "18"
    assert functions.item_id(docs[0], 0) == "0"
    assert functions.text(docs[0]).startswith("Janet’s ducks lay 16 eggs per day.")
    assert "A: 18" not in functions.text(docs[0])
    assert functions.visuals(docs[0]) == []


def test_gsm8k_gives_the_systems_their_published_counts(data):
    from judges import get_judge

    task, functions, _, docs = opened("gsm8k", data)
    judge = get_judge(task.judge)
    lines = (data / "gsm8k/example_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line) for line in lines]
    for system, right in task.metadata["figures"]["right"].items():
        verdicts = [
            judge.judge({"target": functions.target(doc)}, row[system]["solution"])
            for doc, row in zip(docs, recorded, strict=True)
        ]
        assert sum(v.score for v in verdicts) == right, system


def test_pope(data):
    task, functions, source, docs = opened("pope", data)
    assert len(docs) == 8910
    assert Counter(functions.categories(doc)["category"] for doc in docs) == {
        "adversarial": 3000,
        "popular": 3000,
        "random": 2910,
    }
    assert len({functions.cluster(doc) for doc in docs}) == 500
    assert {functions.target(doc) for doc in docs} == {"yes", "no"}
    # A picture that is not there leaves the item an item.
    (value,) = functions.visuals(docs[0])
    assert read_media(value, source.root) == MissingMedia("file not found: val2014/COCO_val2014_000000310196.jpg")
    assert messages(task, docs[0], 1) == (
        ("media", 0),
        ("text", "Is there a snowboard in the image?\nAnswer the question using a single word or phrase."),
    )
    assert task.primary_metric == "f1_macro"
    assert task.metric_list[0].macro_over == ("category",)


def test_pope_with_the_later_labels(data):
    _, functions, _, docs = opened("pope_coco_head", data)
    missing = Counter(doc["category"] for doc in docs if functions.target(doc) is None)
    assert len(docs) == 8910
    assert sum(missing.values()) == 246
    assert sorted(missing.values()) == [44, 58, 144]
