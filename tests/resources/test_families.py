"""Published architectures, tiny and with random weights, through the Transformers backend."""

from __future__ import annotations

import asyncio
import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.models.base import Instance, Media, Response
from tests.resources import families

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

# Their processors handle video too, or are made on torchvision alone; SmolVLM's also needs num2words.
NEED_TORCHVISION = {
    "llava_onevision", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm", "internvl", "mistral3", "pixtral"
}  # fmt: skip
WITHOUT_PICTURE = {"paligemma": "`images` are expected"}  # what a family says that must have one
CHOICES = ("3", "yes", "left")


@pytest.fixture(scope="module")
def pictures() -> list[Media]:
    """Two pictures of noise."""
    from PIL import Image

    found = []
    for seed in (1, 2):
        noise = random.Random(seed)
        picture, file = Image.frombytes("RGB", (80, 60), noise.randbytes(80 * 60 * 3)), io.BytesIO()
        picture.save(file, "PNG")
        found.append(Media(file.getvalue(), "image/png", str(seed)))
    return found


@pytest.mark.parametrize("name", families.PICTURES)
def test_a_family_sees_its_pictures_and_its_loglikelihoods_are_those_of_the_next_token(name, pictures, tmp_path):
    if name in NEED_TORCHVISION:
        pytest.importorskip("torchvision")
    if name == "smolvlm":
        pytest.importorskip("num2words")
    folder = families.save(families.PICTURES[name], tmp_path / "model")
    ask = Instance(prompt="which digit is on the left ?", gen_kwargs={"max_tokens": 4}, continuations=CHOICES)
    seen = [replace(ask, media_list=[picture], id=picture.sha) for picture in pictures]
    blind, both = replace(ask, id="none"), replace(ask, media_list=pictures, id="both")
    answers, scores = asyncio.run(answer(folder, [*seen, blind, both]))
    refused = {r.id: r.error.message for r in answers if r.error}
    assert set(refused) == ({"none"} if name in WITHOUT_PICTURE else set())
    assert WITHOUT_PICTURE.get(name, "") in refused.get("none", "")
    tokens = {r.id: r.usage.get("prompt_tokens", 0) for r in answers}
    assert min(tokens["both"], tokens["1"]) > tokens["none"]
    found = {r.id: r.loglikelihoods for r in scores}
    assert apart(found["1"], found["2"]) > 1e-3, "the picture makes no difference"
    for request in (seen[0], both, *([] if refused else [blind])):
        assert found[request.id] == pytest.approx(by_hand(folder, request), abs=1e-4)


def test_a_text_model_answers_and_refuses_a_picture(pictures, tmp_path):
    folder = families.save(families.llama, tmp_path / "model")
    ask = Instance(prompt="which digit ?", gen_kwargs={"max_tokens": 4}, continuations=CHOICES, id="text")
    answers, scores = asyncio.run(answer(folder, [ask, replace(ask, media_list=pictures[:1], id="picture")]))
    assert {r.id: r.error and r.error.kind for r in answers} == {"text": None, "picture": "unsupported_media"}
    assert {r.id: r.loglikelihoods for r in scores}["text"] == pytest.approx(by_hand(folder, ask), abs=1e-4)


async def answer(folder: Path, requests: list[Instance]) -> tuple[list[Response], list[Response]]:
    from resources.models.transformers import TransformersModel

    async with TransformersModel(str(folder), device="cpu", dtype="float32") as model:
        texts = [response async for response in model.generate_until(requests)]
        return texts, [response async for response in model.loglikelihood(requests)]


def by_hand(folder: Path, request: Instance) -> list[float]:
    """Log-probabilities of the choices, each one token, after the prompt alone."""
    from resources.models.transformers_load import Source, load
    from resources.models.transformers_prompts import Prompts

    model, processor = load(Source(str(folder), device="cpu", dtype="float32"))
    prompts = Prompts(processor)
    inputs = prompts.encode([prompts.prompt(request.turns(), request.media_list)], "left")
    with torch.no_grad():
        last = model(**inputs).logits[0, -1].log_softmax(-1)
    return [float(last[prompts.tokenizer.convert_tokens_to_ids(choice)]) for choice in CHOICES]


def apart(one: Any, other: Any) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
