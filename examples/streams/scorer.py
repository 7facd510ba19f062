"""Train a tiny dual encoder on the streams' clips and handwritten digits, for the context policy `relevant`.

    python examples/streams/scorer.py OUT

A CLIP of 0.2 million parameters that tells which captions are true of a frame: which clip it is of, whether it is
blocky, whether a handwritten digit is on it and which. It is trained on captions and asked with questions, whose other
words it does not know. It shows how the policy works, no more: it has seen the clips that the streams are made of.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:  # run as a script: let it find its own package from any working directory
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from examples.streams import compose
from task_defs.catalog.digits.compose import scans, split

SIDE, PATCH, WIDTH, WORDS = 96, 24, 64, 32  # pixels, pixels, features, tokens
PAD, BOS, EOS, UNKNOWN = SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
BATCH, LEARNING_RATE = 32, 3e-3
CAPTIONS = (
    *(words for _, _, words in compose.CLIPS.values()), *compose.LOOKS, "a handwritten digit",
    *(f"a handwritten digit {digit}" for digit in range(10)),
)  # fmt: skip


def train(out: Path, *, films: Any, steps: int = 80, seed: int = 0, threads: int = 1) -> Path:
    """Write the encoder into `out`, in Hugging Face format; some seconds. films: `compose.Films`."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _train(out, films, steps, seed)
    finally:
        torch.set_num_threads(before)


def _train(out: Path, films: Any, steps: int, seed: int) -> Path:
    import torch

    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    processor = build_processor()
    model = build_model(processor.tokenizer)
    scale = torch.nn.Parameter(torch.tensor([2.0, -2.0]))  # of the sigmoid: logarithm of the slope, and the offset
    optimizer = torch.optim.AdamW([*model.parameters(), scale], lr=LEARNING_RATE, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 20) * (1 - step / steps)
        frames, true = batch(films, draw)
        pictures = processor.image_processor(images=list(frames), return_tensors="pt")
        seen = torch.nn.functional.normalize(model.get_image_features(**pictures).pooler_output, dim=-1)
        texts = processor.tokenizer([_garbled(c, draw) for c in CAPTIONS], padding=True, return_tensors="pt")
        said = torch.nn.functional.normalize(model.get_text_features(**texts).pooler_output, dim=-1)
        # Each pair of picture and caption is true or not (SigLIP's loss, https://arxiv.org/abs/2303.15343).
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            seen @ said.T * scale[0].exp() + scale[1], torch.from_numpy(true)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    model.save_pretrained(out)
    processor.save_pretrained(out)
    return out


def batch(films: Any, draw: np.random.Generator) -> tuple[Any, Any]:
    """Frames as [32, 120, 160, 3] and which captions are true of each, float32 [32, captions]."""
    images, labels = scans()
    rows, _ = split(len(images))
    names = sorted(compose.CLIPS)
    frames = np.empty((BATCH, compose.HEIGHT, compose.WIDTH, 3), np.uint8)
    true = np.zeros((BATCH, len(CAPTIONS)), np.float32)
    for number in range(BATCH):
        name = names[draw.integers(len(names))]
        blocky = name == "car" and draw.random() < 0.5
        file, part = compose.BLURRED if blocky else compose.CLIPS[name][:2]
        clip = films.frames(file, part, part.stop - part.start)
        frames[number] = clip[draw.integers(len(clip))]
        facts = [compose.CLIPS[name][2], compose.LOOKS[blocky]]
        if draw.random() < 0.5:
            row = rows[draw.integers(len(rows))]
            compose.paste(frames[number : number + 1], images[row], int(draw.integers(4)))
            facts += ["a handwritten digit", f"a handwritten digit {labels[row]}"]
        true[number] = [caption in facts for caption in CAPTIONS]
    return frames, true


def _garbled(caption: str, draw: np.random.Generator) -> str:
    """The caption among words that the encoder does not know, as a question has them."""
    words = caption.split()
    for _ in range(draw.integers(5)):
        words.insert(int(draw.integers(len(words) + 1)), UNKNOWN)
    return " ".join(words)


def build_processor() -> Any:
    """One token a word; frames are pressed into a square, so that no edge of them is cut off."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    known = sorted({word for caption in CAPTIONS for word in re.findall(r"\w+", caption)})
    ids = {word: number for number, word in enumerate([*SPECIAL, *known])}
    made = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(BOS, ids[BOS]), (EOS, ids[EOS])]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, bos_token=BOS, eos_token=EOS, unk_token=UNKNOWN, model_max_length=WORDS
    )
    size = {"height": SIDE, "width": SIDE}
    return CLIPProcessor(CLIPImageProcessorPil(size=size, do_center_crop=False), tokenizer)


def build_model(tokenizer: Any) -> Any:
    """An untrained `CLIPModel` in float32."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    shape = {
        "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }  # fmt: skip
    text = CLIPTextConfig(
        **shape, vocab_size=len(tokenizer), max_position_embeddings=WORDS, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    vision = CLIPVisionConfig(**shape, image_size=SIDE, patch_size=PATCH)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def main() -> None:
    parser = compose.arguments(__doc__, "folder for the encoder")
    parser.add_argument("--steps", type=int, default=80)
    options = parser.parse_args()
    start = time.monotonic()
    films = compose.Films(compose.clips_folder(options.clips))
    print(f"{train(options.out, films=films, steps=options.steps)} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
