"""SGLang's wire for log-likelihoods, against the stand-in that answers as SGLang's documented API does."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resources.models import loglikelihood_sglang as wire
from resources.models.base import Instance, Media, ModelUnusable
from tests.engines.scoring import SPANNING, Asking, agreeing, checkpoint, questions, serving

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

STAND_IN = Path(__file__).parent / "sglang_stand_in.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tokenizer and its chat template both write the first token: it must not stand there twice."""
    return checkpoint(tmp_path_factory.mktemp("tiny") / "model", first_token=True)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, str(STAND_IN), "--model-path", str(folder), "--served-model-name", "served"]
    flags = ["--dtype", "float32", "--enable-metrics", "--mem-fraction-static", "0.8"]
    with serving([*command, *flags], tmp_path_factory.mktemp("log") / "log", seconds=60) as root:
        yield root


@pytest.fixture
def asking(server: str, folder: Path) -> Asking:
    prompts = wire.load_prompts(str(folder))
    return Asking(server, lambda request, post: wire.score(request, post, prompts))


def get(url: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as reply:
        return json.loads(reply.read())


def test_log_likelihoods_are_those_of_transformers(asking: Asking, folder: Path) -> None:
    asked = questions()
    found = agreeing(asking, folder, asked)
    assert found["picture-mixed"].loglikelihoods != found["other-mixed"].loglikelihoods


def test_what_stands_before_a_continuation_is_read_once(asking: Asking) -> None:
    about = Instance(
        prompt="Is the left digit of the digits 5?", media_list=questions()[3].media_list, continuations=SPANNING,
        id="q",
    )  # fmt: skip
    found = asking.scored([about])["q"]
    assert len(asking.sent) == len(SPANNING)
    assert found.usage["cached_tokens"] >= found.usage["prompt_tokens"] - 2


def test_a_request_that_cannot_be_scored_is_told_and_the_others_go_on(asking: Asking) -> None:
    good = replace(questions()[0], id="good")
    asked = [
        replace(good, id="empty", continuations=("3", "")),
        replace(good, id="long", prompt="left " * 3000),
        replace(good, id="broken", media_list=[Media(b"no picture", "image/png")]),
        replace(good, id="video", media_list=[Media(b"", "video/mp4")]),
        replace(good, id="none", continuations=()),
        good,
    ]
    found = asking.scored(asked)
    errors = {name: response.error for name, response in found.items() if response.error}
    assert {name: error.kind for name, error in errors.items()} == {
        "empty": "bad_request", "broken": "bad_media", "video": "unsupported_media", "long": "too_long",
    }  # fmt: skip
    assert "no tokens of its own" in errors["empty"].message
    assert found["none"].loglikelihoods == ()
    assert found["good"].error is None


def test_another_tokenizer_than_the_servers_is_noticed(server: str, tmp_path: Path) -> None:
    from examples.digits import data, model

    words = model.build_tokenizer(data.words())
    model.build_processor(words).save_pretrained(tmp_path)
    prompts = wire.load_prompts(str(tmp_path))
    text = Instance(prompt="Which digit?", continuations=("3",), id="text", media_list=questions()[3].media_list)
    found = Asking(server, lambda request, post: wire.score(request, post, prompts)).scored([text])
    error = found["text"].error
    assert error is not None
    assert "as tokens" in error.message


def test_no_processor_no_scores(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="cannot be loaded"):
        wire.load_prompts(str(tmp_path))


def test_another_chat_template(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.jinja"
    file.write_text("{{ messages[0].content[0].text }}!")
    turns = Instance(prompt="Which?").turns()
    assert wire.load_prompts(str(folder), chat_template=str(file)).prompt(turns, ()).text == "Which?!"
    with pytest.raises(ModelUnusable, match="as a file"):
        wire.load_prompts(str(folder), chat_template="chatml")


def test_the_stand_in_answers_as_sglang_documents_it(server: str, folder: Path, tmp_path: Path) -> None:
    assert get(f"{server}/get_model_info")["model_path"] == str(folder)
    assert get(f"{server}/v1/models")["data"][0]["id"] == "served"
    body = {"model": "served", "messages": [{"role": "user", "content": "Which?"}], "max_tokens": 3, "temperature": 0}
    before = get(f"{server}/v1/chat/completions", body)
    assert before["usage"]["completion_tokens"] <= 3
    tokens = get(f"{server}/v1/tokenize", {"prompt": "left 3"})["tokens"]
    plain = {"input_ids": tokens, "sampling_params": {"max_new_tokens": 1}}
    assert "input_token_logprobs" not in get(f"{server}/generate", plain)["meta_info"]
    asked = {**plain, "return_logprob": True, "logprob_start_len": 1}
    told = get(f"{server}/generate", asked)["meta_info"]["input_token_logprobs"]
    assert [entry[1] for entry in told] == tokens[1:]
    assert told[0][0] is None
    other = checkpoint(tmp_path / "other", seed=1, first_token=True)
    assert get(f"{server}/update_weights_from_disk", {"model_path": str(other)})["success"]
    changed = get(f"{server}/generate", asked)["meta_info"]["input_token_logprobs"]
    assert changed[1][0] != told[1][0]
    assert get(f"{server}/update_weights_from_disk", {"model_path": str(folder)})["success"]
    assert get(f"{server}/generate", asked)["meta_info"]["input_token_logprobs"] == told
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get(f"{server}/update_weights_from_disk", {"model_path": str(tmp_path / "nowhere")})
