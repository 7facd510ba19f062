"""The Transformers backend on a real tiny model: no mock but where a machine would have to run full."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.models.base import Instance, Media, Message, ModelUnusable, Response
from resources.models.transformers import TransformersModel

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
GREEDY = {"max_tokens": 4, "temperature": 0}
QUESTIONS = ("Which digit is on the left?", "What is the sum of the digits?", "How many digits are even?")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 200 steps: its answers are mostly wrong, but they differ between pictures."""
    sys.path.insert(0, str(ROOT))
    from examples.digits.train import train

    return train(tmp_path_factory.mktemp("digits"), steps=200)[-1]


@pytest.fixture(scope="module")
def endless(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with an end token that it cannot say."""
    copy = Path(shutil.copytree(checkpoint, tmp_path_factory.mktemp("endless") / "model"))
    config = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps({**config, "eos_token_id": 9999}))
    return copy


@pytest.fixture(scope="module")
def pictures() -> list[Media]:
    from task_defs.catalog.digits import compose

    docs = {doc["picture_id"]: doc for doc in compose.docs(ROOT, None)}
    return [Media(doc["image"]["bytes"], "image/png", name) for name, doc in docs.items()]


@pytest.fixture(scope="module")
def questions(pictures: list[Media]) -> list[Instance]:
    """Thirty questions of different lengths on ten pictures."""
    return [
        Instance(prompt=question, media_list=[media], gen_kwargs=GREEDY, id=f"{media.sha}-{n}")
        for media in pictures[:10]
        for n, question in enumerate(QUESTIONS)
    ]


def ask(path: Path, requests: Any, method: str = "generate_until", **options: Any) -> dict[str, Response]:
    async def run() -> dict[str, Response]:
        async with TransformersModel(str(path), device="cpu", **options) as model:
            return {response.id: response async for response in getattr(model, method)(requests)}

    return asyncio.run(run())


def texts(responses: dict[str, Response]) -> dict[str, str]:
    assert not [r.error for r in responses.values() if r.error]
    return {name: response.text for name, response in responses.items()}


def with_gen(request: Instance, **gen: Any) -> Instance:
    return replace(request, gen_kwargs={**request.gen_kwargs, **gen})


# Answers


def test_batches_answer_as_one_by_one(checkpoint: Path, questions: list[Instance]) -> None:
    alone = ask(checkpoint, questions, batch_size=1)
    together = ask(checkpoint, questions, batch_size=7)
    assert texts(alone) == texts(together)
    assert len(set(texts(alone).values())) > 3, "answers that never differ would show nothing"
    assert {k: r.usage for k, r in alone.items()} == {k: r.usage for k, r in together.items()}
    assert all(r.timings["total"] > 0 for r in together.values())


def test_answers_are_those_of_plain_transformers(checkpoint: Path, questions: list[Instance]) -> None:
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(checkpoint)
    model = AutoModelForImageTextToText.from_pretrained(checkpoint).eval()
    ours = ask(checkpoint, questions)
    for request in questions[:6]:
        content = [
            {"type": "image", "image": Image.open(io.BytesIO(request.media_list[0].data))},
            {"type": "text", "text": request.prompt},
        ]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        out = model.generate(**inputs, max_new_tokens=4, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert ours[request.id].text == processor.decode(out, skip_special_tokens=True)
        assert ours[request.id].usage["prompt_tokens"] == inputs["input_ids"].shape[1]


def test_finish_reason_and_usage(checkpoint: Path, questions: list[Instance]) -> None:
    plain = ask(checkpoint, questions[:3])
    short = ask(checkpoint, [with_gen(r, max_tokens=1) for r in questions[:3]])
    for name, response in short.items():
        assert (response.finish_reason, response.usage["completion_tokens"]) == ("length", 1)
        assert plain[name].finish_reason == "stop"
        assert plain[name].usage["completion_tokens"] == len(plain[name].text.split()) + 1  # and the end token


def test_text_is_cut_at_the_first_stop_text(endless: Path, questions: list[Instance]) -> None:
    request = with_gen(questions[0], temperature=20.0, seed=3, max_tokens=12)
    full = ask(endless, [request])[request.id]
    words = full.text.split()
    assert full.finish_reason == "length"
    assert len(set(words)) > 3
    last = max(words.index(word) for word in words)  # where the word that comes last first stands
    stops = ["never said", words[last], words[last] + " and more"]
    others = [replace(with_gen(r, **request.gen_kwargs, stop=stops), id=r.id) for r in questions[1:4]]
    stopped = ask(endless, [with_gen(request, stop=stops), *others])[request.id]
    assert stopped.text.split() == words[:last]
    assert stopped.finish_reason == "stop"
    assert stopped.usage["completion_tokens"] == last + 1


def test_requests_with_other_parameters_keep_theirs(checkpoint: Path, questions: list[Instance]) -> None:
    """Neighbours with different lengths, seeds and stops do not share a batch's settings."""
    mixed = [with_gen(r, max_tokens=1 + n % 2) for n, r in enumerate(questions[:8])]
    found = ask(checkpoint, mixed, batch_size=8)
    alone = ask(checkpoint, mixed, batch_size=1)
    assert texts(found) == texts(alone)
    assert all(r.usage["completion_tokens"] <= 1 + n % 2 for n, r in enumerate(found[q.id] for q in mixed))


def test_unknown_generation_parameter_is_told(checkpoint: Path, questions: list[Instance]) -> None:
    found = ask(checkpoint, [with_gen(questions[0], temprature=1), questions[1]])
    error = found[questions[0].id].error
    assert error is not None
    assert (error.kind, error.retryable) == ("bad_request", False)
    assert "temprature" in error.message
    assert found[questions[1].id].error is None


def test_several_pictures_stand_where_the_conversation_has_them(checkpoint: Path, pictures: list[Media]) -> None:
    def request(order: tuple[int, int]) -> Instance:
        parts = (
            ("media", order[0]),
            ("text", "left"),
            ("media", order[1]),
            ("text", "Which digit is larger?"),
        )
        return Instance(
            messages=(Message("user", parts),),
            media_list=pictures[:2],
            id=str(order),
            continuations=("3", "4"),
        )

    found = ask(checkpoint, [request((0, 1)), request((1, 0))], "loglikelihood")
    assert found["(0, 1)"].error is None
    assert found["(0, 1)"].loglikelihoods != found["(1, 0)"].loglikelihoods


# Sampling


def test_a_seed_gives_the_same_answer_in_any_batch(checkpoint: Path, questions: list[Instance]) -> None:
    sampled = [with_gen(r, temperature=1.0, seed=n) for n, r in enumerate(questions)]
    alone = texts(ask(checkpoint, sampled, batch_size=1))
    assert texts(ask(checkpoint, sampled, batch_size=16)) == alone
    assert texts(ask(checkpoint, sampled[::-1], batch_size=5)) == alone
    others = [with_gen(r, seed=n + 1000) for n, r in enumerate(sampled)]
    assert texts(ask(checkpoint, others)) != alone


def test_sampling_follows_the_models_probabilities(checkpoint: Path, pictures: list[Media]) -> None:
    """400 draws of one answer against log-likelihoods at temperature 1; top_k=1 is greedy."""
    base = Instance(prompt=QUESTIONS[2], media_list=[pictures[0]], continuations=("0", "1", "2"), id="base")
    values = ask(checkpoint, [base], "loglikelihood")["base"].loglikelihoods
    assert values is not None
    gen = {"max_tokens": 1, "temperature": 1.0}
    draws = [replace(base, gen_kwargs={**gen, "seed": n}, id=str(n)) for n in range(400)]
    answers = list(texts(ask(checkpoint, draws, batch_size=100)).values())
    for value, text in zip(values, base.continuations, strict=True):
        p = float(torch.tensor(value).exp())
        sigma = (p * (1 - p) / len(draws)) ** 0.5
        assert abs(answers.count(text) / len(draws) - p) < 4 * sigma + 1e-9
    greedy = ask(checkpoint, [replace(base, gen_kwargs={"max_tokens": 1})])["base"].text
    peaked = [replace(draw, gen_kwargs={**draw.gen_kwargs, "top_k": 1}) for draw in draws[:20]]
    assert set(texts(ask(checkpoint, peaked)).values()) == {greedy}


# Log-likelihoods


def by_hand(path: Path, request: Instance, continuation: str) -> float:
    """One forward pass over prompt and continuation, summed with a plain loop."""
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(path)
    model = AutoModelForImageTextToText.from_pretrained(path).eval()
    prompt = f"<s><user> <image>{request.prompt} <assistant> "
    picture = [Image.open(io.BytesIO(request.media_list[0].data)).convert("RGB")]
    before = processor(text=prompt, images=picture, return_tensors="pt")["input_ids"][0].tolist()
    inputs = processor(text=prompt + continuation, images=picture, return_tensors="pt")
    ids = inputs["input_ids"][0].tolist()
    assert ids[: len(before)] == before
    with torch.no_grad():
        logits = model(**inputs).logits[0].float()
    total = 0.0
    for position in range(len(before), len(ids)):
        row = logits[position - 1]
        total += float(row[ids[position]] - torch.logsumexp(row, 0))
    return total


def test_loglikelihoods_are_those_computed_by_hand(checkpoint: Path, questions: list[Instance]) -> None:
    continuations = ("3", "yes", "3 7", "no digits are even", "17")
    asked = [replace(r, continuations=continuations[: 2 + n % 4]) for n, r in enumerate(questions[:8])]
    for batch_size in (1, 3, 16):
        found = ask(checkpoint, asked, "loglikelihood", batch_size=batch_size)
        for request in asked[::3]:
            values = found[request.id].loglikelihoods
            assert values is not None
            assert len(values) == len(request.continuations)
            for value, text in zip(values, request.continuations, strict=True):
                assert value == pytest.approx(by_hand(checkpoint, request, text), abs=1e-4)
                assert value < 0


def test_the_greedy_answer_is_the_likeliest(checkpoint: Path, questions: list[Instance]) -> None:
    """Higher is likelier; questions alike on different pictures do not get each other's values."""
    digits = tuple(str(n) for n in range(10))
    same = [replace(r, continuations=digits) for r in questions[::3]]
    answers = ask(checkpoint, [with_gen(r, max_tokens=1) for r in same])
    found = ask(checkpoint, same, "loglikelihood", batch_size=8)
    for request in same:
        values = found[request.id].loglikelihoods
        assert values is not None
        assert answers[request.id].text == digits[values.index(max(values))]
    assert len({r.loglikelihoods for r in found.values()}) == len(same)


def test_a_continuation_without_tokens_is_refused(checkpoint: Path, questions: list[Instance]) -> None:
    found = ask(checkpoint, [replace(questions[0], continuations=("3", ""))], "loglikelihood")
    error = found[questions[0].id].error
    assert error is not None
    assert "no tokens of its own" in error.message


# Faults of single requests


def test_bad_pictures_spoil_nobody_elses_answer(
    checkpoint: Path, questions: list[Instance], pictures: list[Media]
) -> None:
    broken = {
        "text": Media(b"this is no picture", "image/png"),
        "cut": Media(pictures[0].data[:-60], "image/png"),
        "video": Media(b"....", "video/mp4"),
        "sound": Media(b"....", "audio/wav"),
    }
    bad = [replace(questions[0], media_list=[media], id=name) for name, media in broken.items()]
    for method in ("generate_until", "loglikelihood"):
        asked = [replace(r, continuations=("1",)) for r in (*questions[:2], *bad, *questions[2:4])]
        found = ask(checkpoint, asked, method)
        errors = {name: response.error for name, response in found.items() if response.error}
        kinds = {name: error.kind for name, error in errors.items()}
        assert kinds == {
            "text": "bad_media",
            "cut": "bad_media",
            "video": "unsupported_media",
            "sound": "unsupported_media",
        }
        assert not any(error.retryable for error in errors.values())
        assert "not supported by this backend" in errors["video"].message
        assert all(found[name].finish_reason == "error" for name in broken)
        assert all(found[r.id].error is None for r in questions[:4])


def test_too_long_prompts_are_refused_alone(checkpoint: Path, questions: list[Instance]) -> None:
    long = replace(questions[0], prompt="digit " * 3000, id="long")
    plain = texts(ask(checkpoint, questions[:3]))
    found = ask(checkpoint, [questions[0], long, *questions[1:3]])
    error = found.pop("long").error
    assert error is not None
    assert (error.kind, error.retryable) == ("too_long", False)
    assert "2048" in error.message
    assert texts(found) == plain
    limited = ask(checkpoint, questions[:1], max_length=17)[questions[0].id].error
    assert limited is not None
    assert limited.kind == "too_long"


def test_a_prompt_that_writes_a_placeholder_is_refused_alone(checkpoint: Path, questions: list[Instance]) -> None:
    found = ask(checkpoint, [replace(questions[0], prompt="What is <image> ?", id="odd"), questions[1]])
    error = found["odd"].error
    assert error is not None
    assert error.kind == "bad_request"
    assert found[questions[1].id].error is None


def test_a_batch_too_large_for_memory_is_halved(
    checkpoint: Path, questions: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    from resources.models.transformers_run import Runner

    plain = texts(ask(checkpoint, questions[:8]))
    real: Callable[..., Any] = Runner.generate
    sizes: list[int] = []

    def full(self: Runner, prompts: Any, *args: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, prompts, *args)

    monkeypatch.setattr(Runner, "generate", full)
    room = 2
    assert texts(ask(checkpoint, questions[:8], batch_size=8)) == plain
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    room = 0
    errors = [r.error for r in ask(checkpoint, questions[:2]).values()]
    assert [error.kind for error in errors if error] == ["out_of_memory"] * 2


# How it runs


def test_the_event_loop_goes_on_while_the_model_answers(endless: Path, questions: list[Instance]) -> None:
    async def run() -> tuple[float, float]:
        longest, last, done = 0.0, time.monotonic(), asyncio.Event()

        async def heart() -> None:
            nonlocal longest, last
            while not done.is_set():
                await asyncio.sleep(0.005)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()

        async with TransformersModel(str(endless), device="cpu", batch_size=30) as model:
            beating = asyncio.create_task(heart())
            last = start = time.monotonic()
            async for _ in model.generate_until([with_gen(r, max_tokens=150) for r in questions]):
                pass
            took = time.monotonic() - start
            done.set()
            await beating
        return longest, took

    longest, took = asyncio.run(run())
    assert took > 0.4, "too short to show anything"
    assert longest < took / 3


def test_reads_little_ahead_and_answers_what_waits(checkpoint: Path, questions: list[Instance]) -> None:
    async def run() -> None:
        async with TransformersModel(str(checkpoint), device="cpu", batch_size=4) as model:
            read = answered = 0

            def source() -> Iterator[Instance]:
                nonlocal read
                for request in questions:
                    read += 1
                    yield request

            async for _ in model.generate_until(source()):
                answered += 1
                # The batch that is being handed out, and two more.
                assert read - answered <= 3 * 4
            assert answered == len(questions)

            answers: asyncio.Queue[Response] = asyncio.Queue()

            async def one_after_another() -> AsyncIterator[Instance]:
                yield questions[0]
                for request in questions[1:4]:
                    first = await answers.get()  # as in an episode: the next depends on the answer
                    yield replace(request, id=f"{request.id} after {first.id}")

            async with asyncio.timeout(10):
                async for response in model.generate_until(one_after_another()):
                    answers.put_nowait(response)
            assert answers.qsize() == 1

    asyncio.run(run())


def test_an_error_of_the_requests_reaches_the_caller(checkpoint: Path, questions: list[Instance]) -> None:
    def source() -> Iterator[Instance]:
        yield questions[0]
        raise LookupError("the table is gone")

    with pytest.raises(LookupError, match="table is gone"):
        ask(checkpoint, source())


def test_cancelled_generation_stops_and_the_model_goes_on(endless: Path, questions: list[Instance]) -> None:
    async def run() -> float:
        async with TransformersModel(str(endless), device="cpu") as model:
            long = [with_gen(r, max_tokens=1900) for r in questions[:16]]

            async def consume() -> None:
                async for _ in model.generate_until(long):
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.5)
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            start = time.monotonic()
            found = [r async for r in model.generate_until(questions[:1])]
            assert found[0].error is None
            return time.monotonic() - start

    assert asyncio.run(run()) < 2


# What cannot be loaded


def load_error(path: Path | str, **options: Any) -> str:
    with pytest.raises(ModelUnusable) as caught:
        ask(Path(path), [], **options)
    return str(caught.value)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def test_truncated_weights_are_told_before_loading(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    message = load_error(copy)
    assert "model.safetensors is cut short" in message
    assert str(copy) in message


def test_pickled_weights_are_refused_and_loaded_when_allowed(copy: Path, questions: list[Instance]) -> None:
    from safetensors.torch import load_file

    plain = texts(ask(copy, questions[:3]))
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    message = load_error(copy)
    assert "pytorch_model.bin" in message
    assert "allow_pickle=True" in message
    assert texts(ask(copy, questions[:3], allow_pickle=True)) == plain


def test_no_model_there(tmp_path: Path, copy: Path) -> None:
    assert "no directory" in load_error(tmp_path / "absent")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    assert "config.json is missing" in load_error(tmp_path / "other")
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer_config.json").unlink()
    assert "no tokenizer" in load_error(copy)


def test_weights_that_the_checkpoint_lacks_are_not_made_up(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["multi_modal_projector.linear_1.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    message = load_error(copy)
    assert "lacks 1 weights" in message
    assert "linear_1" in message


def test_code_of_a_checkpoint_does_not_run(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["model_type"] = "own"
    config["auto_map"] = {"AutoConfig": "own.Own", "AutoModelForImageTextToText": "own.Own"}
    (copy / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (copy / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    assert "trust_remote_code" in load_error(copy)
    assert not ran.exists()


def test_wrong_arguments_are_told(checkpoint: Path) -> None:
    assert "float32" in load_error(checkpoint, dtype="float31")
    if not torch.cuda.is_available():

        async def run() -> None:
            async with TransformersModel(str(checkpoint), device="cuda"):
                pass

        with pytest.raises(ModelUnusable, match="device 'cuda'"):
            asyncio.run(run())


# Other kinds of model


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained text-only model without a chat template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from examples.digits import data, model

    folder = tmp_path_factory.mktemp("text")
    tokenizer = model.build_tokenizer(data.words())
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=1, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_text_models_answer_text_and_refuse_pictures(text_model: Path, pictures: list[Media]) -> None:
    words = ["left", "How many digits are even ?", "sum of the"]
    asked = [Instance(prompt=w, id=w, gen_kwargs={"max_tokens": 8}, continuations=("yes", "no")) for w in words]
    seeing = replace(asked[0], media_list=[pictures[0]], id="seeing")
    found = ask(text_model, [*asked, seeing], batch_size=4)
    error = found.pop("seeing").error
    assert error is not None
    assert error.kind == "unsupported_media"
    assert texts(found) == texts(ask(text_model, asked, batch_size=1))
    scored = ask(text_model, asked, "loglikelihood")
    alone = ask(text_model, asked, "loglikelihood", batch_size=1)
    for word in words:
        assert scored[word].loglikelihoods == pytest.approx(alone[word].loglikelihoods, abs=1e-5)


def test_engine_names_what_changes_answers() -> None:
    engine = TransformersModel("anything", dtype="bfloat16", batch_size=3).engine
    assert engine["name"] == "transformers"
    assert engine["dtype"] == "bfloat16"
    assert "batch_size" not in engine
    json.dumps(dict(engine))
    assert engine != TransformersModel("anything").engine
