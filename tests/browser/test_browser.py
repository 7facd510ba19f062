"""The pages in a real browser: found, filtered, opened, read by keyboard, on a phone, in the dark."""

from __future__ import annotations

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'eval-assets[dev]'").expect
pytestmark = pytest.mark.browser


def test_from_the_leaderboard_to_a_flipped_item(tab, pictured):
    tab.goto(pictured.url)
    tab.get_by_label("Against").select_option("b")
    tab.wait_for_selector(".against")
    assert "baseline=b" in tab.url
    tab.locator(".against").first.click()
    assert "scores lower" in tab.inner_text("main")
    assert tab.locator("article.item").count() == 10
    tab.locator("article.item h3 a").first.click()
    assert tab.inner_text("h1").startswith("q40")


def test_columns_are_chosen_and_the_address_keeps_the_choice(tab, pictured):
    tab.goto(pictured.url)
    columns = tab.locator("#board thead th")
    all_of_them = columns.count()
    tab.get_by_text("Choose tasks").click()
    tab.get_by_role("checkbox", name="birds").check()
    expect(columns).to_have_count(2)
    assert all_of_them > 2
    tab.reload()
    assert (columns.count(), tab.get_by_role("checkbox", name="birds").is_checked()) == (2, True)


def test_items_are_filtered_without_leaving_the_page_and_the_address_keeps_the_view(tab, pictured):
    tab.goto(f"{pictured.url}/cells/a/birds")
    tab.get_by_label("wrong", exact=True).check()
    expect(tab.locator("article.item")).to_have_count(20)
    tab.fill("#q", "bird 47")
    expect(tab.locator("article.item")).to_have_count(1)
    tab.reload()
    assert tab.locator("article.item").count() == 1
    assert tab.input_value("#q") == "bird 47"


def test_the_keyboard_goes_from_item_to_item(tab, pictured):
    tab.goto(f"{pictured.url}/cells/a/birds")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.id") == "i1"
    tab.keyboard.press("k")
    assert tab.evaluate("document.activeElement.id") == "i0"
    tab.keyboard.press("/")
    tab.keyboard.type("bird 3j")
    assert tab.input_value("#q") == "bird 3j"
    tab.keyboard.press("Escape")
    tab.evaluate("document.activeElement.blur()")
    tab.fill("#q", "")
    expect(tab.locator("article.item")).to_have_count(25)
    tab.evaluate("document.querySelector('#i2').focus()")
    tab.keyboard.press("o")
    tab.wait_for_url("**/items/birds/q2")


def test_an_answer_with_markup_stays_text(tab, pictured):
    tab.goto(f"{pictured.url}/cells/a/birds?q=q59")
    shown = tab.locator(".answer .says").first.inner_text()
    assert shown.startswith("<script>document.title")
    assert tab.title() == "a on birds"
    assert tab.locator(".answer img").count() == 0


def test_pictures_are_shown(tab, pictured):
    tab.goto(f"{pictured.url}/cells/a/birds")
    picture = tab.locator(".media img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_formulas_are_set_and_money_is_not_and_long_answers_fold(tab, pictured):
    tab.goto(f"{pictured.url}/cells/ear/clips?q=heard")
    answer = tab.locator(".answer details p.says")
    assert not answer.is_visible()
    tab.locator(".answer summary").first.click()
    assert answer.is_visible()
    assert answer.locator(".katex").count() == 4
    assert "100% of $\\nonsense{$." in answer.inner_text()
    assert answer.inner_text().startswith("It costs $5 and the other $3.50, so")


@pytest.mark.parametrize(("kind", "item"), [("audio", "heard"), ("video", "seen")])
def test_sound_and_film_play(tab, pictured, kind, item):
    """From the middle on, which needs ranges; muted, since a browser without a user lets nothing be heard."""
    tab.goto(f"{pictured.url}/cells/ear/clips?q={item}")
    medium = tab.locator(f"article.item {kind}")
    if kind == "video" and not medium.count():
        pytest.skip("the film is not beside this checkout")
    said = medium.evaluate(
        """async medium => {
            medium.muted = true;
            await medium.play();
            const began = medium.currentTime;
            const moved = done => () => medium.currentTime > began && done();
            await new Promise(done => medium.addEventListener("timeupdate", moved(done)));
            medium.currentTime = medium.duration / 2;
            await new Promise(done => medium.addEventListener("seeked", done));
            return [medium.duration, medium.currentTime, medium.error];
        }"""
    )
    assert said[1] >= said[0] / 2 > 0.4
    assert said[2] is None
    if kind == "video":
        poster = tab.request.get(pictured.url + medium.get_attribute("poster"))
        assert (poster.ok, poster.headers["content-type"]) == (True, "image/webp")


@pytest.mark.parametrize("path", ["/", "/?baseline=b", "/cells/a/birds", "/flips/birds?a=a&b=b", "/items/birds/q41",
                                  "/checkpoints/a", "/runs", "/login", "/cells/ear/clips", "/runs/nobody", "/runs/exp",
                                  "/cells/exp.200/essays", "/checkpoints/exp.200"])  # fmt: skip
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_labels_and_structure_meet_wcag_aa(tab, pictured, path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.emulate_media(color_scheme=scheme)
    tab.goto(pictured.url + path)
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa"]}}
    found = axe.run(tab, options=options).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found] == []


@pytest.mark.parametrize("path", ["/?baseline=b", "/cells/a/birds", "/flips/birds?a=a&b=b", "/items/birds/q41",
                                  "/cells/ear/clips", "/checkpoints/a", "/login", "/runs/exp", "/runs",
                                  "/cells/exp.200/essays"])  # fmt: skip
def test_a_phone_scrolls_down_and_not_sideways(tab, pictured, path):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(pictured.url + path)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
