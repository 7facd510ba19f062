"""The table of how each rule was checked: whom it names, and where it is printed. Its figures: the tests it names."""

from __future__ import annotations

from typing import get_args

import pytest

from eval_assets.pipeline.catalogue import checked
from judges import judge_class, judge_names
from judges.checked import checks, checks_of
from task_defs import load_task

PAGE = "docs/judges.md"


@pytest.mark.parametrize("check", checks(), ids=lambda check: " ".join(check.judges + check.rules + (check.metric,)))
def test_it_names_judges_rules_tasks_and_tests_that_there_are(check, request):
    assert set(check.judges) <= set(judge_names())
    for judge in check.judges:
        known = judge_class(judge).Parameters.model_fields.get("rule")
        rules = (
            {name for part in get_args(known.annotation) for name in (get_args(part) or (part,))} if known else set()
        )
        assert set(check.rules) <= rules
    for name in check.tasks:
        task = load_task(name)
        assert check in checks_of(name, task.judge)
        assert not check.metric or check.metric in {metric.metric for metric in task.metric_list}
    for path in check.shown:
        text = (request.config.rootpath / path).read_text(encoding="utf-8")
        # A test that shows a figure looks it up, so that neither can change alone.
        assert not (check.answers and path.startswith("tests/")) or "check_of(" in text


def test_a_rule_is_not_taken_for_another_one_of_its_judge():
    assert [check.answers for check in checks_of("mme", {"name": "yes_no", "rule": "mme"})] == [0]
    assert checks_of("cv_bench", {"name": "choice"}) == []
    assert checks_of("aime24", {"name": "number"}) == []


def test_the_page_of_judges_has_the_table(request):
    page = (request.config.rootpath / PAGE).read_text(encoding="utf-8")
    assert checked() in page, f"print eval_assets.pipeline.catalogue.checked() into {PAGE}"
