"""What a task makes of a row."""

from __future__ import annotations

import time

import pytest

from task_defs import RenderError, TaskDef, compile_task, load_task, messages

ROW = {
    "id": 7,
    "question": "Which?",
    "options": ["a", "b"],
    "answer": "b",
    "image": "1.jpg",
    "image_2": None,
    "kind": "owl",
    "level": 2,
}


def made(**fields):
    fields = {"doc_to_text": "question", **fields}
    return compile_task(TaskDef(task="birds", dataset_path="x", judge="exact", **fields))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("question", "Which?"),
        ("{{ question }} {{ options[1] }}\n", "Which? b\n"),
        ("Say a word.", "Say a word."),
        ("{% for o in options %}({{ 'AB'[loop.index0] }}) {{ o }} {% endfor %}", "(A) a (B) b "),
        ("{{ doc['question'] }}", "Which?"),
    ],
)
def test_text(rule, text):
    assert made(doc_to_text=rule).text(ROW) == text


def test_the_description_stands_before_the_prompt():
    assert made(description="Look at the {{ kind }}. ").text(ROW) == "Look at the owl. Which?"


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ("answer", "b"),
        ("{{ answer }}", "b"),
        ("{{ level }}", 2),
        ("{{ level }}!", "2!"),
        ("{{ options.index(answer) }}", 1),
        ("{{ options }}", ["a", "b"]),
        ("{{ options | map('upper') }}", ["A", "B"]),
        (["x", "y"], ["x", "y"]),
        (3, 3),
        (None, None),
        ("image_2", None),
        ("no_such_field", None),
        ("{{ image_2 }}", None),
        ("{{ no_such_field }}", None),
        ("A: {{ no_such_field }}", None),
        ("A: {{ image_2 }}", None),
    ],
)
def test_target_keeps_its_type_and_is_none_where_the_row_has_none(rule, target):
    assert made(doc_to_target=rule).target(ROW) == target


@pytest.mark.parametrize(
    ("rule", "choices"),
    [
        ("options", ("a", "b")),
        ("{{ options }}", ("a", "b")),
        ("{{ options | map('upper') }}", ("A", "B")),
        ("{{ [kind, level] }}", ("owl", "2")),
        (["yes", "no {{ kind }}"], ("yes", "no owl")),
        ("image_2", None),
        (None, None),
    ],
)
def test_choices(rule, choices):
    assert made(doc_to_choice=rule).choices(ROW) == choices


def test_no_options_are_no_choices():
    assert made(doc_to_choice="options").choices({"options": []}) is None


def test_ids_clusters_and_categories():
    functions = made(doc_to_id="id", cluster_key="kind", report_by=["level", "image_2"])
    assert functions.item_id(ROW, 3) == "7"
    assert functions.cluster(ROW) == "owl"
    assert functions.categories(ROW) == {"level": "2"}
    assert made().item_id(ROW, 3) == "3"
    assert made().cluster(ROW) is None
    assert made(doc_to_id="{{ kind }}-{{ id }}").item_id(ROW, 3) == "owl-7"


def test_visuals_are_named_fields_or_those_that_hold_media():
    held = {"bytes": b"x", "path": None}
    row = {"a": held, "text": "t", "b": [b"y", held], "none": {"bytes": None, "path": None}}
    assert made().visual_fields(row) == ("a", "b")
    assert made().visuals(row) == [held, b"y", held]
    functions = made(doc_to_visual=["image_2", "image"])
    assert functions.visuals(ROW) == ["1.jpg"]
    assert functions.visual_fields(ROW) == ("image_2", "image")


@pytest.mark.parametrize(
    ("fields", "call", "field"),
    [
        (
            {"doc_to_text": "{{ questoin }}"},
            "text",
            "doc_to_text: task birds, item 7: 'questoin' is undefined",
        ),
        (
            {"doc_to_text": "{{ image_2 }}"},
            "text",
            "doc_to_text: task birds, item 7: a value that is printed is null",
        ),
        (
            {"doc_to_text": "Describe"},
            "text",
            "doc_to_text: task birds, item 7: the row has no field 'Describe'",
        ),
        ({"doc_to_text": "level"}, "text", "doc_to_text: task birds, item 7: expected text, found 2"),
        (
            {"cluster_key": "photo"},
            "cluster",
            "cluster_key: task birds, item 7: the row has no field 'photo'",
        ),
        ({"report_by": "sort"}, "categories", "report_by: task birds, item 7: the row has no field 'sort'"),
        ({"doc_to_visual": "picture"}, "visuals", "doc_to_visual: task birds, item 7: the row has no field"),
        (
            {"doc_to_choice": "answer"},
            "choices",
            "doc_to_choice: task birds, item 7: expected a list of choices",
        ),
        ({"doc_to_target": "{{ 1 / 0 }}"}, "target", "doc_to_target: task birds, item 7: ZeroDivisionError"),
        (
            {"doc_to_text": "{{ ''.__class__.__mro__ }}"},
            "text",
            "doc_to_text: task birds, item 7: SecurityError",
        ),
    ],
)
def test_an_error_names_task_field_and_item(fields, call, field):
    with pytest.raises(RenderError) as caught:
        getattr(made(doc_to_id="id", **fields), call)(ROW)
    assert str(caught.value).startswith(field)


def test_an_error_names_the_item_it_is_given_and_else_shows_the_row():
    functions = made(doc_to_text="{{ x }}")
    with pytest.raises(RenderError, match=r"task birds, item 12: 'x' is undefined"):
        functions.text(ROW, item="12")
    with pytest.raises(RenderError, match=r'task birds, item \{"id": 7'):
        functions.text(ROW)


def test_an_error_of_a_loaded_task_names_its_line(write):
    path = write("birds.yaml", "task: birds\ndataset_path: x\njudge: exact\ndoc_to_text: '{{ x }}'\n")
    with pytest.raises(RenderError) as caught:
        compile_task(load_task(path)).text({}, item="1")
    assert str(caught.value) == f"{path}:4: doc_to_text: task birds, item 1: 'x' is undefined"


def test_an_empty_id_is_an_error():
    with pytest.raises(RenderError, match="item in row 4: the id is empty"):
        made(doc_to_id="image_2").item_id(ROW, 4)


def test_messages_place_the_media():
    task = TaskDef(task="t", dataset_path="x", judge="exact", doc_to_text="See <image1>: {{ question }}")
    assert messages(task, ROW, 2) == (("media", 1), ("text", "See "), ("media", 0), ("text", ": Which?"))


def test_ten_thousand_prompts_take_well_under_a_second():
    task = TaskDef(
        task="t",
        dataset_path="x",
        judge="exact",
        doc_to_text="{{ question }}\n{% for o in options %}({{ loop.index }}) {{ o }}\n{% endfor %}<image>",
    )
    start = time.perf_counter()
    for _ in range(10_000):
        messages(task, ROW, 1)
    assert time.perf_counter() - start < 2  # about 0.25 s where nothing else runs
