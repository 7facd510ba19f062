"""vLLM's wire for log-likelihoods, against a real vLLM and the Transformers backend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resources.models import loglikelihood_vllm as wire
from resources.models.base import Instance
from resources.models.openai_wire import chat_body
from tests.engines.scoring import SIGNS, Asking, agreeing, checkpoint, questions, serving

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),  # the server's start is part of the first test
    pytest.mark.skipif("EVAL_VLLM_PYTHON" not in os.environ, reason="EVAL_VLLM_PYTHON names no interpreter with vLLM"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [os.environ["EVAL_VLLM_PYTHON"], "-m", "vllm.entrypoints.cli.main", "serve", str(folder)]
    flags = ["--served-model-name", "served", "--dtype", "float32", "--max-model-len", "1024", "--enforce-eager"]
    flags += ["--block-size", "32", "--limit-mm-per-prompt", '{"image":4}', "--enable-prompt-tokens-details"]
    environment = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }
    log = tmp_path_factory.mktemp("log") / "log"
    with serving([*command, *flags], log, seconds=500, **environment) as root:
        yield root


@pytest.fixture
def asking(server: str) -> Asking:
    def score(request, post):
        return wire.score(request, post, lambda asked, fields: chat_body(asked, "served", "max_tokens", fields))

    return Asking(server, score)


def test_log_likelihoods_are_those_of_transformers(asking: Asking, folder: Path) -> None:
    asked = questions()
    found = agreeing(asking, folder, asked)
    assert found["picture-mixed"].loglikelihoods != found["other-mixed"].loglikelihoods
    assert max(found["two-mixed"].continuation_tokens or ()) > 5


def test_one_token_more_is_asked_for_all_options_at_once(asking: Asking) -> None:
    two = [q for q in questions() if q.id in {"two-signs", "picture-signs"}]
    asking.scored(two)
    chats = [body for path, body in asking.sent if path == "/v1/chat/completions"]
    assert len(chats) == len(two)
    assert all(len(body["logprob_token_ids"]) == len(SIGNS) for body in chats)


def test_the_long_way_says_the_same(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not know `logprob_token_ids` is asked for each option."""
    signs = [q for q in questions() if q.id.endswith("-signs")]
    short = asking.scored(signs)
    monkeypatch.setattr(wire, "_MOST_IDS", 1)
    long = asking.scored(signs)
    for name, response in short.items():
        assert long[name].loglikelihoods == pytest.approx(response.loglikelihoods, abs=1e-4)
        assert long[name].usage["prompt_tokens"] == response.usage["prompt_tokens"]
    assert any("prompt_logprobs" in body for _, body in asking.sent)


def test_a_request_that_cannot_be_scored_is_told_and_the_others_go_on(asking: Asking) -> None:
    good = replace(questions()[0], id="good")
    asked = [
        replace(good, id="empty", continuations=("3", "")),
        replace(good, id="long", prompt="left " * 3000),
        replace(good, id="none", continuations=()),
        good,
    ]
    found = asking.scored(asked)
    assert {name: r.error.kind for name, r in found.items() if r.error} == {"empty": "bad_request", "long": "too_long"}
    assert found["none"].loglikelihoods == ()
    assert found["good"].loglikelihoods is not None


def test_variables_of_the_chat_template_reach_it(asking: Asking) -> None:
    plain = Instance(prompt="Which?", continuations=SIGNS, id="plain")
    told = replace(plain, id="told", gen_kwargs={"chat_template_kwargs": {"bos_token": "Well"}})
    found = asking.scored([plain, told])
    assert found["plain"].loglikelihoods != found["told"].loglikelihoods
