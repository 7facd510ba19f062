"""The open-ended tasks of the catalogue, on small data of the same schema as the published ones."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from judges import get_judge
from task_defs import MediaBytes, compile_task, judge_spec, load_task, open_source, read_media
from tests.task_defs.conftest import picture

IMAGE = {"bytes": picture(), "path": None}


def parquet(rows, path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def opened(name, root):
    """The task, its functions and its rows."""
    task = load_task(name)
    source = open_source(task, [root])
    rows = list(source.rows())
    assert [row.error for row in rows] == [None] * len(rows)
    return task, compile_task(task), source, [row.doc for row in rows]


def judged(task, functions, doc, text):
    item = SimpleNamespace(target=functions.target(doc), choices=functions.choices(doc), doc=doc)
    judge = get_judge(judge_spec(task))
    if judge.needs_corpus:
        judge.prepare([item, SimpleNamespace(target=["a dog in the snow", "two dogs"], choices=None, doc={})])
    return judge.judge(item, text)


SINGLE = "\nAnswer the question using a single word or phrase."
CAPTION = "Provide a one-sentence caption for the provided image."
BOY = "Which team does the boy play for?"
# task, file below its folder, row, id, prompt, response, score
FLAT = [
    (
        "chartqa", "data/test-00000-of-00001.parquet",
        {"type": "human_test", "question": "How many?", "answer": "14", "image": IMAGE},
        "0", "How many?\nAnswer the question with a single word.", "14.5", 1.0,
    ),
    (
        "textvqa_val", "data/validation-00000-of-00003.parquet",
        {"image_id": "0054c9", "question_id": 34602, "question": "what is the brand of This camera?", "image": IMAGE,
         "answers": ["nous les gosses", "dakota", "clos culombu", "dakota digital", "dakota", "dakota 1", "dakota",
                     "dakota digital", "dakota digital", "dakota"]},
        "34602", "What is the brand of this camera?" + SINGLE, "Dakota.", 1.0,
    ),
    (
        "ocrbench", "data/test-00000-of-00001.parquet",
        {"dataset": "HME100k", "question": " Write the formula. ", "answer": ["5 x + 3"], "image": IMAGE,
         "question_type": "Handwritten Mathematical Expression Recognition"},
        "0", "Write the formula.", "$5x+3$", 1.0,
    ),
    (
        "coco2017_cap_val", "data/val-00000-of-00002.parquet",
        {"question_id": "000000179765.jpg", "image": IMAGE, "id": 38, "answer": ["A black Honda.", "A motorcycle"]},
        "000000179765.jpg", CAPTION, "a black honda", None,
    ),
    (
        "coco2014_cap_val", "data/val-00000-of-00002.parquet",
        {"question_id": "COCO_val2014_000000203564.jpg", "image": IMAGE, "answer": ["A bicycle clock.", "a clock"]},
        "COCO_val2014_000000203564.jpg", CAPTION, "a clock", None,
    ),
    (
        "nocaps_val", "data/validation-00000-of-00001.parquet",
        {"image": IMAGE, "image_id": 7, "annotations_captions": ["A baby is standing.", "a baby in a room"]},
        "7", CAPTION, "a baby standing", None,
    ),
    (
        "flickr30k_test", "data/test-00000-of-00009.parquet",
        {"image": IMAGE, "caption": ["Two young guys.", "two men outside"], "img_id": "12"},
        "12", CAPTION, "two guys", None,
    ),
    (
        "math500", "test.jsonl",
        {"problem": "Convert $(0,3)$.", "solution": "...", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)", "level": 2,
         "subject": "Precalculus", "unique_id": "test/precalculus/807.json"},
        "test/precalculus/807.json", None, "Because of ...\nAnswer: $(3, \\pi/2)$", 1.0,
    ),
    (
        "aime24", "data/train-00000-of-00001.parquet",
        {"id": 60, "problem": "Find the time.", "solution": "...", "answer": "025", "url": "", "year": "2024"},
        "0", "Find the time.\nPlease reason step by step, and put your final answer within \\boxed{}.",
        "So it is \\boxed{25}.", 1.0,
    ),
    (
        "aime25", "test.jsonl", {"problem": "Find the sum.", "answer": "70", "id": "0"},
        "0", "Find the sum.\nPlease reason step by step, and put your final answer within \\boxed{}.",
        "\\boxed{71}", 0.0,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "row", "item_id", "prompt", "text", "score"), FLAT, ids=[f[0] for f in FLAT])
def test_rows_prompts_and_verdicts(tmp_path, name, file, row, item_id, prompt, text, score):
    if file.endswith(".parquet"):
        parquet([row], tmp_path / name / file)
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(json.dumps(row) + "\n", encoding="utf-8")
    task, functions, source, [doc] = opened(name, tmp_path)
    assert functions.item_id(doc, 0) == item_id
    if prompt is not None:
        assert functions.text(doc) == prompt
    media = [read_media(value, source.root) for value in functions.visuals(doc)]
    assert [type(m) for m in media] == [MediaBytes] * ("image" in row)
    found = judged(task, functions, doc, text)
    assert found.unscored is None
    assert found.score == score if score is not None else found.score > 0.5
    assert functions.categories(doc) is not None


def test_simple_evals_prompt_of_math500():
    text = compile_task(load_task("math500")).text({"problem": "1 + 1?"})
    assert text.startswith("Solve the following math problem step by step. The last line of your response should be")
    assert text.endswith('\n\n1 + 1?\n\nRemember to put your answer on its own line after "Answer:", and you do not '
                         "need to use a \\boxed command.")  # fmt: skip


def test_docvqa_and_infographics_are_configurations_of_one_folder(tmp_path):
    """As `hf download` leaves it: the README says which files are whose."""
    pytest.importorskip("datasets")
    row = {"questionId": "49153", "question": BOY, "image": IMAGE, "answers": ["itc", "ITC Ltd"]}
    page = {**row, "ucsf_document_id": "pybv0228", "ucsf_document_page_no": "81", "docId": 14465}
    parquet([page], tmp_path / "docvqa/DocVQA/validation-00000-of-00001.parquet")
    parquet([{**row, "questionId": "98313", "image_url": "x"}], tmp_path / "docvqa/InfographicVQA/validation-0.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: validation\n    path: {name}/validation-*\n"
        for name in ("DocVQA", "InfographicVQA")
    )
    (tmp_path / "docvqa/README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    for name, item_id, cluster in (("docvqa_val", "49153", "pybv0228"), ("infovqa_val", "98313", None)):
        task, functions, source, [doc] = opened(name, tmp_path)
        assert (functions.item_id(doc, 0), functions.cluster(doc)) == (item_id, cluster)
        assert functions.text(doc) == BOY + SINGLE
        assert isinstance(read_media(functions.visuals(doc)[0], source.root), MediaBytes)
        assert judged(task, functions, doc, "ITC Ltd.").score == pytest.approx(1 - 1 / 8)


def dynamath_rows(variant):
    shared = {"image": "images/1.png", "decoded_image": IMAGE, "subject": "algebra", "knowledge_level": "high school"}
    return [
        {**shared, "id": "1", "question": f"Period {variant}?", "ground_truth": "2.094", "answer_type": "float"},
        {**shared, "id": "2", "question": "Which?", "ground_truth": "B", "answer_type": "multiple choice"},
        {**shared, "id": "3", "question": "Say.", "ground_truth": "Even function", "answer_type": "text"},
    ]


def test_dynamath_numbers_the_variants_of_each_seed(tmp_path):
    for variant in (1, 2):
        parquet(dynamath_rows(variant), tmp_path / f"dynamath/data/sample_variant{variant}-00000-of-00001.parquet")
    task, functions, _, docs = opened("dynamath", tmp_path)
    assert [functions.item_id(doc, 0) for doc in docs] == ["1-1", "2-1", "3-1", "1-2", "2-2", "3-2"]
    assert [functions.groups(doc) for doc in docs[:2]] == [{"id": "1"}, {"id": "2"}]
    assert functions.cluster(docs[3]) == "1"
    text = functions.text(docs[1])
    assert text.startswith("## Question\n Which?\n## Answer Instruction Please provide")
    assert "such as 'A', 'B', 'C', or 'D'.\n\nExample of expected JSON response format:\n\n{\n" in text
    assert task.metric_list[0].worst_over == "id"


@pytest.mark.parametrize(
    ("row", "text", "score", "flags"),
    [
        (0, '{"solution": "2\\pi/3", "short answer": "2.094"}', 1, ()),
        (0, '```json\n{"solution": "...", "short answer": 2.0945}\n```', 1, ()),
        (0, '{"short answer": "2.096"}', 0, ()),
        (0, '{"short answer": "0.667\u03c0"}', 0, ()),
        (0, "2.094 rad", 1, ()),  # no JSON: read as the short answer is
        (0, "The period is 2.094", 0, ("no_answer",)),
        (1, '{"short answer": "b"}', 1, ()),
        (1, '{"short answer": "B) 4"}', 1, ()),
        (1, '{"short answer": "A or B"}', 0, ("no_answer",)),
        (1, "B: because of A", 1, ("no_answer",)),  # two letters, but the label stands in front: the published rule
        (2, '{"short answer": "even"}', 1, ()),  # a part of the label is enough
        (2, '{"short answer": "odd"}', 0, ()),
        (2, '{"short answer": ""}', 0, ()),
    ],
)
def test_dynamaths_published_parsing(row, text, score, flags):
    task = load_task("dynamath")
    doc = {**dynamath_rows(1)[row], "variant_id": "1", "instruction": ""}
    found = judged(task, compile_task(task), doc, text)
    assert (found.score, found.flags) == (score, flags)


def mathvista_row(**changes):
    about = {"split": "testmini", "category": "math-targeted-vqa", "task": "geometry problem solving", "grade": "x",
             "context": "geometry diagram", "source": "Geometry3K", "skills": ["geometry reasoning"]}  # fmt: skip
    row = {"pid": "1", "question": "x?", "image": "images/1.jpg", "decoded_image": IMAGE, "choices": None, "unit": None,
           "precision": 1.0, "answer": "1.2", "question_type": "free_form", "answer_type": "float", "metadata": about,
           "query": "Hint: ...\nQuestion: x?"}  # fmt: skip
    return {**row, **changes}


def test_mathvista(tmp_path):
    parquet([mathvista_row()], tmp_path / "mathvista_testmini/data/testmini-00000-of-00001.parquet")
    task, functions, source, [doc] = opened("mathvista_testmini", tmp_path)
    assert functions.text(doc) == "Hint: ...\nQuestion: x?"
    assert isinstance(read_media(functions.visuals(doc)[0], source.root), MediaBytes)
    assert functions.categories(doc)["task"] == "geometry problem solving"
    assert judged(task, functions, doc, "The answer is 1.23.").score == 1


@pytest.mark.parametrize(
    ("changes", "text", "score"),
    [
        ({}, "It is between 1 and 2, so 1.24", 1),  # rounded to the label's precision
        ({}, "1.26", 0),
        ({}, "I cannot tell", 0),
        ({"answer": "14", "answer_type": "integer", "precision": None}, "There are 14.", 1),
        ({"answer": "14", "answer_type": "integer", "precision": None}, "14.9", 1),  # int() cuts off
        ({"answer": "[2007, 2008]", "answer_type": "list"}, "From the chart: [2007, 2008]", 1),
        ({"answer": "[2007, 2008]", "answer_type": "list"}, "2007 and 2008", 0),
        ({"answer": "8/11", "choices": ["3/11", "8/11"], "question_type": "multi_choice"}, "(B) 8/11", 1),
        ({"answer": "8/11", "choices": ["3/11", "8/11"], "question_type": "multi_choice"}, "\\boxed{A}", 0),
        ({"answer": "Yes", "choices": ["Yes", "No"], "question_type": "multi_choice"}, "The answer is yes", 1),
        ({"answer": "Yes", "choices": ["Yes", "No"], "question_type": "multi_choice"}, "Maybe", 0),
    ],
)
def test_mathvistas_answers(changes, text, score):
    task = load_task("mathvista_testmini")
    row = {**mathvista_row(**changes), "picture": IMAGE}
    assert judged(task, compile_task(task), row, text).score == score


def vsibench_rows():
    room = {"dataset": "arkitscenes", "scene_name": "41069025", "options": None}
    turn = {**room, "question": "Where is it?", "options": ["A. left", "B. right"], "ground_truth": "A"}
    count = {**room, "question": "How many chairs?", "question_type": "object_counting", "ground_truth": "4"}
    easy, hard = ({**turn, "question_type": f"object_rel_direction_{kind}"} for kind in ("easy", "hard"))
    return [{**row, "id": number} for number, row in enumerate([count, easy, hard])]


def test_vsibench(tmp_path):
    folder = tmp_path / "vsibench"
    (folder / "arkitscenes").mkdir(parents=True)
    (folder / "arkitscenes/41069025.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42")
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in vsibench_rows()))
    task, functions, source, [count, easy, hard] = opened("vsibench", tmp_path)
    assert functions.text(count) == (
        "These are frames of a video.\nHow many chairs?\nPlease answer the question using a single word or phrase."
    )
    assert functions.text(easy) == (
        "These are frames of a video.\nWhere is it?\nOptions:\nA. left\nB. right\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert read_media(functions.visuals(count)[0], source.root).data.endswith(b"ftypmp42")
    assert functions.cluster(count) == functions.cluster(hard) == "arkitscenes/41069025"
    assert functions.categories(hard)["ability"] == functions.categories(easy)["ability"] == "object_rel_direction"
    assert judged(task, functions, count, "5").score == pytest.approx(0.6)
    assert judged(task, functions, easy, "A.").score == 1
    assert task.metric_list[0].macro_over == ("ability", "question_type")
