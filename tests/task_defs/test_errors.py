"""What a user reads when a task is wrong: file, line, field, what was expected, what was found."""

from __future__ import annotations

import pytest

from task_defs import TaskError, list_tasks, load_task

GOOD = """task: birds
dataset_path: rows.jsonl
doc_to_text: "{{ question }}"
doc_to_target: answer
judge: exact
"""

# what is appended to (or replaces) GOOD, and the message after the file's name
APPENDED = {
    "repeats: 0": ":6: repeats: input should be greater than or equal to 1, found 0",
    "repeats: two": ":6: repeats: input should be a valid integer, found 'two'",
    "repeats: true": ":6: repeats: input should be a valid integer, found True",
    "doc_to_txt: x": ":6: doc_to_txt: unknown field: did you mean doc_to_text",
    "process_results: utils.f": (
        ":6: process_results: not a field here: answers are scored by `judge` and reported by `metric_list`"
    ),
    "test_split: [a]": ":6: test_split: input should be a valid string, found ['a']",
    "source: csv": (
        ":6: source: input should be 'auto', 'huggingface', 'parquet', 'jsonl', 'lance' or 'function', found 'csv'"
    ),
    "source: function": ":6: source: `function` needs `docs`, the function that yields the rows",
    "output_type: multiple_choice": ":6: output_type: `multiple_choice` needs `doc_to_choice`",
    "data_files: {test: ../x.jsonl}": (
        ":6: data_files.test.0: expected a path inside the folder, without '..' and not absolute, found '../x.jsonl'"
    ),
    "data_files: {dev: x.jsonl}": ":1: test_split: expected one of data_files (dev), found 'test'",
    "data_folder: /etc": (
        ":6: data_folder: expected a path inside the folder, without '..' and not absolute, found '/etc'"
    ),
    "generation_kwargs:\n  temperature: 0\n  top_p: 2": (
        ":8: generation_kwargs.top_p: input should be less than or equal to 1, found 2"
    ),
    "generation_kwargs: {max_tokens: 5, max_new_tokens: 6}": (
        ":6: generation_kwargs.max_new_tokens: says the same as max_tokens: keep one of them"
    ),
    "generation_kwargs:\n  max_token: 5": (":7: generation_kwargs.max_token: unknown field: did you mean max_tokens?"),
    "generation_kwargs:\n  num_beams: 4": (
        ":7: generation_kwargs.num_beams: expected 1: the engines sample, they search no beams"
    ),
    "generation_kwargs:\n  do_sample: true\n  temperature: 0": (
        ":7: generation_kwargs.do_sample: true contradicts temperature 0"
    ),
    "metric_list:\n  - metric: f1\n  - name: g": (
        ":8: metric_list.1.metric: this field is required in each entry of metric_list"
    ),
    "metric_list:\n  - {metric: f1}\n  - {metric: f1}": ":8: metric_list.1.name: 'f1' stands here twice",
    "ordered: [level]": ":6: ordered.0: 'level' must also stand in report_by",
    "metric_list:\n  - metric: f1\n    macro_over: kind": (
        ":8: metric_list.0.macro_over: 'kind' must also stand in report_by"
    ),
    "report_by: {a: b}": ":6: report_by: expected text or a list of texts, found {'a': 'b'}",
    "doc_to_visual: 5": ":6: doc_to_visual: expected text or a list of texts, found 5",
    "doc_to_choice: '{{ a }} or {{ b }}'": (
        ":6: doc_to_choice: expected one {{ expression }} that gives a list, found '{{ a }} or {{ b }}'"
    ),
    "cluster_key: '{{ photo '": (
        ":6: cluster_key: not Jinja: unexpected end of template, expected 'end of print statement'."
    ),
    "cluster_key: '{{ photo | nothing }}'": ":6: cluster_key: not Jinja: No filter named 'nothing'.",
    "repeats: 1\nrepeats: 2": ":7: repeats: stands here twice, first in line 6",
    "tag: 'a\nb": ":8: not YAML: found unexpected end of stream",
    "  bad: [": ":6: not YAML: mapping values are not allowed here",
    "tag: !!python/object/apply:os.system [ls]": ":6: not YAML: could not determine a constructor",
    "include: /etc/passwd": ":6: include: '/etc/passwd' lies outside",
    "include: ../other.yaml": ":6: include: '../other.yaml' lies outside",
    "include: missing.yaml": ":6: include: no such file: ",
    "include: 5": ":6: include: expected the path of a YAML file, found 5",
    "process_docs: utils": (
        ":6: process_docs: expected a function as 'file.function' (for example utils.f), found 'utils'"
    ),
    "process_docs: 5": ":6: process_docs: expected a function of the task's folder, such as utils.f, found 5",
    "process_docs: !function utils.f": ":6: process_docs: function utils.f: no such file: looked for ",
}
REPLACED = {
    ("judge: exact", "judge: exacd"): ":5: judge: no judge 'exacd'. Did you mean 'exact'",
    ("judge: exact", "judge: {name: yes_no, rule: rope}"): (":5: judge: judge 'yes_no': rule: Input should be 'words'"),
    ("judge: exact", "judge: 5"): (
        ":5: judge: expected the name of a judge, or a mapping with `name` and the judge's settings, found 5"
    ),
    ("judge: exact\n", ""): ":1: judge: this field is required",
    ("task: birds", "task: a/b"): (
        ":1: task: expected letters, digits, '_', '-' and '.', beginning with a letter or a digit, found 'a/b'"
    ),
    ("task: birds", "task: 12"): ":1: task: input should be a valid string, found 12",
    ("dataset_path: rows.jsonl\n", ""): (":1: dataset_path: say where the rows are: dataset_path, data_files or docs"),
    ('doc_to_text: "{{ question }}"', "doc_to_text: 5"): (
        ":3: doc_to_text: expected text (Jinja) or a function, found 5"
    ),
    ('doc_to_text: "{{ question }}"', "doc_to_text:"): (
        ":3: doc_to_text: expected text (Jinja) or a function, found nothing"
    ),
    ('doc_to_text: "{{ question }}"', "doc_to_text: |\n  one\n  {{ two\n  three"): (
        ":6: doc_to_text: not Jinja: expected token 'end of print statement', got 'three'"
    ),
}


def _message(tmp_path, text: str) -> str:
    path = tmp_path / "birds.yaml"
    path.write_text(text)
    with pytest.raises(TaskError) as caught:
        load_task(path)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    return message.removeprefix(str(path))


@pytest.mark.parametrize("addition", APPENDED)
def test_a_wrong_field_is_named_with_its_line(tmp_path, addition):
    assert _message(tmp_path, GOOD + addition + "\n").startswith(APPENDED[addition])


@pytest.mark.parametrize("change", REPLACED)
def test_a_wrong_value_is_named_with_its_line(tmp_path, change):
    assert _message(tmp_path, GOOD.replace(*change)).startswith(REPLACED[change])


def test_the_unchanged_task_is_good(tmp_path):
    (tmp_path / "birds.yaml").write_text(GOOD)
    assert load_task(tmp_path / "birds.yaml").task == "birds"


def test_all_faults_are_told_together_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "birds.yaml"
    path.write_text("task: birds\nrepeats: 0\ndoc_to_text: '{{ x'\ntypo: 1\njudge: nobody\nprocess_docs: utils.f\n")
    with pytest.raises(TaskError) as caught:
        load_task(path)
    found = [(p.line, p.field) for p in caught.value.problems]
    # The templates are looked at once the fields are right.
    assert found == [(2, "repeats"), (4, "typo"), (5, "judge"), (6, "process_docs")]
    assert str(caught.value).startswith("4 problems:\n")


def test_a_file_that_is_no_mapping_or_no_text(tmp_path):
    path = tmp_path / "birds.yaml"
    for content, message in ((b"- a\n", ":1: expected a mapping of fields"), (b"a: \xff\n", ": not YAML: ")):
        path.write_bytes(content)
        with pytest.raises(TaskError, match=message):
            load_task(path)
    with pytest.raises(TaskError, match="cannot be read: No such file"):
        load_task(tmp_path / "nothing.yaml")


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(TaskError, match="unknown task 'gsm8': did you mean gsm8k"):
        load_task("gsm8")
    with pytest.raises(TaskError, match=r"unknown task 'zzzz': known tasks: .*digits"):
        load_task("zzzz")


def test_a_task_found_twice_names_both_files(write, tmp_path, monkeypatch):
    write("a/mine.yaml", GOOD)
    write("b/sub/other.yaml", GOOD)
    monkeypatch.setenv("EVAL_TASK_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    with pytest.raises(TaskError) as caught:
        list_tasks()
    assert str(tmp_path / "a/mine.yaml") in str(caught.value)
    assert str(tmp_path / "b/sub/other.yaml") in str(caught.value)


def test_a_task_path_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("EVAL_TASK_PATH", "/no/such/folder")
    with pytest.raises(TaskError, match="EVAL_TASK_PATH: no such folder: /no/such/folder"):
        list_tasks()


def test_a_cycle_of_includes_is_told(write, tmp_path):
    write("a.yaml", "task: a\ninclude: b.yaml\n")
    write("b.yaml", "include: a.yaml\n")
    with pytest.raises(TaskError) as caught:
        load_task(tmp_path / "a.yaml")
    assert str(caught.value) == f"{tmp_path}/b.yaml:1: include: a cycle: a.yaml -> b.yaml -> a.yaml"


def test_a_fault_in_an_included_file_names_that_file(write, tmp_path):
    write("base.yaml", "judge: exact\ndataset_path: x\ndoc_to_text: q\nrepeats: -1\n")
    write("birds.yaml", "include: base.yaml\ntask: birds\n")
    with pytest.raises(TaskError) as caught:
        load_task(tmp_path / "birds.yaml")
    assert str(caught.value).startswith(f"{tmp_path}/base.yaml:4: repeats: ")


def test_faults_in_a_function_file_are_told_at_load_time(write, tmp_path):
    path = write("birds.yaml", GOOD + "process_docs: !function utils.f\n")
    write("utils.py", "def g(docs, root, task):\n    return docs\n")
    with pytest.raises(TaskError, match=r"birds.yaml:6: process_docs: .*utils.py defines no 'f'"):
        load_task(path)
    write("utils.py", "x = 1\ndef f(:\n")
    with pytest.raises(TaskError, match=r"birds.yaml:6: process_docs: .*utils.py:2: not Python: "):
        load_task(path)


def test_a_function_outside_the_tasks_folder_is_refused(write, tmp_path):
    elsewhere = write("elsewhere/real.py", "def f(doc):\n    return 1\n")
    path = write("tasks/birds.yaml", GOOD + "process_docs: utils.f\n")
    (path.parent / "utils.py").symlink_to(elsewhere)
    with pytest.raises(TaskError, match="leads outside the task's folder"):
        load_task(path)
