"""The published rules for yes and no."""

from __future__ import annotations

import pytest

from judges import get_judge
from judges.verdict import NO_ANSWER


@pytest.mark.parametrize(
    ("rule", "text", "said"),
    [
        ("mme", "Yes.", "yes"),
        ("mme", "No, it is a dog.", "no"),
        ("mme", "yes", "yes"),
        ("mme", "*Yes*", "yes"),
        ("mme", "**Yes**", None),  # only four characters are read
        ("mme", "The answer is yes", None),
        ("mme", "None", "no"),
        ("mme", "Now I see it: yes", "no"),
        ("vlmevalkit", "Yes, there is.", "yes"),
        ("vlmevalkit", "There is no dog", "no"),
        ("vlmevalkit", "no.", "no"),
        ("vlmevalkit", "nothing", None),
        # Both words occur, or markup hides one: what a language model reads there, the words are read for here.
        ("vlmevalkit", "Yes, there is no reason to doubt it.", "yes"),
        ("vlmevalkit", "**Yes**", "yes"),
        ("vlmevalkit", "I cannot tell.", None),
    ],
)
def test_edges(rule, text, said):
    verdict = get_judge({"name": "yes_no", "rule": rule}).judge({"target": "Yes"}, text)
    assert verdict.answer == said
    assert verdict.score == float(said == "yes")
    assert (NO_ANSWER in verdict.flags) == (said is None)
