"""Films, and the plots of how episodes ended."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from eval_assets.reporting.episodes import end_plot, figures, steps_plot
from eval_assets.reporting.film import Frame, film
from tests.conftest import png


def _frames(count, edge=16):
    return [Frame(png(40 * n, edge), n + 1, None if n == 1 else "forward", float(n == count - 1)) for n in range(count)]


def _opened(gif):
    return Image.open(io.BytesIO(gif))


def test_a_film_has_a_frame_a_step_and_stays_on_the_last():
    opened = _opened(film(_frames(5), "success", good=True))
    assert opened.n_frames == 5
    times = []
    for number in range(5):
        opened.seek(number)
        times.append(opened.info["duration"])
    assert times[-1] > 2 * times[0]
    assert opened.info.get("loop") == 0


def test_the_picture_and_what_was_done_are_on_each_frame():
    """A small picture is enlarged by whole numbers; below it stand words, which differ where the actions do."""
    opened = _opened(film(_frames(3), "loop", good=False))
    seen, words = [], []
    for number in range(3):
        opened.seek(number)
        frame = opened.convert("RGB")
        assert frame.width % 16 == 0
        assert frame.width >= 300
        seen.append(frame.getpixel((5, 5)))
        words.append(frame.crop((0, frame.width + 5, frame.width // 2, frame.height)).tobytes())
    assert [round(r / 40) for r, _, _ in seen] == [0, 1, 2]
    assert len(set(words)) == 3


def test_a_long_film_in_a_page_is_thinned_and_keeps_both_ends():
    opened = _opened(film(_frames(50), "budget", good=False, most=10))
    assert opened.n_frames == 10
    with pytest.raises(ValueError, match="no step of this episode shows a picture"):
        film([], "budget", good=False)


def test_how_episodes_ended_is_counted_success_first():
    plot = end_plot({"budget": 30, "success": 10, "invalid_action": 60})
    assert plot.index(">success<") < plot.index(">invalid action<") < plot.index(">budget<")
    assert "60 (60.0 %)" in plot


def test_steps_are_a_histogram_that_loses_no_episode():
    steps = [[2, 3, 0], [7, 1, 1], [300, 0, 9]]
    plot = steps_plot(steps)
    told = [int(part.split(": ")[1].split("<")[0]) for part in plot.split("<title>")[1:]]
    assert sum(told) == 14
    assert plot.count("<rect") < 30
    assert "14 episodes, of which 4 succeeded" in figures({"ends": {"success": 4, "loop": 10}, "steps": steps})[1][1]
    assert steps_plot([[5, 1, 0]]).count("<title>") == 1
