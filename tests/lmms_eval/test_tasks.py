"""lmms-eval's own tasks, through the installed package, on small data of the same schema."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from eval_assets.pipeline.cell import record_of
from eval_assets.pipeline.ingest import ingest, media_of
from eval_assets.pipeline.judging import JudgingIncomplete
from eval_assets.pipeline.planning import need_of
from eval_assets.pipeline.questions import questions
from eval_assets.pipeline.scoring import scores_of
from judges import get_judge
from task_defs import TaskError, judge_spec, load_task
from task_defs.lmms_eval import leaves, task_names
from task_defs.lmms_eval.endpoint import Endpoint
from tests.conftest import Reply
from tests.lmms_eval import local_data
from tests.pipeline.conftest import Bench


def verdicts(task, items, texts):
    responses = [SimpleNamespace(text=t, finish_reason="stop", loglikelihoods=None, error=None) for t in texts]
    return asyncio.run(get_judge(judge_spec(task)).judge_many(items, responses))


def asked(store, task):
    return [q for batch in questions(store, task) for q in batch]


def test_a_picture_task_is_asked_as_lmms_eval_asks_it_and_its_pictures_pass_undecoded(lmms, data, store):
    local_data.mmmu(data)
    task = load_task("lmms_eval:mmmu_val")
    assert ingest(task, store).quarantined == []
    first, *_, last = asked(store, task)
    parts = first.messages[0].parts
    assert [kind for kind, _ in parts] == ["media", "text"]
    assert parts[1][1].startswith("What is shown in picture 0?\nA. A disc\nB. A square")
    # The functions hand out `image.convert("RGB")`; what is stored is the file itself.
    assert media_of(store, task).read([first.item.media[0].sha])[first.item.media[0].sha] == local_data.picture(0)
    found = verdicts(task, [first.item, last.item], ["The answer is (A).", "about 12"])
    assert [v.score for v in found] == [1.0, 1.0]
    assert found[0].answer == "A"
    assert ingest(task, store).change == "unchanged"


def test_text_with_examples_and_two_filters(lmms, data, store):
    local_data.gsm8k(data)
    task = load_task("lmms_eval:gsm8k")
    ingest(task, store)
    first = asked(store, task)[0]
    prompt = first.messages[0].parts[0][1]
    assert prompt.count("Question: ") == 6  # five examples of the training split, then the item's own
    assert prompt.endswith("Question: Ann has 0 nuts, finds 0. How many?\nAnswer:")
    assert task.generation_kwargs.stop == ("Question:", "</s>", "<|im_end|>")
    both, loose = verdicts(task, [first.item] * 2, ["#### 0", "It is 0"])
    assert both.values == {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 1.0}
    assert loose.values == {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}


def test_an_aggregation_over_pairs_of_items_has_its_own_value_and_no_item_has_a_part(lmms, data, store):
    local_data.mme(data)
    task = load_task("lmms_eval:mme")
    ingest(task, store)
    items = [q.item for q in asked(store, task)]
    judge = get_judge(judge_spec(task))
    found = verdicts(task, items, ["yes"] * len(items))
    assert [v.score for v in found[:2]] == [1.0, 0.0]
    perception = judge.metrics[0]
    assert all(v.values[perception.name] != v.values[perception.name] for v in found)  # NaN
    # "Yes" to everything: half of each pair right (50), never both, in two categories of perception.
    results = [v.results for v in found]
    assert perception.aggregate(results, []) == [100.0]
    assert perception.aggregate(results, [[0, 1], [6, 7]]) == [100.0, 100.0, 100.0]


def test_names(lmms):
    assert len(task_names()) >= 1711
    assert leaves("lmms_eval:mmmu") == ["lmms_eval:mmmu_val", "lmms_eval:mmmu_test"]
    with pytest.raises(TaskError, match=r"no task 'mmmu_vall': did you mean mmmu_val"):
        load_task("lmms_eval:mmmu_vall")
    with pytest.raises(TaskError, match=r"'mmmu' is a group of 2 tasks: mmmu_val, mmmu_test"):
        load_task("lmms_eval:mmmu")


OWN = """
import os, sys, time

def text(doc): return doc["question"]
def visual(doc): return []
def grade(doc, results):
    if doc["question"] == "raise": raise KeyError("a column that is not there")
    if doc["question"] == "hang":
        while True: pass
    if doc["question"] == "exit": os._exit(3)
    if doc["question"] == "key": return {"own": float("SECRET_KEY" in os.environ)}
    if doc["question"] == "net":
        import socket
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    if doc["question"].startswith("ask"):
        import openai
        try:
            asked = [{"role": "user", "content": results[0]}]
            said = openai.OpenAI().chat.completions.create(model="gpt-x", messages=asked)
            return {"own": float(said.choices[0].message.content == "yes")}
        except Exception:
            return {"own": 0.0}
    if doc["question"] == "package": import a_package_that_nobody_has
    print("functions may print")
    return {"own": float(results[0] == doc["answer"])}
"""
YAML = """
task: {name}
dataset_path: {name}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.visual
doc_to_text: !function utils.{text}
doc_to_target: answer
process_results: !function utils.grade
metric_list:
  - {{metric: own, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture
def own(lmms, data: Path, tmp_path: Path, monkeypatch):
    """A task of the user's own in lmms-eval's format: `own("raise", "fine")` has one item for each word."""

    def make(*words: str, text: str = "text"):
        folder = tmp_path / "tasks" / "owntask"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "utils.py").write_text(OWN)
        (folder / "owntask.yaml").write_text(YAML.format(name="owntask", text=text))
        monkeypatch.setenv("EVAL_LMMS_TASKS", str(tmp_path / "tasks"))
        local_data.write([{"question": w, "answer": "yes"} for w in words], data / "owntask/test-0.parquet")
        return load_task("lmms_eval:owntask")

    return make


def test_what_a_function_does_wrong_stays_with_its_item(own, store, monkeypatch):
    monkeypatch.setenv("EVAL_LMMS_TIMEOUT", "3")
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    words = ["fine", "raise", "hang", "exit", "package", "net", "key", "fine"]
    task = own(*words)
    ingest(task, store)
    items = [q.item for q in asked(store, task)]
    found = dict(zip(words[:-1], verdicts(task, items, ["yes"] * 8), strict=False))
    assert found["fine"].score == 1.0
    assert found["key"].score == 0.0  # no key of this shell is in the process
    assert "KeyError: 'a column that is not there'" in found["raise"].unscored
    assert 'utils.py", line 7, in grade' in found["raise"].unscored
    assert "no answer within 3 s" in found["hang"].unscored
    assert "exit status 3" in found["exit"].unscored
    assert "-m pip install a_package_that_nobody_has" in found["package"].unscored
    assert "lmms-eval's functions have no network" in found["net"].unscored
    assert all(v.unscored.startswith("judge error") for k, v in found.items() if k not in ("fine", "key"))


def test_judge_questions_go_to_the_judge_model_within_its_budget(own, store, endpoint, tmp_path, monkeypatch):
    """Through the whole chain: nobody behind the door, a judge with a budget, one with more of it."""
    config = tmp_path / "evals.yaml"
    config.write_text("{}")
    monkeypatch.setenv("EVAL_CONFIG", str(config))
    task, bench = own(*(f"ask {n}" for n in range(4))), Bench(store, endpoint)
    endpoint.answer = lambda request, number: Reply("yes" if request.body["model"] == "my-judge" else request.text)

    def configured(**limits):
        entry = {"model": "openai", "source": "my-judge", **endpoint.args(max_retries=0), **limits}
        config.write_text(yaml.safe_dump({"judge_models": {"lmms_eval": entry}}))

    def asked():
        return [seen.text for seen in endpoint.seen if seen.body["model"] == "my-judge"]

    assert {row["unscored"].partition(":")[0] for row in bench.scored(task)} == {"judge not configured"}
    assert need_of(store, "m", task).stage == "statistical_report"
    configured(max_total_tokens=20)  # the stand-in counts 9 tokens a question
    assert need_of(store, "m", task).stage == "judge_scores", "who judges is part of the scores"
    with pytest.raises(JudgingIncomplete, match=r"judge lmms_eval: the budget of this run is spent: 18 of"):
        bench.scored(task)
    assert len(asked()) == 2
    scores = scores_of(store, "m", task.task).dataset().to_table().to_pylist()
    assert [row["score"] for row in scores[:2]] == [1.0, 1.0]
    assert all(row["unscored"].startswith("judge not reached: lmms_eval: the budget") for row in scores[2:])
    configured(max_total_tokens=1000, price_in=1, price_out=2)
    assert [row["score"] for row in bench.scored(task)] == [1.0] * 4
    assert sorted(asked()) == [f"ask {n}" for n in range(4)], "what was answered is not asked again"
    spent = json.loads(record_of(store, bench.cell(task), "scores")["details"])["judging"]["lmms_eval"]
    assert spent == {
        "asked": 2, "reused": 2, "prompt_tokens": 14, "completion_tokens": 4, "cost": pytest.approx(22e-6),
    }  # fmt: skip
    assert Endpoint.behind is None, "the door is closed when a cell is judged"


def test_a_definition_that_changed_is_another_one(own):
    before = own("fine")
    again = own("fine")
    assert before.definition == again.definition
    assert get_judge(judge_spec(before)).digest() == get_judge(judge_spec(again)).digest()
    edited = own("fine", text="grade")
    assert edited.definition != before.definition


def test_a_function_that_is_not_there_is_told_with_the_task(own):
    with pytest.raises(TaskError, match=r"lmms_eval:owntask cannot be loaded: .*nothing_like_it"):
        own("fine", text="nothing_like_it")
