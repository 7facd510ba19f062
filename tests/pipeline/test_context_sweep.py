"""A sweep over what the context of a stream holds: its curves, their areas, its page."""

from __future__ import annotations

import pytest

from eval_assets.pipeline.context_sweep import context_sweep, sweep_variants
from eval_assets.pipeline.files import clean
from eval_assets.reporting.context_sweep import context_page
from resources.models import ModelUnusable
from tests.conftest import Reply
from tests.pipeline.streams import EVENT, QUESTION, shown, watched


@pytest.fixture
def stream(folder):
    return watched(folder)


def test_a_sweep_of_the_context_has_a_curve_an_area_and_a_page(stream, bench, endpoint):
    """A model that knows the answer where it sees the first second: thinning keeps it, a window does not."""
    endpoint.answer = lambda request, number: Reply(
        ("yes" if shown(request)[-1] == 4 else "no")
        if "happened" in request.text
        else ("B" if shown(request)[0] == 0 else "A")
    )
    task = stream([{**QUESTION, "time": t} for t in (1, 3, 9)], [{**EVENT, "until": 4}], copies=4)
    variants = sweep_variants(task, ["window", "thinning", "all"], [2, 4, 8], None)
    for of_policy in variants.values():
        for variant in of_policy.values():
            bench.report(task, variant)
    data = context_sweep(bench.store, "m", task, variants)
    window, thinning, everything = data["metrics"][0]["curves"]
    assert [p["value"] for p in window["points"]] == pytest.approx([2 / 4, 3 / 4, 3 / 4])
    assert window["area"]["value"] == pytest.approx((2 / 4 + 3 / 4) / 4 + (3 / 4 + 3 / 4) / 4)
    assert thinning["area"]["value"] == 1.0
    assert thinning["difference"]["mean_diff"] == pytest.approx(1 - window["area"]["value"])
    assert everything["area"] is None
    assert everything["points"][0]["value"] == 1.0
    page = context_page(clean(data))
    assert "thinning, 8 frames: 100.0" in page
    assert data["latencies"] == {policy: pytest.approx([0.8] * 4) for policy in ("window", "thinning", "all")}
    assert "events told of, all (4)" in page


def test_a_task_that_is_no_stream_has_no_context_to_sweep_over(folder, rows):
    folder.rows(rows(2))
    with pytest.raises(ModelUnusable, match=r"task birds is no stream"):
        sweep_variants(folder.task(), ["window"], [2], None)
