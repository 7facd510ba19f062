"""What solves a page, found by looking into its document: JavaScript by page, each gives actions in order.

`at(element)` is a click on the element's middle, in pixels of the page; `find(tag, text)` the first element with it.
"""

from __future__ import annotations

_HELPERS = """
const goal = core.getUtterance();
const quoted = [...goal.matchAll(/"([^"]*)"/g)].map(m => m[1]);
const at = e => { const r = e.getBoundingClientRect(); return ["click", r.x + r.width / 2, r.y + r.height / 2]; };
const all = css => [...document.querySelectorAll(css)];
const find = (css, text) => all(css).find(e => e.textContent.trim() === text);
const type = text => ["type", text];
const press = key => ["press", key];
"""

_FIELDS = "return [...all('#form input').flatMap((e, i) => [at(e), type({})]), at(all('#subbtn')[0])];"

_PLANS = {
    "click-test": "return [at(all('#subbtn')[0])];",
    "click-button": "return [at(find('#area button', quoted[0]))];",
    "click-link": "return [at(find('.alink', quoted[0]))];",
    "click-tab": "return [at(find('#area a', goal.match(/Tab #\\d/)[0]))];",
    "click-color": "return [at(all(`#area [data-color='${goal.split(' ')[3]}']`)[0])];",
    "click-dialog": "return [at(all('.ui-dialog-titlebar-close')[0])];",
    "click-option": """
        const wanted = goal.match(/^Select (.*) and click Submit/)[1];
        return [at(find('#boxes label', wanted).querySelector('input')), at(all('#subbtn')[0])];""",
    "click-checkboxes": """
        const wanted = goal.match(/^Select (.*) and click Submit/)[1].split(', ');
        const boxes = all('#boxes label').filter(e => wanted.includes(e.textContent.trim()));
        return [...boxes.map(e => at(e.querySelector('input'))), at(all('#subbtn')[0])];""",
    "choose-list": """
        const wanted = goal.match(/^Select (.*) from the list/)[1];
        const place = [...all('#options')[0].options].findIndex(o => o.text === wanted);
        return [press('Tab'), ...Array(place).fill(press('ArrowDown')), at(all('#area button')[0])];""",
    "focus-text": "return [at(all('#tt')[0])];",
    "enter-text": "return [at(all('#tt')[0]), type(quoted[0]), at(all('#subbtn')[0])];",
    "enter-password": _FIELDS.format("quoted[0]"),
    "login-user": _FIELDS.format("quoted[i]"),
}


def plan(page: str) -> str | None:
    """A function in JavaScript, () -> [[name, argument, ...], ...]; None for a page that nobody wrote one for.

    It gives null where the page is not as the plan expects it: no other player of the page is to suffer from that.
    """
    steps = _PLANS.get(page)
    return None if steps is None else f"() => {{ try {{ {_HELPERS} {steps} }} catch {{ return null; }} }}"


def solved() -> list[str]:
    """Pages that have an oracle."""
    return sorted(_PLANS)
