"""What functions of the catalogue's video, audio and text tasks make of rows and answers."""

from __future__ import annotations

import pytest

from judges import get_judge
from task_defs import compile_task, judge_spec, load_task, open_source
from tests.catalog_rows import place


def items(name: str, root) -> list[dict]:
    task = load_task(name)
    place(task, root)
    return [row.doc for row in open_source(task, [root]).rows()]


def test_options_of_gpqa_are_shuffled_the_same_everywhere(tmp_path):
    (row,) = items("gpqa_diamond", tmp_path)
    assert sorted(row["options"]) == ["Argon", "Chlorine", "Nitrogen", "Oxygen"]
    assert row["options"][row["label"]] == "Argon"
    assert row["options"] == ["Nitrogen", "Argon", "Chlorine", "Oxygen"], "another order would be another question"
    judge = get_judge(judge_spec(load_task("gpqa_diamond")))
    asked = {"target": row["label"], "choices": row["options"]}
    assert judge.judge(asked, f"The correct answer is ({'ABCD'[row['label']]})").score == 1


def test_hellaswag_is_prepared_as_the_harness_does(tmp_path):
    rows = items("hellaswag", tmp_path)
    assert [row["query"] for row in rows] == [
        "Roof shingle removal: A man is sitting on a roof. He",
        "Health:  How to sleep. Keep hours. Go to bed early.".replace("  ", " "),
    ]
    assert rows[1]["endings"][0] == " Read a book."
    assert rows[0]["label"] == 3
    assert compile_task(load_task("hellaswag")).cluster(rows[0]) == "activitynet~v_-JhWjGDPHMY"


@pytest.mark.parametrize(
    ("text", "score", "answer"),
    [
        ("Throat clearing", 1.0, "Throat clearing"),
        ("The sound is someone clearing their throat.", 1.0, "Throat clearing"),
        ("a cough, perhaps throat clearing", 1.0, "Throat clearing"),  # the first in the order of the classes
        ("Laughter or throat clearing", 0.0, "Laughter"),
        ("Sneezing", 0.0, None),  # not the class's word
        ("speech", 0.0, None),
    ],
)
def test_vocalsound_takes_the_first_class_that_is_named(text, score, answer):
    verdict = get_judge(judge_spec(load_task("vocalsound"))).judge({"target": "Throat clearing"}, text)
    assert (verdict.score, verdict.answer) == (score, answer)
    assert verdict.flags == (() if answer else ("no_answer",))


def test_questions_of_a_stream_are_rows_with_their_part(tmp_path):
    rows = items("streamingbench_real", tmp_path)
    assert [(row["id"], row["start"], row["end"]) for row in rows] == [
        ("sample_348_real_0", 0, 31),
        ("sample_416_real_0", 97, 157),
    ]
    assert rows[1]["options"][1] == "B. Red and green.", "options without letters get them, as in the authors' code"


def test_tempcompass_yes_or_no_is_how_a_response_begins():
    judge = get_judge(judge_spec(load_task("tempcompass_yes_no")))
    for text, score, flags in (
        ("Yes", 1, ()),
        ("yes, he is dunking", 1, ()),
        ("No", 0, ()),
        ("Nothing of the kind", 0, ()),  # as published: it begins with "no"
        ("He is dunking.", 0, ("no_answer",)),
        ("The answer is yes.", 0, ("no_answer",)),  # a language model looks at it there
    ):
        verdict = judge.judge({"target": "yes"}, text)
        assert (verdict.score, verdict.flags) == (score, flags), text


def test_spaces_between_characters_of_a_transcript_do_not_count(tmp_path):
    (row,) = items("fleurs_zh", tmp_path)
    judge = get_judge(judge_spec(load_task("fleurs_zh")))
    for text, edits in (("这并不是告别", 0), ("这并不是，告别。", 0), ("这并不是告", 1)):
        values = judge.judge({"target": row["transcription"]}, text).values
        assert (values["edits"], values["length"]) == (edits, 6), text


def test_a_changed_number_of_frames_asks_for_the_subtitles_to_be_chosen_anew(tmp_path):
    task = load_task("videomme_w_subtitle")
    place(task, tmp_path)
    other = task.model_copy(update={"video": task.video.model_copy(update={"num_frames": 8})})
    other._path = task._path
    with pytest.raises(Exception, match=r"subtitles are chosen for 32 frames, the task takes 8: copy"):
        list(open_source(other, [tmp_path]).rows())
