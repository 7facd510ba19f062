"""Keys that Dagster can carry, and their way into table names and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resources.store import KeyRefused, Store, check_key, slug, unslug


@given(st.text())
@example("openai/gpt-5:mini")
@example("_x2f_")
@example("_/x_")
@example("..")
@example("run.4000")
def test_a_slug_gives_the_key_back_and_is_safe_everywhere(key):
    name = slug(key)
    assert unslug(name) == key
    assert re.fullmatch(r"[A-Za-z0-9_.-]*", name)
    assert not name.startswith(".")


@given(st.text(), st.text())
def test_different_keys_have_different_slugs(a, b):
    assert (slug(a) == slug(b)) == (a == b)


@pytest.mark.parametrize("key", ["run.4000", "gpt-5", "openai/gpt-5:mini", "Qwen/Qwen3-VL-8B@main", "größe 7"])
def test_usual_keys_pass(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a|b", "separates checkpoint and task"),
        ("a...b", "range"),
        ("a,b", "separates partitions"),
        (" a", "spaces"),
        ("a\n", "spaces"),
        ("a\tb", "control characters"),
        ("a" * 300, "too long"),
        ("ü" * 60, "too long"),
    ],
)
def test_keys_that_dagster_would_lose_are_refused_with_the_reason(key, says):
    with pytest.raises(KeyRefused, match=says):
        check_key(key)


def test_no_key_leads_out_of_the_store(tmp_path):
    store = Store(tmp_path)
    for key in ("../../etc/passwd", "..", "/etc", "a/../../b"):
        uri = store.table("outputs", key, key)
        assert re.fullmatch(rf"{re.escape(str(tmp_path))}/outputs/[^/]+/[^/]+\.lance", uri)
        assert "/../" not in uri
