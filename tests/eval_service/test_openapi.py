"""Every endpoint against its own description: schemathesis looks for answers that it does not promise."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings


@pytest.fixture
def described(served):
    served.project.configure(service={"requests_per_minute": 100_000})
    served.restart()
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.exclude(path_regex="/events$").parametrize()  # its stream lasts as long as the job
@settings(
    max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_no_request_finds_an_answer_that_is_not_described(case):
    """Few examples of each operation here; `schemathesis run URL/openapi.json` tries many more."""
    case.call_and_validate(timeout=60)


def test_the_description_has_examples_that_work(served):
    described = served.http("GET", "/openapi.json").json()
    assert {"/evaluate", "/jobs/{job_id}", "/jobs/{job_id}/events", "/queue", "/compare"} <= set(described["paths"])
    example = described["components"]["schemas"]["EvaluateRequest"]["examples"][1]
    answer = served.http("POST", "/evaluate", json={**example, "checkpoint": "good", "tasks": ["colours"]})
    assert answer.status_code == 202
