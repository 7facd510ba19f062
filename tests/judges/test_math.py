"""Mathematical equality."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from judges import get_judge, math_worker
from judges.mathematics import UNCOMPARABLE


def score(target, text, choices=None):
    return get_judge("math").judge({"target": target, "choices": choices}, text).score


@pytest.mark.parametrize(
    ("target", "text", "right"),
    [
        ("60", "60", 1),
        ("1/2", r"\frac{2}{4}", 1),
        ("0.5", r"$\dfrac12$", 1),
        (r"2\sqrt{3}", r"\sqrt{12}", 1),
        (r"$6 \sqrt{3}+4 \pi$", "4π + 6√3", 1),
        (r"8-2\pi", "8 - 2 pi", 1),
        (r"$\boxed{\frac{16}{7}}$", "16/7", 1),
        ("\x0crac{36}{13}", "36/13", 1),  # a label whose backslash was lost to an escape
        ("(3,-4)", "$(3, -4)$", 1),
        ("(3,-4)", "(-3,-4)", 0),
        ("1:2", "2:4", 1),
        ("x^2-1", "(x-1)(x+1)", 1),
        ("x", "y", 0),
        ("9", "$x = 9$", 1),
        ("27000", "27,000", 1),
        ("1/3", "0.333333", 1),
        ("1/3", "0.33", 0),
        (r"\pi", "3.14", 0),
        (r"\sqrt{2}", "1.414214", 1),
        (r"\frac{3^{1008}-1}{3^{1009}}", "1/3", 0),  # equal to 480 digits, and not equal
        (r"\frac{7^3}{2^{12} 13^2}", r"343/692224", 1),
        ("0.00000001", "0.00000002", 0),
        ("69{degrees}", r"$69^\circ$", 1),
        ("9 cm", "9", 1),
        ("9 cm", "9 m", 0),
        (r"9 \mathrm{~cm}^{2}", "9 square centimeters", 1),
        ("50", "50%", 1),
        ("2", r"\frac{", 0),
        ("tiger", "Tiger", 1),
        (r"25\pi", r"so the area is \(\pi r^2 = \pi (5)^2 = 25\pi\).", 1),
        ("3", r"First $x = 7$. Therefore \boxed{3}, which took 5 steps.", 1),
    ],
)
def test_equality(target, text, right):
    assert score(target, text) == right


LENGTHS = [r"$9 \mathrm{~cm}$", r"$\frac{1}{2} \mathrm{~cm}$", r"$2\sqrt{3}$", "another number"]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(B)", "B"),
        ("The answer is C.", "C"),
        ("9 Cm", "A"),
        ("0.5", "B"),
        (r"$\sqrt{12}$", "C"),
        ("Another number", "D"),
        ("The half of 9 cm is less, so it is 0.5 cm", "B"),
        ("7", "7"),
    ],
)
def test_options_by_letter_text_and_value(text, letter):
    assert get_judge("math").judge({"target": "A", "choices": LENGTHS}, text).answer == letter


def test_equal_answers_share_a_key():
    judge = get_judge("math")
    keys = {judge.judge({"target": r"2\sqrt{3}"}, text).answer for text in (r"\sqrt{12}", r"$2 \sqrt 3$", "2√3")}
    assert len(keys) == 1
    assert {judge.judge({"target": "7"}, text).answer for text in ("1/2", "0.50")} == {"0.5"}


def test_prose_without_mathematics_has_no_answer():
    verdict = get_judge("math").judge({"target": "2"}, "The middle animal of these five is the tiger.")
    assert (verdict.score, verdict.flags) == (0.0, ("no_answer",))


def test_a_comparison_without_end_is_wrong_flagged_and_stops_nothing(monkeypatch):
    monkeypatch.setattr(math_worker, "CPU_SECONDS", 0.5)
    items, texts = [{"target": "7"}] * 3, [r"\sqrt{10^{10^{10}}}", "7", r"2^{9^{9^{9}}}"]
    first, second, third = asyncio.run(get_judge("math").judge_many(items, texts))
    assert (first.score, first.flags) == (0.0, (UNCOMPARABLE,))
    assert second.score == 1
    assert third.flags == (UNCOMPARABLE,)


def test_it_works_off_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(score(r"\sqrt{8}", r"2\sqrt{2}")))
    thread.start()
    thread.join()
    assert found == [1.0]


def test_a_lost_process_leaves_the_item_unscored_and_is_replaced():
    worker = math_worker._Worker()
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    with pytest.raises((RuntimeError, BrokenPipeError)):
        worker.ask("1", "2")
    while not math_worker._idle.empty():
        math_worker._idle.get()
    for _ in range(math_worker.WORKERS):
        math_worker._idle.put(worker)
    assert get_judge("math").judge({"target": r"\sqrt{50}"}, r"5\sqrt{2}").unscored.startswith("judge error")
    assert math_worker._idle.qsize() == math_worker.WORKERS
    math_worker._forget()
    assert score(r"\sqrt{50}", r"5\sqrt{2}") == 1
