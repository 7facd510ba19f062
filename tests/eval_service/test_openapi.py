"""Every endpoint against its own description: schemathesis looks for answers that it does not promise."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance


@pytest.fixture
def described(served):
    served.project.configure(service={"requests_per_minute": 100_000})
    served.restart()
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


def test_no_request_finds_an_answer_that_is_not_described(described):
    """Few examples of each operation here; `schemathesis run URL/openapi.json` tries many more."""
    for found in described.exclude(path_regex="/(events|healthz)$").get_all_operations():  # a stream that lasts; 503

        @settings(
            max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=found.ok().as_strategy())
        def ask(case):
            # Which names exist no schema can say, so data that fits it may be refused.
            case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])

        ask()


def test_the_description_has_examples_that_work(served):
    described = served.http("GET", "/openapi.json").json()
    assert {"/evaluate", "/jobs/{job_id}", "/jobs/{job_id}/events", "/queue", "/compare"} <= set(described["paths"])
    example = described["components"]["schemas"]["EvaluateRequest"]["examples"][1]
    answer = served.http("POST", "/evaluate", json={**example, "checkpoint": "good", "tasks": ["colours"]})
    assert answer.status_code == 202
