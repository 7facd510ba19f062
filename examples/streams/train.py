"""Train a tiny vision-language model that watches streams: which handwritten digit is or was shown, has one appeared.

    python examples/streams/train.py OUT/step-1 --seconds 120

The architecture of the digits demo (`examples/digits/model.py`) with four tokens a frame, trained on one to sixteen
frames in order of time, with the scans that the task `streams_digits` does not show.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if not __package__:  # run as a script: let it find its own package from any working directory
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from examples.digits import model
from examples.streams import compose
from task_defs.catalog.digits.compose import scans, split

SIDE, PATCH = 96, 48  # pixels: a frame is pressed into a square, a card lies within one of its four patches
MEAN, STD = 0.5, 0.25
FRAMES, NOTHING = 64, 10  # in a batch; the label of a part of a frame without a digit
LEARNING_RATE, WARMUP_STEPS = 5e-4, 50
SHOWN, NOW, APPEARED = (
    "Which handwritten digit was shown?",
    "Which handwritten digit is shown now?",
    "Has a handwritten digit appeared?\nAnswer yes or no.",
)


def train(out: Path, films: Any, *, seconds: float | None = None, steps: int | None = None, seed: int = 0) -> Path:
    """Write the model into `out`, in Hugging Face format, when the seconds or steps are over. films: `compose.Films`.

    One thread: two wait for each other on cores that something else uses.
    """
    import torch

    if seconds is None and steps is None:
        raise ValueError("say when to stop: seconds, steps, or both")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _train(out, films, seconds, steps, seed)
    finally:
        torch.set_num_threads(before)


def _train(out: Path, films: Any, seconds: float | None, steps: int | None, seed: int) -> Path:
    """The first half of it the eye alone learns which digit is in which part of a frame, then all of it to answer."""
    import torch

    tokenizer = model.build_tokenizer(words())
    network = model.build_model(tokenizer, seed, SIDE, PATCH)
    head = torch.nn.Linear(model.WIDTH, NOTHING + 1)
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=LEARNING_RATE, weight_decay=0.01)
    material, draw = Material(films), np.random.default_rng(seed)
    start, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARMUP_STEPS) * max(0.05, 1 - done)
        tensors = {name: torch.from_numpy(array) for name, array in batch(tokenizer, material, draw).items()}
        digits = tensors.pop("digits")
        if done < 0.5:
            seen = network.model.vision_tower(tensors["pixel_values"]).last_hidden_state[:, 1:]
            loss = torch.nn.functional.cross_entropy(head(seen).flatten(0, 1), digits.flatten())
        else:
            loss = network(**tensors).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"{time.monotonic() - start:6.1f} s  step {step:5d}  loss {float(loss.detach()):.3f}", flush=True)
        done = max((time.monotonic() - start) / seconds if seconds else 0.0, step / steps if steps else 0.0)
    model.save(network, processor(tokenizer), out)
    return out


def processor(tokenizer: Any) -> Any:
    """The demo's, but a frame is squeezed and not cut."""
    made = model.build_processor(tokenizer, SIDE, PATCH)
    made.image_processor.size = {"height": SIDE, "width": SIDE}
    made.image_processor.do_center_crop = False
    made.image_processor.image_mean, made.image_processor.image_std = [MEAN] * 3, [STD] * 3
    return made


def words() -> list[str]:
    texts = [SHOWN, NOW, APPEARED, "yes no none", *map(str, range(10))]
    return sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)})


class Material:
    """Frames and cards as the model sees them.

    most: scans, of those to train on. backgrounds: uint8 [n, 96, 96, 3]. cards: uint8 [scans, 4, 96, 96], one in each
    corner; place: where it lies.
    """

    def __init__(self, films: Any, most: int | None = None) -> None:
        clips = [(file, part) for file, part, _ in compose.CLIPS.values()]
        frames = [films.frames(file, part, part.stop - part.start) for file, part in clips]
        self.backgrounds = np.stack([_squeezed(frame) for clip in frames for frame in clip])
        images, labels = scans()
        rows = split(len(images))[0][:most]
        self.labels = labels[rows]
        blank = np.zeros((4, 1, compose.HEIGHT, compose.WIDTH, 3), np.uint8)
        self.cards = np.empty((len(rows), 4, SIDE, SIDE), np.uint8)
        for number, row in enumerate(rows):
            for corner in range(4):
                compose.paste(blank[corner], images[row], corner)
                self.cards[number, corner] = _squeezed(blank[corner, 0])[..., 0]
        high, wide = SIDE * compose.CARD // compose.HEIGHT, SIDE * compose.CARD // compose.WIDTH
        tops, lefts = (slice(0, high), slice(SIDE - high, SIDE)), (slice(0, wide), slice(SIDE - wide, SIDE))
        self.place = [(tops[corner // 2], lefts[corner % 2]) for corner in range(4)]


def _squeezed(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def batch(tokenizer: Any, material: Material, draw: np.random.Generator) -> dict[str, Any]:
    """A model's arguments: requests of one to sixteen frames, mostly few; a digit is in some of them, or in none."""
    count = int(2 ** draw.integers(5, size=3).min())
    rows = [_row(tokenizer, material, draw, count) for _ in range(FRAMES // count)]
    length = max(len(ids) for ids, *_ in rows)
    input_ids = np.full((len(rows), length), tokenizer.pad_token_id, np.int64)
    labels = np.full((len(rows), length), -100, np.int64)
    for number, (ids, reply, *_) in enumerate(rows):
        input_ids[number, : len(ids)] = ids
        labels[number, len(ids) - reply : len(ids)] = ids[-reply:]
    pixels = np.concatenate([frames for *_, frames, _ in rows]).astype(np.float32) / 255
    return {
        "input_ids": input_ids, "labels": labels,
        "attention_mask": (input_ids != tokenizer.pad_token_id).astype(np.int64),
        "pixel_values": np.ascontiguousarray(((pixels - MEAN) / STD).transpose(0, 3, 1, 2)),
        "digits": np.concatenate([digits for *_, digits in rows]),
    }  # fmt: skip


def _row(tokenizer: Any, material: Material, draw: np.random.Generator, count: int) -> tuple[list[int], int, Any, Any]:
    """Token ids, how many of them at the end are the answer's, the frames, and the digit in each part of each."""
    at, every = draw.integers(len(material.backgrounds)), int(draw.integers(1, 6))
    frames = material.backgrounds[(at + np.arange(count) * every) % len(material.backgrounds)].copy()
    digits = np.full((count, 4), NOTHING)
    digit, last = None, False
    if draw.random() < 0.75:
        number, corner = int(draw.integers(len(material.labels))), int(draw.integers(4))
        start = int(draw.integers(count))
        stop = int(draw.integers(start + 1, count + 1))
        frames[start:stop, *material.place[corner]] = material.cards[number, corner][material.place[corner]][..., None]
        digit, last = int(material.labels[number]), stop == count
        digits[start:stop, corner] = digit
    asked = (SHOWN, SHOWN, NOW, APPEARED)[draw.integers(4)]
    if asked == APPEARED:
        answer = "no" if digit is None else "yes"
    else:
        answer = "none" if digit is None or (asked == NOW and not last) else str(digit)
    return *encode(tokenizer, asked, answer, count), frames, digits


def encode(tokenizer: Any, asked: str, answer: str, frames: int) -> tuple[list[int], int]:
    """Token ids of a whole conversation, and how many of them at the end are the answer's, as a request makes them."""
    images = " ".join([model.IMAGE * (SIDE // PATCH) ** 2] * frames)
    prompt = tokenizer.encode(f"{model.BOS}{model.USER} {images} {asked} {model.ASSISTANT}", add_special_tokens=False)
    reply = tokenizer.encode(f"{answer}{model.EOS}", add_special_tokens=False)
    return prompt + reply, len(reply)


def main() -> None:
    parser = compose.arguments(__doc__, "folder for the model, such as RUN/step-1")
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    print(train(options.out, compose.Films(compose.clips_folder(options.clips)), seconds=options.seconds))


if __name__ == "__main__":
    main()
