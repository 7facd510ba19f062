"""Conversations, template arguments and seeds on a real tiny model of Transformers."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.models.base import Instance, Media, Message, Response
from resources.models.transformers import TransformersModel

pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
GREEDY = {"max_tokens": 3, "temperature": 0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hardly trained model whose template says "fast" where `enable_thinking` is false."""
    sys.path.insert(0, str(ROOT))
    from examples.digits.train import train

    path = train(tmp_path_factory.mktemp("digits"), steps=20)[-1]
    copy = Path(shutil.copytree(path, tmp_path_factory.mktemp("thinking") / "model"))
    template = copy / "chat_template.jinja"
    switch = "{% if enable_thinking is defined and not enable_thinking %}even {% endif %}"
    template.write_text(
        template.read_text().replace("{% if add_generation_prompt %}", switch + "{% if add_generation_prompt %}")
    )
    return copy


@pytest.fixture(scope="module")
def pictures() -> list[Media]:
    from task_defs.catalog.digits import compose

    docs = {doc["picture_id"]: doc for doc in compose.docs(ROOT, None)}
    return [Media(doc["image"]["bytes"], "image/png", name) for name, doc in list(docs.items())[:4]]


def ask(path: Path, requests: list[Instance], method: str = "generate_until") -> dict[str, Response]:
    async def run() -> dict[str, Response]:
        async with TransformersModel(str(path), device="cpu") as model:
            return {response.id: response async for response in getattr(model, method)(requests)}

    return asyncio.run(run())


def test_a_dialogue_with_pictures_is_read_as_plain_transformers_reads_it(
    checkpoint: Path, pictures: list[Media]
) -> None:
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    turns = (
        Message("system", (("text", "How many digits are even ?"),)),
        Message("user", (("text", "Which digit"), ("media", 1), ("text", "is on the left ?"))),
        Message("assistant", (("text", "3"),)),
        Message("user", (("media", 0), ("text", "Which is larger"), ("media", 2))),
    )
    request = Instance(messages=turns, media_list=pictures[:3], gen_kwargs=GREEDY, id="a")
    found = ask(checkpoint, [request])["a"]
    processor = AutoProcessor.from_pretrained(checkpoint)
    model = AutoModelForImageTextToText.from_pretrained(checkpoint).eval()

    def content(message: Message) -> list[dict[str, Any]]:
        opened = {i: Image.open(io.BytesIO(media.data)) for i, media in enumerate(pictures)}
        return [
            {"type": "image", "image": opened[v]} if k == "media" else {"type": "text", "text": v}
            for k, v in message.parts
        ]

    inputs = processor.apply_chat_template(
        [{"role": turn.role, "content": content(turn)} for turn in turns],
        tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    out = model.generate(**inputs, max_new_tokens=3, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert found.error is None
    assert found.text == processor.decode(out, skip_special_tokens=True)
    assert found.usage["prompt_tokens"] == inputs["input_ids"].shape[1]


def test_template_arguments_reach_the_template_of_answers_and_of_choices(
    checkpoint: Path, pictures: list[Media], capfd: pytest.CaptureFixture[str]
) -> None:
    base = Instance(prompt="Which digit is on the left?", media_list=pictures[:1], continuations=("3", "4"), id="plain")
    requests = [
        replace(base, gen_kwargs=GREEDY),
        replace(base, id="on", gen_kwargs={**GREEDY, "chat_template_kwargs": {"enable_thinking": True}}),
        replace(base, id="off", gen_kwargs={**GREEDY, "chat_template_kwargs": {"enable_thinking": False}}),
    ]
    unknown = {"enable_thinking": False, "nobody_reads_this": 1}
    requests.append(replace(base, id="unknown", gen_kwargs={**GREEDY, "chat_template_kwargs": unknown}))
    answered = ask(checkpoint, requests)
    tokens = {name: response.usage["prompt_tokens"] for name, response in answered.items()}
    assert tokens["on"] == tokens["plain"] == tokens["off"] - 1
    assert tokens["unknown"] == tokens["off"]
    assert "processor_kwargs" not in capfd.readouterr().err, "no warning for each question"
    scored = ask(checkpoint, requests, "loglikelihood")
    assert scored["on"].loglikelihoods == pytest.approx(scored["plain"].loglikelihoods, abs=1e-5)
    assert scored["off"].loglikelihoods != pytest.approx(scored["plain"].loglikelihoods, abs=1e-3)


def test_samples_without_a_seed_differ_and_come_again_the_same(checkpoint: Path, pictures: list[Media]) -> None:
    gen = {"max_tokens": 6, "temperature": 3.0}
    base = Instance(prompt="Which digit is on the left?", media_list=pictures[:1], gen_kwargs=gen)
    requests = [replace(base, id=f"key-{n}", sample=n) for n in range(6)]
    first, again = ask(checkpoint, requests), ask(checkpoint, requests[::-1])
    texts = {name: response.text for name, response in first.items()}
    assert len(set(texts.values())) > 3
    assert texts == {name: response.text for name, response in again.items()}
    told = ask(checkpoint, [replace(r, gen_kwargs={**gen, "seed": 1}) for r in requests])
    assert len({response.text for response in told.values()}) == 1, "a seed that is given is kept"


def test_what_this_backend_cannot_take_is_refused_with_what_to_do(checkpoint: Path, pictures: list[Media]) -> None:
    requests = [
        Instance(
            prompt="?", media_list=[Media(b"\0\0\0\x18ftypmp42", "video/mp4", "v")], gen_kwargs=GREEDY, id="video"
        ),
        Instance(prompt="?", media_list=[Media(b"RIFF", "audio/wav", "a")], gen_kwargs=GREEDY, id="audio"),
        Instance(prompt="?", media_list=pictures[:1], gen_kwargs=GREEDY, id="picture"),
    ]
    found = ask(checkpoint, requests)
    assert found["picture"].error is None
    assert {found[name].error.kind for name in ("video", "audio")} == {"unsupported_media"}
    assert "video: {mode: frames, num_frames: 8}" in found["video"].error.message
    assert "use an engine or an endpoint that takes it" in found["audio"].error.message
    assert json.dumps(found["audio"].error.message)
