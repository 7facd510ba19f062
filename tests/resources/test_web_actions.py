"""Actions on web pages, as they are read from answers; and what is said where there is no browser."""

from __future__ import annotations

import re

import pytest

from resources.episodes.registry import build_player
from resources.episodes.web.actions import Click, NoAction, Press, Scroll, Type, read_action
from resources.models import ModelUnusable


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("click 80 120", Click(80, 120)),
        ("Click(80, 120)", Click(80, 120)),
        ("I could click 1 1, but the button is lower.\n**click 80.5 120**", Click(80.5, 120)),
        ('type "a \\"b\\" é"', Type('a "b" é')),
        ('type("C:\\dir")', Type("C:\\dir")),
        ("press enter", Press("Enter")),
        ("press('ArrowDown')", Press("ArrowDown")),
        ("scroll UP", Scroll(down=False)),
    ],
)
def test_an_action_is_found_in_what_surrounds_it(text, action):
    found = read_action(text, 320, 420)
    assert found == action
    assert read_action(str(found), 320, 420) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no action in it"),
        ("the button", "no action in it"),
        ("click the button", "no action in it"),
        ("type hello", "no action in it"),
        ("click 320 10", "click 320 10 is outside of the picture, which is 320 x 420"),
        ("click -1 10", "click -1 10 is outside"),
        ("press Control", "no key 'Control': there are Enter"),
    ],
)
def test_what_is_no_action_says_why(text, words):
    with pytest.raises(NoAction, match=re.escape(words)):
        read_action(text, 320, 420)


def test_without_a_browser_the_message_says_how_to_get_one(monkeypatch):
    pytest.importorskip("miniwob", reason="needs the pages: pip install 'eval-assets[web]'")
    monkeypatch.setenv("EVAL_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(ModelUnusable, match="player 'miniwob': there is no Chromium: apt-get install chromium"):
        build_player("miniwob", {})


def test_params_are_checked(monkeypatch, tmp_path):
    pytest.importorskip("miniwob", reason="needs the pages: pip install 'eval-assets[web]'")
    with pytest.raises(ModelUnusable, match="no parameter 'zoom': it takes scale, timeout, repairs"):
        build_player("miniwob", {"zoom": 2})
    with pytest.raises(ModelUnusable, match="scale must be a whole number from 1 on, not 0"):
        build_player("miniwob", {"scale": 0})
