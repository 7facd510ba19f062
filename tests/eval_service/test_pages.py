"""Pages over real HTTP: what they show, how they filter, what they never do."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from eval_assets.pipeline.importing import import_answers
from eval_assets.pipeline.ingest import ingest
from task_defs import load_task
from tests.conftest import png
from tests.eval_service.conftest import Served

XSS = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


def make_pictured(served: Served) -> Served:
    """Task `birds` of 60 items with pictures in two habitats; `a` has the first 40 right, `b` every second one."""
    path, store = served.project.path, served.project.store
    folder = path / "tasks" / "birds"
    folder.mkdir()
    rows = []
    for i in range(60):
        (folder / f"p{i % 20}.png").write_bytes(png(i % 20, 40))
        rows.append({"id": f"q{i}", "question": f"What is bird {i}?", "answer": "owl", "image": f"p{i % 20}.png",
                     "habitat": "wood" if i < 30 else "marsh"})  # fmt: skip
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "birds.yaml").write_text(
        "task: birds\ndataset_path: .\ndata_files: {test: test.jsonl}\ndoc_to_id: id\ndoc_to_text: '{{ question }}'\n"
        "doc_to_target: answer\ndoc_to_visual: image\nreport_by: [habitat]\njudge: exact\n"
    )
    ingest(load_task("birds"), store)
    for name, right in (("a", lambda i: i < 40), ("b", lambda i: i % 2 == 0)):
        texts = [{"id": f"q{i}", "text": "owl" if right(i) else XSS if i == 59 else f"not {i}"} for i in range(60)]
        file = path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(t) + "\n" for t in texts))
        import_answers(store, file, load_task("birds"), name, id_field="id", response_field="text")
        served.client().evaluate(checkpoint=name, tasks=["birds"])
    served.drain(20)
    return served


@pytest.fixture
def pictured(served) -> Served:
    return make_pictured(served)


def get(served: Served, path: str, **headers: str) -> str:
    answer = served.http("GET", path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def items(text: str) -> list[str]:
    return re.findall(r'<article class="item"[^>]*>\s*<h3><a href="[^"]*">([^<]*)</a>', text)


def test_the_leaderboard_compares_with_the_chosen_baseline(pictured):
    text = get(pictured, "/")
    assert ">66.7</a>" in text
    assert "against" not in text.split("<tbody>")[1].split("</tbody>")[0]
    text = get(pictured, "/?baseline=b")
    assert re.search(r'class="against \w+" href="/flips/birds\?a=a&amp;b=b">\+16\.7', text)
    assert items(get(pictured, "/?q=nothing")) == []
    assert "No checkpoint has that in its name" in get(pictured, "/?q=nothing")


def test_comparisons_that_take_long_come_when_the_page_asks_again(pictured):
    from eval_service.pages import board

    board._entries.clear()
    found = board.board(pictured.project.store, board.Asked(baseline="b"), budget=-1)
    assert found["pending"] == 1
    found = board.board(pictured.project.store, board.Asked(baseline="b"), budget=5)
    assert found["pending"] == 0


def test_the_leaderboard_as_csv(pictured):
    rows = list(csv.DictReader(io.StringIO(get(pictured, "/leaderboard.csv"))))
    assert {(r["checkpoint"], r["task"], round(float(r["value"]), 3)) for r in rows} == {
        ("a", "birds", 0.667), ("b", "birds", 0.5),
    }  # fmt: skip


def test_items_are_filtered_and_paged(pictured):
    page = "/cells/a/birds"
    assert items(get(pictured, page))[:2] == ["q0", "q1"]
    assert items(get(pictured, f"{page}?page=2"))[-1] == "q59"
    wrong = get(pictured, f"{page}?show=wrong")
    assert (len(items(wrong)), items(wrong)[0]) == (20, "q40")
    assert len(items(get(pictured, f"{page}?show=right&field=habitat%3Dmarsh"))) == 10
    assert items(get(pictured, f"{page}?q=bird+17")) == ["q17"]
    assert items(get(pictured, f"{page}?show=unscored")) == []
    assert items(get(pictured, f"{page}?show=disagree")) == []
    part = get(pictured, f"{page}?show=wrong", **{"HX-Request": "true"})
    assert "<html" not in part
    assert len(items(part)) == 20


def test_answers_are_text_and_scripts_of_others_do_not_run(pictured):
    for path in ("/cells/a/birds?page=2", "/items/birds/q59", "/flips/birds?a=a&b=b&side=worse"):
        answer = pictured.http("GET", path)
        assert "<script>document" not in answer.text
        assert "onerror=alert" not in answer.text.replace("&lt;img src=x onerror=alert(1)&gt;", "")
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_flips_count_and_name_both_sides(pictured):
    text = get(pictured, "/flips/birds?a=a&b=b")
    counts = re.findall(r'<td class="num">(\d+)</td>', text)
    assert counts[:3] == ["10", "20", "30"]
    assert items(text)[0] == "q40"
    assert "95 % CI" in text


def test_one_item_over_all_checkpoints(pictured):
    text = get(pictured, "/items/birds/q41")
    assert [name for name in ("a", "b") if f'href="/cells/{name}/birds?q=q41"' in text] == ["a", "b"]
    assert "suspected key" in text  # both say the same wrong thing
    assert pictured.http("GET", "/items/birds/nobody").status_code == 404


def test_curves_checkpoints_and_runs(pictured):
    assert "<h1>a</h1>" in get(pictured, "/checkpoints/a")
    assert "Training runs" in get(pictured, "/runs")
    assert pictured.http("GET", "/checkpoints/nobody").status_code == 404
    problem = pictured.http("GET", "/runs/nobody", headers={"Accept": "text/html"})
    assert (problem.status_code, "<h1>" in problem.text) == (404, True)


def test_media_come_whole_in_ranges_and_small(pictured):
    text = get(pictured, "/cells/a/birds")
    sha = re.search(r"/thumb/birds/([0-9a-f]{64})", text).group(1)
    small = pictured.http("GET", f"/thumb/birds/{sha}")
    assert (small.headers["content-type"], small.content[8:12]) == ("image/webp", b"WEBP")
    whole = pictured.http("GET", f"/media/birds/{sha}")
    assert whole.content == png(0, 40)
    part = pictured.http("GET", f"/media/birds/{sha}", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert part.headers["content-range"] == f"bytes 1-3/{len(whole.content)}"
    assert pictured.http("GET", f"/media/birds/{sha}", headers={"Range": "bytes=99999-"}).status_code == 416
    assert pictured.http("GET", f"/media/birds/{'0' * 64}").status_code == 404


def test_browsers_sign_in_and_others_are_kept_out(pictured, monkeypatch):
    import httpx

    monkeypatch.setenv("READER", "a-token-of-the-reader")
    pictured.project.configure(service={"tokens": [{"name": "viewer", "env": "READER", "scopes": ["read"]}]})
    pictured.restart()
    sent_away = pictured.http("GET", "/cells/a/birds?show=wrong")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?to=/cells/a/birds%3Fshow%3Dwrong")
    assert pictured.http("GET", f"/media/birds/{'0' * 64}").status_code == 303
    with httpx.Client(base_url=pictured.url, follow_redirects=True) as browser:
        wrong = browser.post("/login", data={"token": "wrong", "to": "/"})
        assert (wrong.status_code, "not known" in wrong.text) == (401, True)
        page = browser.post("/login", data={"token": "a-token-of-the-reader", "to": "/cells/a/birds"})
        assert page.url.path == "/cells/a/birds"
        assert browser.post("/evaluate", json={"checkpoint": "a", "tasks": ["birds"]}).status_code == 401
        assert browser.post("/login", data={"token": "a-token-of-the-reader", "to": "//evil.example"}).url.path == "/"
        tried = [browser.post("/login", data={"token": "wrong"}).status_code for _ in range(25)]
        assert (tried[0], tried[-1]) == (401, 429)
    cookie = pictured.http("POST", "/login", data={"token": "a-token-of-the-reader"}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
