"""Memory of streams in a checkpoint's page: what is known is drawn, and whose KV cache it is stands beside it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from eval_assets.reporting import checkpoint_page
from eval_assets.reporting.memory_plots import memory_plot


def block(*points):
    """points: (second, tokens, share), each as [mean, least, most] or None."""
    made = [{"at": at, "streams": 3, "tokens": tokens, "kv_use": share} for at, tokens, share in points]
    return {"points": made, "concurrency": 4}


def test_the_page_draws_both_where_both_are_known(make):
    data = make.checkpoint_data()
    assert "KV cache" not in checkpoint_page(data)
    data["tasks"]["maths"]["memory"] = block((0.0, [100, 90, 120], None), (5.0, [800, 800, 800], [0.1, 0.05, 0.2]))
    page = checkpoint_page(data)
    assert "Tokens of a request: mean of the streams that were asked then, 3 at most" in page
    assert re.search(r"KV cache with all streams in flight, up to 4, and not of one stream", page)
    data["tasks"]["maths"]["memory"] = block((0.0, [100, 90, 120], None))
    assert "KV cache" not in checkpoint_page(data), "unknown is left out"


def test_the_shade_reaches_from_the_least_to_the_most():
    plot = memory_plot(block((0.0, [100, 50, 150], None), (10.0, [200, 200, 200], None)), "tokens", 200)
    ElementTree.fromstring(plot)
    corners = re.search(r'class="pl-band"[^>]*points="([^"]+)"', plot)
    heights = [float(corner.split(",")[1]) for corner in corners.group(1).split()]
    middle = [float(y) for y in re.findall(r'cy="([\d.]+)"', plot)]
    assert heights[0] < middle[0] < heights[-1], "above and below the mean"
    assert heights[1] == heights[2] == pytest.approx(middle[1])
    assert "0.0 s: 100 (50 to 150)" in plot
