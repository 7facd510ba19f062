"""Writes an untrained Qwen2-VL of a few thousand parameters: `python tiny_qwen2_vl.py FOLDER`.

Run by the engine's interpreter: its video processor needs torchvision, which this project goes without.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers

TOKENS = [
    "<pad>", "<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>", "user", "assistant", "what", "happens", "is", "here", *map(str, range(64)),
]  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {% if m.content is string %}{{ m.content }}"
    "{% else %}{% for p in m.content %}"
    "{% if 'video' in p.type %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'image' in p.type %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


def main(folder: Path) -> None:
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(TOKENS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    words = t.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        image_token="<|image_pad|>", video_token="<|video_pad|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"],
    )  # fmt: skip
    ids = {f"{n}_token_id": TOKENS.index(f"<|{w}|>") for n, w in (
        ("vision_start", "vision_start"), ("vision_end", "vision_end"), ("image", "image_pad"), ("video", "video_pad"),
    )}  # fmt: skip
    config = t.Qwen2VLConfig(
        text_config={
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 2, "vocab_size": len(TOKENS), "max_position_embeddings": 4096,
            "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
            # Heads of 32: the smallest that the engine has kernels for.
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e4},
        },
        vision_config={
            "depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14,
        },
        **ids,
    )  # fmt: skip
    torch.manual_seed(0)
    t.Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    t.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=112 * 112).save_pretrained(folder)
    t.Qwen2VLVideoProcessor(min_pixels=28 * 28, max_pixels=112 * 112).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
