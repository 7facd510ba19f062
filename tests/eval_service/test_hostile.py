"""What somebody who means harm may try: with a token of their own, from a page of another site, or without either."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from itertools import product
from types import SimpleNamespace

import httpx
import pytest

from eval_assets.pipeline.importing import import_answers
from eval_service import EvalServiceError
from task_defs import load_task

TOKENS = {"FIRST": "the-token-of-the-first", "SECOND": "the-token-of-the-second"}


@pytest.fixture
def two(served, monkeypatch):
    """The service with two clients that may submit."""
    for name, token in TOKENS.items():
        monkeypatch.setenv(name, token)
    tokens = [{"name": name.lower(), "env": name} for name in TOKENS]
    served.project.configure(service={"tokens": tokens, "roots": ["s3://team/runs", str(served.project.path / "runs")]})
    served.restart()
    return served


def test_every_route_asks_for_a_token(two):
    """But for those that a browser needs to sign in, and the one that says whether all is well."""
    free = {"/healthz", "/login", "/openapi.json"}
    document = two.http("GET", "/openapi.json").json()["paths"]
    nothing = "0" * 64
    pages = [
        "/",
        "/leaderboard.csv",
        "/runs",
        "/runs/x",
        "/checkpoints/good",
        "/cells/good/colours",
        "/words/good/colours/x",
        "/items/colours/x",
        "/flips/colours?a=good&b=fair",
        f"/thumb/colours/{nothing}",
        f"/media/colours/{nothing}",
    ]
    asked = [(method, path) for path, methods in document.items() for method in methods]
    asked = [(m, p.replace("{job_id}", "0" * 16).replace("{upload_id}", "0" * 32).replace("{path}", "a.json"))
             for m, p in asked]  # fmt: skip
    for method, path in [*asked, *(("get", page) for page in pages)]:
        if path not in free:
            answer = two.http(method.upper(), path)
            assert answer.status_code in (401, 303), (method, path, answer.status_code)
            assert answer.headers.get("location", "/login").startswith("/login")
    assert two.http("GET", "/static/../settings.py").status_code == 404
    assert two.http("GET", "/static/%2e%2e/render.py").status_code == 404


BY_TASK = [
    "/cells/good/{}", "/flips/{}?a=good&b=fair", "/items/{}/x", "/words/good/{}/x", "/thumb/{}/" + "0" * 64,
    "/media/{}/" + "0" * 64, "/compare?a=good&b=fair&tasks={}", "/results/good/{}",
]  # fmt: skip


def test_a_task_is_named_and_never_read_from_a_path(served):
    """A task file runs the functions that it names."""
    evil = served.project.path / "evil.yaml"
    evil.write_text("task: evil\ndoc_to_text: !function evil.run\n")
    (served.project.path / "evil.py").write_text(f"open({str(served.project.path / 'ran')!r}, 'w')\n")
    slug = str(evil).replace("/", "_x2f_")
    for path, name in product(BY_TASK, (slug, str(evil).replace("/", "%2F"), "%2e%2e")):
        answer = served.http("GET", path.format(name))
        assert answer.status_code in (404, 422), (name, answer.status_code, answer.text)
        assert "doc_to_text" not in answer.text
    assert not (served.project.path / "ran").exists()


ARGUMENTS = [
    ({"pretrained": {"x": 1}}, "a text"), ({"pretrained": ["a/b"]}, "a text"), ({"pretrained": "a\0b"}, "a text"),
     ({"pretrained": "a/b", "attn_implementation": "somebody/kernel"}, "one of eager"),
     ({"pretrained": "a/b", "dtype": "--trust-remote-code"}, "a plain name"),
     ({"pretrained": "a/b", "quantization": ["x"]}, "a plain name"),
     ({"pretrained": "a/b", "revision": "--x"}, "a plain name"),
     ({"pretrained": "a/b", "max_model_len": "1 --trust-remote-code"}, "a number"),
     ({"pretrained": "a/b", "limit_mm_per_prompt": "x"}, "a mapping"),
     ({"pretrained": "a/b", "base": "/etc"}, "below none"), ({"pretrained": "a/b", "base": "../x"}, "hub id"),
     ({"pretrained": "~nobody/x"}, "hub id"), ({"pretrained": "x" * 999}, "hub id"),
     ({"pretrained": "/" + "x" * 900}, "below none"),
     ({"pretrained": "s3://team/runs/a?endpoint_override=evil.example"}, "the path alone"),
     ({"pretrained": "s3://team/runs/%2e%2e/private"}, "the path alone"),
     ({"pretrained": "s3://key:secret@team/runs/a"}, "the path alone"),
     ({"pretrained": "s3://team/runs/../private"}, "below none"),
    ({"pretrained": "s3://team/runs-of-others"}, "below none"),
]  # fmt: skip


def test_arguments_are_what_they_seem(two):
    for args, said in ARGUMENTS:
        body = {"model": "transformers", "tasks": ["colours"], "model_args": args}
        answer = two.http("POST", "/evaluate", json=body, headers={"Authorization": f"Bearer {TOKENS['FIRST']}"})
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


def test_what_a_client_sends_is_its_own(two):
    """Not even by the same manifest: another can neither see, nor spoil, nor evaluate it."""
    files = [{"path": "model.safetensors", "size": 3, "sha256": "0" * 64}]
    first, second = ({"Authorization": f"Bearer {token}"} for token in TOKENS.values())
    state = two.http("POST", "/uploads", json={"files": files}, headers=first).json()
    path = f"/uploads/{state['upload_id']}"
    assert two.http("PUT", f"{path}/model.safetensors", content=b"ab", headers=first).is_success
    assert two.http("GET", path, headers=second).status_code == 404
    assert two.http("PUT", f"{path}/model.safetensors?offset=2", content=b"c", headers=second).status_code == 404
    begun = two.http("POST", "/uploads", json={"files": files}, headers=second).json()
    assert begun["missing"] == {"model.safetensors": 0}
    assert two.http("GET", path, headers=first).json()["missing"] == {"model.safetensors": 2}


def test_two_requests_for_one_file_do_not_mix(served):
    """The second is turned away while the first writes, and so is what stands in a folder's place."""
    files = [{"path": "model.safetensors", "size": 4, "sha256": "0" * 64}]
    state = served.http("POST", "/uploads", json={"files": files}).json()
    path, go_on, begun = f"/uploads/{state['upload_id']}/model.safetensors", threading.Event(), threading.Event()

    def slowly():
        yield b"ab"
        begun.set()
        go_on.wait(20)
        yield b"cd"

    answers = []
    slow = threading.Thread(target=lambda: answers.append(served.http("PUT", path, content=slowly(), timeout=30)))
    slow.start()
    begun.wait(20)
    time.sleep(0.3)
    second = served.http("PUT", path, content=b"xxxx")
    go_on.set()
    slow.join()
    assert (second.status_code, answers[0].json()) == (422, {"offset": 4})
    for names in (["a.json", "a.json/b.json"], ["x" * 250 + ".json"]):
        files = [{"path": name, "size": 1, "sha256": "0" * 64} for name in names]
        assert served.http("POST", "/uploads", json={"files": files}).status_code == 422


def test_a_bucket_writes_nowhere_else_and_brings_no_pickles(tmp_path, monkeypatch):
    from pyarrow import fs

    from eval_service.fetching import fetch

    class Remote:
        names = ("config.json", "../../evil.json", "pytorch_model.bin", "modeling.py", "model.safetensors")

        def get_file_info(self, selector):
            return [fs.FileInfo(f"bucket/run/{name}", fs.FileType.File, size=2) for name in self.names]

        def open_input_stream(self, path):
            return io.BytesIO(b"{}")

    monkeypatch.setattr(fs, "FileSystem", SimpleNamespace(from_uri=lambda uri: (Remote(), "bucket/run")))
    monkeypatch.setattr(fs, "FileSelector", lambda base, recursive: base)
    fetch("s3://bucket/run", tmp_path / "a" / "b", 100)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["config.json", "model.safetensors"]
    with pytest.raises(ValueError, match="at most"):
        fetch("s3://bucket/run", tmp_path / "c", 3)


def test_a_page_of_another_site_changes_nothing(served):
    """Nor does it by a form, for which browsers ask nobody."""
    body = {"checkpoint": "good", "tasks": ["colours"]}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"},
                    {"Sec-Fetch-Site": "same-site"}):  # fmt: skip
        assert served.http("POST", "/evaluate", json=body, headers=headers).status_code == 403
        assert served.http("POST", "/login", data={"token": "x"}, headers=headers).status_code == 403
    plain = served.http("POST", "/evaluate", content=json.dumps(body), headers={"Content-Type": "text/plain"})
    assert plain.status_code == 422
    assert served.http("POST", "/evaluate", json=body, headers={"Origin": served.url}).status_code == 202


def test_a_cookie_submits_and_cancels_nothing(two):
    first = {"Authorization": f"Bearer {TOKENS['FIRST']}"}
    job = two.http("POST", "/evaluate", json={"checkpoint": "good", "tasks": ["colours"]}, headers=first).json()
    cookie = {"Cookie": f"eval_token={TOKENS['FIRST']}"}
    assert two.http("DELETE", f"/jobs/{job['job_id']}", headers=cookie).status_code == 401


def test_signing_in_leads_nowhere_else(served):
    for to in ("//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "/\r\nX: y"):
        answer = served.http("POST", "/login", data={"token": "any", "to": to})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


QUERIES = [
    "page=1000000000000", "page=-1", "page=" + "9" * 5000, "q=" + "(a%2B)%2B" * 500, "q=%27%3B+DROP+TABLE+verdicts",
    "field=%22%3D1", "flag=%27", "show=x", "q=%00", "variant=..%2F..%2Fx",
]  # fmt: skip


def test_strange_queries_are_answered_quickly(served):
    served.client().evaluate(checkpoint="good", tasks=["colours"])
    served.drain()
    for query in QUERIES:
        began = time.monotonic()
        answer = served.http("GET", f"/cells/good/colours?{query}")
        assert answer.status_code in (200, 404, 422), (query, answer.text)
        assert "page 1000000000001" not in answer.text
        assert time.monotonic() - began < 10


def test_names_are_text_on_pages_and_no_formulas_in_a_csv(served):
    name = "=cmd()<img src=x onerror=alert(1)>"
    file = served.project.path / "evil.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), "text": "red"}) + "\n" for i in range(40)))
    import_answers(served.project.store, file, load_task("colours"), name, id_field="id", response_field="text")
    served.client().evaluate(checkpoint=name, tasks=["colours"])
    served.client().evaluate(checkpoint="good", tasks=["colours"])
    served.drain(20)
    for path in ("/", "/?baseline=good", "/runs", "/cells/good/colours"):
        assert "<img src=x" not in served.http("GET", path).text
    slug = served.http("GET", "/").text.split('href="/cells/')[1].split("/")[0]
    text = served.http("GET", f"/cells/{slug}/colours").text
    assert "<img src=x" not in text
    assert "&lt;img" in text
    names = [row["checkpoint"] for row in csv.DictReader(io.StringIO(served.http("GET", "/leaderboard.csv").text))]
    assert sorted(names) == [f"'{name}", "good"]


def test_unusual_methods_do_not_fill_the_metrics(served):
    served.http("REPORT", "/queue")
    text = served.http("GET", "/metrics").text
    assert "REPORT" not in text
    assert 'method="other"' in text


def test_a_follower_that_went_away_is_forgotten_and_there_is_a_limit(served, monkeypatch):
    from eval_service import followers

    monkeypatch.setattr(followers, "_MOST", 2)
    job = served.client().evaluate(checkpoint="good", tasks=["colours"])
    url = f"{served.url}/jobs/{job['job_id']}/events"
    with httpx.stream("GET", url) as one, httpx.stream("GET", url) as two:
        lines = one.iter_lines(), two.iter_lines()  # a connection ends with its iterator
        assert [next(of) for of in lines] == ["event: job"] * 2
        assert httpx.get(url).status_code == 429
        with pytest.raises(EvalServiceError, match="follows 2 jobs"):
            next(served.client(patience=0).events(job["job_id"]))
    deadline = time.monotonic() + 20
    while True:
        with httpx.stream("GET", url) as again:
            if again.status_code == 200:
                break
        assert time.monotonic() < deadline, "streams of clients that are gone are still counted"
        time.sleep(0.2)


def test_a_proxys_tls_makes_the_cookie_secure(two):
    service = {"tokens": [{"name": "first", "env": "FIRST"}], "public_url": "https://evals.example"}
    two.project.configure(service=service)
    two.restart()
    answer = two.http("POST", "/login", data={"token": TOKENS["FIRST"]}, headers={
        "Host": "evals.example", "Origin": "https://evals.example",
    })  # fmt: skip
    assert (answer.status_code, "Secure" in answer.headers["set-cookie"]) == (303, True)
