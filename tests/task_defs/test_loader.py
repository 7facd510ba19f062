"""Loading tasks: include, functions beside the YAML, folders of the user's own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from task_defs import (
    TaskDef,
    TaskError,
    compile_task,
    judge_spec,
    label_digest_parts,
    list_tasks,
    load_task,
    open_source,
    prompt_digest,
)

BIRDS = """
    task: birds
    dataset_path: rows.jsonl
    doc_to_text: utils.prompt
    doc_to_target: !function utils.label
    judge: {name: function, function: !function utils.score}
"""
UTILS = """
    from dataclasses import dataclass

    @dataclass
    class Half:
        value: int

    def prompt(doc):
        return "How many " + doc["what"] + "?"

    def label(doc):
        return Half(doc["n"]).value // 2

    def score(item, text):
        return text == str(item.target)

    def double(docs, root, task):
        for doc in docs:
            yield doc
            yield {**doc, "n": 10 * doc["n"], "split": task.test_split, "root": root.name}
"""


def test_a_task_folder_of_the_users_own(write, tmp_path, monkeypatch):
    write("tasks/birds.yaml", BIRDS)
    write("tasks/birds/utils.py", UTILS)
    write("tasks/rows.jsonl", '{"what": "wrens", "n": 8}\n')
    before = list(sys.path)
    monkeypatch.setenv("EVAL_TASK_PATH", str(tmp_path / "tasks"))
    assert "birds" in list_tasks()
    assert "gsm8k" in list_tasks()
    task = load_task("birds")
    (row,) = open_source(task).rows()
    functions = compile_task(task)
    assert functions.text(row.doc) == "How many wrens?"
    assert functions.target(row.doc) == 4
    assert judge_spec(task)["function"](type("Item", (), {"target": 4}), "4") is True
    assert sys.path == before
    assert not list((tmp_path / "tasks").rglob("__pycache__"))


def test_the_yaml_and_its_functions_in_one_folder_and_the_search_path_argument(write, tmp_path):
    write("tasks/birds/birds.yaml", BIRDS)
    write("tasks/birds/utils.py", UTILS)
    assert load_task("birds", search_path=[tmp_path / "tasks"]).path == tmp_path / "tasks/birds/birds.yaml"


def test_include_takes_the_fields_of_the_including_file_whole(write, tmp_path):
    write("birds.yaml", BIRDS + "    metadata: {version: 1, licence: MIT}\n    repeats: 2\n")
    write("birds/utils.py", UTILS)
    path = write("more_birds.yaml", "include: birds.yaml\ntask: more_birds\nmetadata: {version: 2}\n")
    task = load_task(path)
    assert (task.task, task.repeats, task.metadata) == ("more_birds", 2, {"version": 2})
    # Functions are looked up beside the file that names them.
    assert compile_task(task).text({"what": "owls"}) == "How many owls?"


def test_a_yaml_without_a_task_is_only_there_to_be_included(write, tmp_path):
    write("t/_common.yaml", "judge: exact\ndoc_to_text: q\ndataset_path: rows.jsonl\n")
    write("t/one.yaml", "include: _common.yaml\ntask: one\n")
    assert set(list_tasks([tmp_path / "t"])) - set(list_tasks([])) == {"one"}
    assert load_task("one", [tmp_path / "t"]).doc_to_text == "q"


def test_an_edited_function_file_is_seen_in_the_same_process(write, tmp_path):
    path = write("birds.yaml", BIRDS)
    write("utils.py", UTILS)
    old = load_task(path)
    old_digests = prompt_digest(old), label_digest_parts(old)
    assert compile_task(old).text({"what": "owls"}) == "How many owls?"
    write("utils.py", UTILS.replace("How many ", "Count the "))
    new = load_task(path)
    assert compile_task(new).text({"what": "owls"}) == "Count the owls?"
    assert prompt_digest(new) != old_digests[0]


def test_a_function_file_that_fails_is_named(write):
    path = write("birds.yaml", BIRDS)
    write("utils.py", UTILS + "    import not_installed_anywhere\n")
    with pytest.raises(TaskError, match=r"utils.py: cannot be loaded: ModuleNotFoundError: .*not_installed"):
        compile_task(load_task(path))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"temperature": 0.0}),
        ({"max_new_tokens": 7, "until": "\n"}, {"max_tokens": 7, "temperature": 0.0, "stop": ["\n"]}),
        (
            {"stop": ["a", "b"], "seed": 1, "top_k": 5},
            {"temperature": 0, "top_k": 5, "stop": ["a", "b"], "seed": 1},
        ),
        ({"do_sample": False, "temperature": 0.7, "num_beams": 1}, {"temperature": 0.0}),
        ({"do_sample": True}, {"temperature": 1.0}),
        ({"temperature": 0.7, "top_p": 0.9}, {"temperature": 0.7, "top_p": 0.9}),
    ],
)
def test_generation_parameters_as_lmms_eval_spells_them(given, wanted):
    task = TaskDef(task="t", dataset_path="x", doc_to_text="q", judge="exact", generation_kwargs=given)
    assert task.generation_kwargs.to_dict() == wanted


def _digests(folder) -> tuple[str, dict[str, str]]:
    task = load_task(folder / "birds.yaml")
    return prompt_digest(task), label_digest_parts(task)


def test_digests_tell_a_prompt_edit_from_a_label_edit(write, tmp_path):
    text = "task: birds\ndataset_path: x\ndoc_to_text: '{{ q }}'\n"
    text += "doc_to_target: a\nreport_by: kind\njudge: exact\n"
    write("birds.yaml", text)
    prompt, labels = _digests(tmp_path)
    write("birds.yaml", text.replace("doc_to_target: a", "doc_to_target: b"))
    assert _digests(tmp_path)[0] == prompt
    assert {k for k, v in _digests(tmp_path)[1].items() if v != labels[k]} == {"doc_to_target"}
    write("birds.yaml", text.replace("{{ q }}", "{{ q }}?"))
    assert _digests(tmp_path)[0] != prompt
    assert _digests(tmp_path)[1] == labels
    write("birds.yaml", text + "description: 'Look. '\n")
    assert _digests(tmp_path)[0] != prompt
    write("birds.yaml", text.replace("judge: exact", "judge: contains") + "repeats: 3\n# a comment\n")
    assert _digests(tmp_path) == (prompt, labels)


def test_digests_are_the_same_in_another_folder_with_other_line_ends_and_another_process(write, tmp_path):
    for folder in ("one", "two"):
        write(f"{folder}/birds.yaml", BIRDS)
        write(f"{folder}/utils.py", UTILS)
    file = tmp_path / "two/utils.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    here = _digests(tmp_path / "one")
    code = (
        "import sys; from pathlib import Path; from task_defs import *\n"
        "task = load_task(Path(sys.argv[1])); print(prompt_digest(task), label_digest_parts(task))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "two/birds.yaml")],
        capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
    ).stdout  # fmt: skip
    assert there.strip() == f"{here[0]} {here[1]}"


def test_the_package_is_light_to_import():
    code = (
        "import sys, task_defs; task_defs.list_tasks(); "
        "heavy = ('numpy', 'pyarrow', 'datasets', 'lance', 'PIL', 'dagster', 'judges'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_copy_of_a_task_with_other_fields_is_compiled_anew():
    task = TaskDef(task="t", dataset_path="x", doc_to_text="{{ q }}", judge="exact")
    assert compile_task(task) is compile_task(task)
    assert compile_task(task).text({"q": "a"}) == "a"
    copy = task.model_copy(update={"doc_to_text": "{{ q }}!"})
    assert compile_task(copy).text({"q": "a"}) == "a!"
    assert compile_task(task).text({"q": "a"}) == "a"
