"""Providers by name: what they supply, what is said before anything is sent."""

from __future__ import annotations

import asyncio
import json

import pytest

from resources.models.base import Instance, Media, ModelUnusable
from resources.models.identity import identify
from resources.models.openai import OpenAIModel
from resources.models.openai_wire import chat_body
from resources.models.presets import PRESETS, endpoint, is_local, key_variable, preset_of

GREEDY = {"max_tokens": 9, "temperature": 0.0, "top_p": 0.9, "top_k": 4, "seed": 1, "stop": ["\n"]}


def but(*names: str) -> dict:
    return {name: value for name, value in GREEDY.items() if name not in names}


def sent(model: str, **args) -> dict:
    """The body as it would go out, with every parameter that a task can name."""
    made = OpenAIModel(model, **args)
    request = Instance(prompt="?", gen_kwargs=GREEDY)
    body = json.loads(chat_body(request, model, made._max_tokens_param, made._extra, made._dropped))
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_found_by_name_and_by_host_and_is_the_same_model(name, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")
    preset = PRESETS[name]
    assert preset.base_url == endpoint(preset.base_url + "/")
    assert endpoint(None, name) == preset.base_url
    assert preset_of(None, preset.base_url) == (name, preset) == preset_of(name, "http://proxy:80/v1")
    by_name, by_url = ({"preset": name}, {"base_url": preset.base_url})
    assert identify("openai", "m", by_name).fingerprint == identify("openai", "m", by_url).fingerprint
    assert sent("m", **by_name) == sent("m", **by_url)


def test_other_addresses_of_a_provider_are_known_and_others_are_nobodys():
    for url in ("https://ws1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/x"):
        assert preset_of(None, url)[0] == "dashscope"
    for url in ("http://127.0.0.1:8000/v1", "https://api.openai.com.example/v1", "https://notapi.groq.com/v1"):
        assert preset_of(None, url) == ("", None)
    assert preset_of("none", "https://api.openai.com/v1") == ("", None)


@pytest.mark.parametrize(
    ("model", "args", "expected"),
    [
        ("gpt-5-mini", {"preset": "openai"}, {"max_completion_tokens": 9, "seed": 1}),
        ("o4-mini", {}, {"max_completion_tokens": 9, "seed": 1}),
        ("gpt-4o", {}, {"max_completion_tokens": 9, **but("max_tokens", "top_k")}),
        ("gpt-5-chat-latest", {}, {"max_completion_tokens": 9, **but("max_tokens", "top_k")}),
        ("claude-opus-4-8", {"preset": "anthropic"}, but("top_k", "seed", "temperature", "top_p")),
        ("claude-sonnet-4-5", {"preset": "anthropic"}, but("top_k", "seed")),
        ("gemini-3-flash", {"preset": "gemini"}, but("top_k", "seed")),
        ("qwen", {"preset": "together"}, GREEDY),
        ("m", {"base_url": "http://127.0.0.1:1/v1"}, GREEDY),
        ("gpt-5-mini", {"preset": "none", "base_url": "https://api.openai.com/v1"}, GREEDY),
        # What is given explicitly wins.
        ("gpt-5-mini", {"preset": "openai", "max_tokens_param": "max_tokens", "drop_params": "none"}, GREEDY),
        ("m", {"base_url": "http://127.0.0.1:1/v1", "drop_params": ["seed", "top_k"]}, but("seed", "top_k")),
    ],
)  # fmt: skip
def test_each_model_is_sent_what_it_takes(model, args, expected):
    assert sent(model, **args) == expected


def test_what_a_preset_leaves_out_is_no_part_of_the_request_key_and_what_a_user_leaves_out_is():
    plain = OpenAIModel("m", base_url="https://x.example/v1").engine
    assert OpenAIModel("gpt-5", preset="openai").engine == plain
    settings = {
        "concurrency": 3, "requests_per_minute": 9, "tokens_per_minute": 9, "timeout": 3, "max_retries": 1,
        "price_in": 1, "price_out": 2, "max_cost": 3, "max_total_tokens": 9, "api_key_env": "K", "snapshot": "s",
    }  # fmt: skip
    assert OpenAIModel("m", preset="groq", **settings).engine == plain
    assert OpenAIModel("m", preset="groq", drop_params="seed").engine != plain
    money = {k: v for k, v in settings.items() if k != "snapshot"}
    there = {"base_url": "https://x.example/v1"}
    assert identify("openai", "m", {**there, **money}) == identify("openai", "m", there)
    assert identify("openai", "m", {**there, "snapshot": "2025-08-07"}) != identify("openai", "m", there)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"preset": "grok"}, r"no preset 'grok': did you mean 'groq'\? There are openai, anthropic"),
        ({"preset": "Open-Router"}, "did you mean 'openrouter'"),
        ({"preset": "zzz"}, "no preset 'zzz': There are"),
        ({"base_url": "api.groq.com/v1"}, "an address such as https://host/v1"),
        ({"base_url": "https://user:pw@host.example/v1"}, "host.example holds a user or password"),
        ({"concurrency": 0}, "concurrency= takes a number of 1 or more, not 0"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(args, says):
    with pytest.raises(ModelUnusable, match=says) as caught:
        OpenAIModel("m", **args)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-proj-0123456789", "gsk_" + "a1" * 40, "AIza x"])
def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated(key):
    with pytest.raises(ModelUnusable, match="the name of an environment variable") as caught:
        OpenAIModel("m", api_key_env=key)
    assert key not in str(caught.value)
    assert key_variable("MY_KEY") == "MY_KEY"


def enter(**args) -> None:
    async def run() -> None:
        async with OpenAIModel("m", **args):
            pass

    asyncio.run(run())


@pytest.mark.parametrize(("name", "preset"), sorted(PRESETS.items()))
def test_a_missing_key_is_named_before_any_request(name, preset, monkeypatch):
    monkeypatch.delenv(preset.key_env, raising=False)
    with pytest.raises(ModelUnusable, match=rf"{name} \(https://.* wants a key: .* {preset.key_env}, or name another"):
        enter(preset=name)
    with pytest.raises(ModelUnusable, match="MY_KEY"):
        enter(base_url=preset.base_url, api_key_env="MY_KEY")
    monkeypatch.setenv(preset.key_env, " ")
    with pytest.raises(ModelUnusable, match="wants a key"):
        enter(preset=name)
    monkeypatch.setenv(preset.key_env, "k")
    enter(preset=name)


def test_an_endpoint_of_ones_own_wants_no_key(endpoint, monkeypatch):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    enter(base_url=endpoint.url)
    enter(base_url=endpoint.url, preset="groq")
    enter(base_url="https://models.example/v1")
    for url in ("http://localhost:1/v1", "http://[::1]:1/v1", "http://10.0.0.7/v1", "http://gpu-box:8000/v1"):
        assert is_local(url)
    assert not is_local("https://api.openai.com/v1")


@pytest.mark.parametrize(
    ("preset", "mime", "says"),
    [("openai", "video/mp4", "as frames"), ("groq", "audio/wav", "takes no audio"), ("gemini", "video/mp4", "frames")],
)
def test_media_that_a_provider_does_not_take_are_told_before_any_cost(endpoint, preset, mime, says):
    async def run(**args) -> None:
        async with OpenAIModel("m", base_url=endpoint.url, **args) as model:
            request = Instance(prompt="?", media_list=[Media(b"x", mime)])
            async for _ in model.generate_until([request]):
                pass

    with pytest.raises(ModelUnusable, match=says):
        asyncio.run(run(preset=preset))
    assert endpoint.seen == []
    asyncio.run(run())
    assert len(endpoint.seen) == 1
