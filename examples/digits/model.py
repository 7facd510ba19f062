"""A tiny LLaVA built from nothing: architecture, tokenizer and processor, and how they are saved.

About one million parameters: a CLIP vision tower of two layers and a Llama of four, both of
width 128. A picture is 48 x 48 pixels in four patches of 24 x 24, one digit to a patch: with
patches of 12 or 8 pixels the model is far from having learned anything in two minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 48
PATCH = 24
WIDTH = 128
POSITIONS = 2048
# White is 0 after normalisation: empty paper then adds nothing to a patch's embedding.
MEAN, STD = 1.0, 0.5

PAD, BOS, EOS, UNKNOWN, IMAGE, USER, ASSISTANT = SPECIAL = (
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    "<image>",
    "<user>",
    "<assistant>",
)

# Media stand where the conversation has them; an unfinished assistant turn is left open.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}<assistant> {% else %}<user> {% endif %}"
    "{% if message.content is string %}{{ message.content }} "
    "{% else %}{% for part in message.content %}"
    "{% if part.type in ('image', 'image_url') %}<image>"
    "{% elif part.type == 'text' %}{{ part.text }} {% endif %}"
    "{% endfor %}{% endif %}"
    "{% if message.role == 'assistant' and not (loop.last and continue_final_message) %}</s>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def build_tokenizer(words: list[str]) -> Any:
    """One token a word; a word outside ``words`` is ``<unk>``."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        extra_special_tokens=[USER, ASSISTANT],
        image_token=IMAGE,
        padding_side="left",
        model_max_length=POSITIONS,
    )


def build_processor(tokenizer: Any, side: int = SIDE, patch: int = PATCH) -> Any:
    """What turns pictures and conversations into tensors, on Pillow alone (no torchvision)."""
    from transformers import LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    images = CLIPImageProcessorPil(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # CLIP's class token, which "default" drops
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: Any, seed: int, side: int = SIDE, patch: int = PATCH) -> Any:
    """An untrained ``LlavaForConditionalGeneration`` in float32, the same for the same seed.

    side, patch: pixels of a picture's edge and of a patch's; (side / patch) ** 2 tokens a picture.
    """
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=side,
            patch_size=patch,
            projection_dim=WIDTH,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,  # heads of 32: a size that inference engines have kernels for
            num_key_value_heads=4,
            max_position_embeddings=POSITIONS,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=(side // patch) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    return model


# Published LLaVA checkpoints name their weights like this. Transformers reads both spellings of the
# vision tower; vLLM reads only the one with `vision_model`, which Transformers no longer writes.
_PUBLISHED_NAMES = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.vision_tower.": "vision_tower.vision_model.",
    "model.multi_modal_projector.": "multi_modal_projector.",
}


def published_name(name: str) -> str:
    """The name under which a weight of the model in memory is saved."""
    for prefix, published in _PUBLISHED_NAMES.items():
        if name.startswith(prefix):
            return published + name.removeprefix(prefix)
    raise ValueError(f"no published name is known for the weight {name!r}")


def save(model: Any, processor: Any, directory: Path) -> None:
    """Write a Hugging Face checkpoint straight into ``directory``, file after file, weights last.

    Not made elsewhere and moved into place: training scripts do not either, and whoever watches
    the directory has to tell a checkpoint that is still being written from a whole one.
    """
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    processor.save_pretrained(directory)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(directory)
    model.generation_config.save_pretrained(directory)
    weights = {published_name(name): value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
