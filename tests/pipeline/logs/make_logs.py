"""Writes the logs of this folder with the packages that write such logs: see README.md.

    python make_logs.py [inspect|lm-eval|lmms-eval|vlmevalkit ...]

Everything is made up: eight questions about birds, and a "model" that looks its answers up.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIRDS = ("robin", "penguin", "ostrich", "swift", "kiwi", "heron", "emu", "wren")
FLIES = ("yes", "no", "no", "yes", "no", "yes", "no", "yes")
ROWS = [
    {"id": f"q{i}", "question": f"Can a {bird} fly?", "answer": answer, "topic": "small" if i % 2 else "large"}
    for i, (bird, answer) in enumerate(zip(BIRDS, FLIES, strict=True))
]
# Right for the first six; the seventh is wrong, the eighth says nothing.
ANSWERS = ["Answer: yes", "Answer: no", "Answer: no", "Answer: yes", "Answer: no", "Answer: yes", "Answer: yes", ""]


def answer_to(prompt: str) -> str:
    return next(text for bird, text in zip(BIRDS, ANSWERS, strict=True) if f" {bird} " in prompt)


def inspect_logs() -> None:
    """inspect_ai: two epochs, one sample that fails, one that is cut short and one that is refused."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.log import read_eval_log, write_eval_log
    from inspect_ai.log._recorders.chunked.convert import convert_eval_logs_to_chunked
    from inspect_ai.model import ChatMessageAssistant, ContentReasoning, ContentText, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    def reply(messages, tools, choice, config):
        prompt = messages[-1].text
        if " heron " in prompt:
            raise RuntimeError("rate limit: 429 Too Many Requests")
        text = answer_to(prompt)
        if " swift " in prompt:
            content = [ContentReasoning(reasoning="Swifts hardly ever land."), ContentText(text=text)]
            return counted(ModelOutput.from_message(ChatMessageAssistant(content=content, model="mockllm/birds")))
        stop = "max_tokens" if " emu " in prompt else "content_filter" if " wren " in prompt else "stop"
        return counted(ModelOutput.from_content("mockllm/birds", text, stop))

    def counted(output):
        output.usage = ModelUsage(input_tokens=11, output_tokens=3, total_tokens=14)
        return output

    data = MemoryDataset([Sample(id=r["id"], input=r["question"], target=r["answer"]) for r in ROWS], name="birds")
    with tempfile.TemporaryDirectory() as folder:
        (log,) = eval(
            Task(name="birds", dataset=data, solver=generate(), scorer=includes()),
            model=get_model("mockllm/birds", custom_outputs=reply, api_key="sk-not-a-real-key-but-treated-as-one"),
            epochs=2, temperature=0.5, max_tokens=64, seed=7, log_dir=folder, fail_on_error=False, display="none",
        )  # fmt: skip
        log = read_eval_log(log.location)
        for sample in log.samples or []:  # what was said, without the names of this machine's folders
            sample.events, sample.error_retries = [], None
            if sample.error:
                sample.error.traceback = sample.error.traceback_ansi = ""
        log.eval.revision, log.eval.task_file = None, None
        write_eval_log(log, str(HERE / "inspect.eval"))
        write_eval_log(log, str(HERE / "inspect.json"))
        convert_eval_logs_to_chunked(str(HERE / "inspect.eval"), folder)
        shutil.copy(Path(folder) / "inspect.eval", HERE / "inspect_chunked.eval")


def harness_task(folder: Path) -> dict:
    (folder / "birds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return {
        "task": "birds",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "birds.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}\nEnd with 'Answer: yes' or 'Answer: no'.",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 32, "temperature": 0.5, "do_sample": True},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


def lm_eval_logs() -> None:
    """lm-evaluation-harness: two answers an item, two filters; and the same as a task of log-likelihoods."""
    from lm_eval.api.model import LM
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.loggers import EvaluationTracker

    class Birds(LM):
        asked = 0

        def generate_until(self, requests, **more):
            self.asked += len(requests)
            return [answer_to(r.args[0]) + (" indeed" if i % 2 else "") for i, r in enumerate(requests)]

        def loglikelihood(self, requests, **more):
            return [(-1.5 if "yes" in r.args[1] else -2.5, False) for r in requests]

        def loglikelihood_rolling(self, requests, **more):
            raise NotImplementedError

    target = HERE / "lm_eval"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        made = harness_task(Path(folder))
        extract = {"function": "regex", "regex_pattern": "Answer: (yes|no)"}
        made["repeats"] = 2
        made["filter_list"] = [
            {"name": "strict", "filter": [extract, {"function": "take_first"}]},
            {"name": "first", "filter": [{"function": "take_first"}]},
        ]
        choice = {k: v for k, v in made.items() if k not in ("generation_kwargs", "filter_list", "repeats")}
        choice |= {"task": "birds_choice", "output_type": "multiple_choice", "doc_to_choice": ["yes", "no"]}
        choice["metric_list"] = [{"metric": "acc"}]
        tasks = [ConfigurableTask(config=made), ConfigurableTask(config=choice)]
        tracker = EvaluationTracker(output_path=folder)
        found = simple_evaluate(
            Birds(), model_args="pretrained=birds/model-1b", tasks=tasks, evaluation_tracker=tracker
        )
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=found, samples=samples)
        for name, rows in samples.items():
            tracker.save_results_samples(task_name=name, samples=rows)
        keep(Path(folder), target)


def lmms_eval_logs() -> None:
    """lmms-eval: a run of two tasks; the second repeats each question and has a request that failed."""
    from lmms_eval.api.model import lmms
    from lmms_eval.api.task import ConfigurableTask
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.loggers import EvaluationTracker

    class Birds(lmms):
        is_simple = True

        def __init__(self, **args):
            super().__init__()
            self.task_dict = {}

        def generate_until(self, requests):
            return [self.say(r.args[0], r.task_name, i) for i, r in enumerate(requests)]

        def say(self, prompt, task, number):
            if task == "birds_again" and " heron " in prompt:
                return "[LMMS_EVAL_REQUEST_FAILED after 5 retries] 429 Too Many Requests"
            return answer_to(prompt) + (f" ({number % 2})" if task == "birds_again" else "")

        def loglikelihood(self, requests):
            raise NotImplementedError

        def generate_until_multi_round(self, requests):
            raise NotImplementedError

    target = HERE / "lmms_eval"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        made = harness_task(Path(folder))
        made["generation_kwargs"] = {"max_new_tokens": 32, "temperature": 0.5, "do_sample": True}
        made["doc_to_visual"] = "no_pictures"
        extract = {"function": "regex", "regex_pattern": "Answer: (yes|no)"}
        first = dict(made)
        first["filter_list"] = [
            {"name": "first", "filter": [{"function": "take_first"}]},
            {"name": "strict", "filter": [extract, {"function": "take_first"}]},
        ]
        again = {**made, "task": "birds_again", "repeats": 2}
        again["filter_list"] = [{"name": "none", "filter": [{"function": "take_first_k", "k": 2}]}]
        tasks = [ConfigurableTask(config=c, model_name="birds") for c in (first, again)]
        for task in tasks:
            task.doc_to_visual = lambda doc: []
        tracker = EvaluationTracker(output_path=folder)
        tracker.general_config_tracker.log_experiment_args("birds", "pretrained=birds/model-1b", "", "", False)
        found = run_lmms(simple_evaluate, Birds, tasks, tracker)
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=found, samples=samples, datetime_str="20260101_120000")
        for name, rows in samples.items():
            tracker.save_results_samples(task_name=name, samples=rows)
        keep(Path(folder), target)


def run_lmms(simple_evaluate, model, tasks, tracker):
    import lmms_eval.models as models

    models.get_model = lambda *args, **kwargs: model
    return simple_evaluate(
        "birds", model_args="pretrained=birds/model-1b", tasks=tasks, evaluation_tracker=tracker, bootstrap_iters=0
    )


def vlmevalkit_logs() -> None:
    """VLMEvalKit's result table, by the calls of pandas that its `dump` makes (the package is not on PyPI)."""
    import csv

    import pandas as pd

    answers = ["A", "B", "=B", "A", "Failed to obtain answer via API.", "A", "A", ""]
    table = pd.DataFrame(
        [
            {"index": 100 + i, "question": r["question"], "A": "yes", "B": "no", "category": r["topic"],
             "answer": "A" if r["answer"] == "yes" else "B", "prediction": answers[i]}
            for i, r in enumerate(ROWS)
        ]
    )  # fmt: skip
    target = HERE / "vlmevalkit"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    options = {"options": {"strings_to_formulas": False}}
    with pd.ExcelWriter(target / "model-1b_Birds.xlsx", engine="xlsxwriter", engine_kwargs=options) as writer:
        table.to_excel(writer, index=False)
    # Before this option was set, a text with "=" in front became a formula.
    with pd.ExcelWriter(target / "model-old_Birds.xlsx", engine="xlsxwriter") as writer:
        table.to_excel(writer, index=False)
    table.to_csv(target / "model-1b_Birds.tsv", sep="\t", index=False, encoding="utf-8", quoting=csv.QUOTE_ALL)
    (target / "model-1b_Birds.json").write_text(
        json.dumps(table.to_dict("records"), indent=4, ensure_ascii=False), encoding="utf-8"
    )


MACHINE = ("pretty_env_info", "git_hash", "upper_git_hash", "git_branch", "lmms_eval_version", "start_time", "end_time")


def keep(source: Path, target: Path) -> None:
    """The files of a run, without what they say of the machine."""
    for file in sorted(source.rglob("*.json*")):
        if file.name == "birds.jsonl":
            continue
        to = target / file.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text().replace(str(source), ".")
        if "results" in file.name:
            text = json.dumps({k: v for k, v in json.loads(text).items() if k not in MACHINE}, indent=1) + "\n"
        to.write_text(text)


if __name__ == "__main__":
    makers = {"inspect": inspect_logs, "lm-eval": lm_eval_logs, "lmms-eval": lmms_eval_logs}
    makers["vlmevalkit"] = vlmevalkit_logs
    for name in sys.argv[1:] or makers:
        makers[name]()
