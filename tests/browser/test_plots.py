"""Plots in a real browser: drawn, pointed at, clicked, zoomed, read by keyboard, absent without a script."""

from __future__ import annotations

import pytest

from eval_assets.reporting.curve import curve_page
from eval_service.pages.render import SAFE_HEADERS, environment
from resources.store import slug
from tests.eval_service.test_plots import HOSTILE
from tests.reporting.test_curve import curve, data

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'eval-assets[dev]'").expect
pytestmark = pytest.mark.browser

MARKS = ".scatterlayer .points path"


@pytest.fixture
def drawn(tab, pictured):
    """The curve of a run of twelve checkpoints, of which the third and the eighth have no score."""
    tab.goto(f"{pictured.url}/runs/exp")
    expect(tab.locator("figure.plotted")).to_have_count(2)
    return tab


def middle(tab, place):
    box = tab.locator(".plot").first.locator(MARKS).nth(place).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_what_has_no_score_is_a_gap(drawn):
    levels = drawn.locator(".plot").first
    assert levels.locator(MARKS).count() == 10
    assert levels.locator("path.js-line").count() == 3
    assert levels.locator(".errorbars path.yerror").count() == 10
    assert not drawn.locator("figure.plotted > svg").first.is_visible()


def test_pointing_tells_and_clicking_opens_the_cell(drawn):
    drawn.mouse.move(*middle(drawn, 2))
    said = drawn.locator(".hoverlayer text").first
    expect(said).to_contain_text("step 600: ")
    expect(said).to_contain_text("another one is better")
    drawn.mouse.click(*middle(drawn, 2))
    drawn.wait_for_url("**/cells/exp.600/essays")


def test_the_second_plot_tells_the_band(drawn):
    box = drawn.locator(".plot").nth(1).locator(MARKS).nth(4).bounding_box()
    drawn.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(drawn.locator(".hoverlayer text").first).to_contain_text("band [+")
    expect(drawn.locator(".hoverlayer text").first).to_contain_text("survives correction")


def test_what_is_zoomed_in_one_plot_is_zoomed_in_the_other(drawn):
    ends = "n => document.querySelectorAll('.plot')[n].layout.xaxis.range"
    (x, y), (to, _) = middle(drawn, 3), middle(drawn, 6)
    drawn.mouse.move(x, y - 60)
    drawn.mouse.down()
    drawn.mouse.move(to, y + 60, steps=5)
    drawn.mouse.up()
    low, high = drawn.evaluate(ends, 0)
    assert 700 < low < 900 < 1300 < high < 1700
    drawn.wait_for_function("range => document.querySelectorAll('.plot')[1].layout.xaxis.range[0] === range", arg=low)
    drawn.locator(".plot").first.locator("[data-attr=zoom][data-val=reset]").click()
    drawn.wait_for_function("() => [...document.querySelectorAll('.plot')].every(p => p.layout.xaxis.range[0] < 0)")


def test_the_keyboard_goes_from_mark_to_mark(drawn):
    drawn.locator(".plot").first.focus()
    for _ in range(3):
        drawn.keyboard.press("ArrowRight")
    expect(drawn.locator("[aria-live]").first).to_contain_text("step 600: ")  # 400 has no score
    expect(drawn.locator(".hoverlayer text").first).to_contain_text("step 600: ")
    drawn.keyboard.press("Enter")
    drawn.wait_for_url("**/cells/exp.600/essays")


def test_a_bar_opens_its_items(tab, pictured):
    tab.goto(f"{pictured.url}/cells/exp.200/essays")
    bar = tab.locator(".plot .bars .point path").first
    box = bar.bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(*at)
    expect(tab.locator(".hoverlayer text").first).to_contain_text(": 4")
    tab.mouse.click(*at)
    tab.wait_for_url("**scores=**")
    expect(tab.locator("article.item")).to_have_count(4)
    tab.get_by_role("link", name="all scores").click()
    expect(tab.locator("article.item")).to_have_count(25)


def test_without_a_script_the_picture_is_shown(chromium, pictured):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{pictured.url}/runs/exp")
    pictures = page.locator("figure > svg")
    assert [pictures.nth(n).is_visible() for n in range(pictures.count())] == [True, True]
    assert page.locator(".plot").count() == 0
    assert not page.locator(".plot-keys").first.is_visible()
    context.close()


def test_colours_follow_the_scheme(drawn):
    colour = "() => getComputedStyle(document.querySelector('.plot .points path')).stroke"
    assert drawn.evaluate(colour) == "rgb(0, 114, 178)"
    drawn.emulate_media(color_scheme="dark")
    drawn.wait_for_function(f"({colour})() === 'rgb(86, 180, 233)'")


def test_names_are_text_in_the_page_and_in_the_plot(tab, pictured):
    tab.goto(f"{pictured.url}/runs/{slug(HOSTILE)}")
    expect(tab.locator("figure.plotted")).to_have_count(2)
    assert tab.inner_text("h1") == f"Learning curve of {HOSTILE}"
    assert tab.locator("main img").count() == 0
    name = "<b>bold</b><img src=x onerror=alert(1)>"
    task = curve(reference={"checkpoint": name, "role": "baseline"})
    page = curve_page(data(tasks={"maths": task}), environment())
    tab.route("**/runs/made-up", lambda route: route.fulfill(body=page, headers=SAFE_HEADERS, content_type="text/html"))
    tab.goto(f"{pictured.url}/runs/made-up")
    expect(tab.locator(".plot .annotation-text").nth(2)).to_have_text("<b>bold</b><img src=x onerror=ale…: 40.0")


def test_a_first_tap_tells_and_a_second_one_opens(chromium, pictured):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{pictured.url}/runs/exp")
    mark = page.locator(".plot").first.locator(MARKS).nth(9)
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.touchscreen.tap(*at)
    expect(page.locator(".hoverlayer text").first).to_contain_text("step 2,200: ")
    assert page.url.endswith("/runs/exp")
    page.wait_for_timeout(500)  # two taps at once are a double click
    page.touchscreen.tap(*at)
    page.wait_for_url("**/cells/exp.2200/essays")
    context.close()
