"""Tiny models of published architectures with random weights, saved as their checkpoints are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = [*"0123456789?.", "which", "digit", "is", "on", "the", "left", "right", "yes", "no", "user", "assistant"]
ENDS = ("<pad>", "<s>", "</s>", "<unk>")
TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SIGLIP = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 56, "patch_size": 14,
}  # fmt: skip
ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
QWEN = "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"


def template(picture: str) -> str:
    """A conversation in plain words, the picture's text where its part stands."""
    return (
        "{{ bos_token }}{% for m in messages %}{{ m.role }} "
        "{% if m.content is string %}{{ m.content }} {% else %}{% for p in m.content %}"
        "{% if p.type == 'image' %}" + picture + "{% else %}{{ p.text }} {% endif %}{% endfor %}{% endif %}"
        "{% if m.role == 'assistant' and not (loop.last and continue_final_message) %}{{ eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}assistant {% endif %}"
    )


def tokenizer(*special: str, **attributes: str) -> Any:
    """A token a word. special: tokens of the architecture; attributes: names that its processor knows them by."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: n for n, word in enumerate([*ENDS, *special, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=[t for t in special if t not in attributes.values()], **attributes,
    )  # fmt: skip


def text(words: Any, **more: Any) -> dict[str, Any]:
    return {**TEXT, "vocab_size": len(words), **more}


def llava() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("<image>", image_token="<image>")
    images = t.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = t.LlavaProcessor(
        images, words, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=template("<image>"),
    )  # fmt: skip
    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**SIGLIP, projection_dim=32), text_config=t.LlamaConfig(**text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"), vision_feature_layer=-1,
    )  # fmt: skip
    return t.LlavaForConditionalGeneration(config), processor


def llava_next() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("<image>", image_token="<image>")
    pinpoints = [[56, 112], [112, 56], [112, 112]]
    images = t.LlavaNextImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=pinpoints
    )
    processor = t.LlavaNextProcessor(
        images, words, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=template("<image>"),
    )  # fmt: skip
    config = t.LlavaNextConfig(
        vision_config=t.CLIPVisionConfig(**SIGLIP, projection_dim=32), text_config=t.LlamaConfig(**text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"), vision_feature_layer=-1,
        image_grid_pinpoints=pinpoints,
    )  # fmt: skip
    return t.LlavaNextForConditionalGeneration(config), processor


def qwen_words() -> Any:
    return tokenizer(*QWEN, image_token="<|image_pad|>", video_token="<|video_pad|>")


def qwen_ids(words: Any) -> dict[str, int]:
    names = ("vision_start", "vision_end", "image", "video")
    return {f"{name}_token_id": words.convert_tokens_to_ids(token) for name, token in zip(names, QWEN[2:], strict=True)}


def qwen2_vl() -> tuple[Any, Any]:
    import transformers as t

    words = qwen_words()
    processor = t.Qwen2VLProcessor(
        t.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=112 * 112), words, t.Qwen2VLVideoProcessor(),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    )  # fmt: skip
    config = t.Qwen2VLConfig(
        text_config=text(words, rope_parameters=ROPE),
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14,
        },
        **qwen_ids(words),
    )  # fmt: skip
    return t.Qwen2VLForConditionalGeneration(config), processor


def qwen2_5_vl() -> tuple[Any, Any]:
    import transformers as t

    words = qwen_words()
    processor = t.Qwen2_5_VLProcessor(
        t.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=112 * 112), words, t.Qwen2VLVideoProcessor(),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    )  # fmt: skip
    config = t.Qwen2_5_VLConfig(
        text_config=text(words, rope_parameters=ROPE),
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "intermediate_size": 64,
            "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1],
        },
        **qwen_ids(words),
    )  # fmt: skip
    return t.Qwen2_5_VLForConditionalGeneration(config), processor


def qwen3_vl() -> tuple[Any, Any]:
    import transformers as t

    words = qwen_words()
    processor = t.Qwen3VLProcessor(
        t.Qwen2VLImageProcessorPil(min_pixels=32 * 32, max_pixels=128 * 128, patch_size=16), words,
        t.Qwen3VLVideoProcessor(),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    )  # fmt: skip
    config = t.Qwen3VLConfig(
        text_config=text(words, rope_parameters=ROPE),
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "intermediate_size": 64,
            "patch_size": 16, "deepstack_visual_indexes": [0], "num_position_embeddings": 64,
        },
        **qwen_ids(words),
    )  # fmt: skip
    return t.Qwen3VLForConditionalGeneration(config), processor


def paligemma() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("<image>", image_token="<image>")
    images = t.SiglipImageProcessorPil(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = t.PaliGemmaProcessor(images, words, chat_template=template("<image>"))
    config = t.PaliGemmaConfig(
        vision_config=t.SiglipVisionConfig(**SIGLIP), text_config=t.GemmaConfig(**text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"), projection_dim=32, hidden_size=32,
    )  # fmt: skip
    return t.PaliGemmaForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    import transformers as t

    special = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"}
    words = tokenizer(*special.values(), **special)
    processor = t.Gemma3Processor(
        t.Gemma3ImageProcessorPil(size={"height": 56, "width": 56}), words, image_seq_length=4,
        chat_template=template("<boi>"),
    )  # fmt: skip
    config = t.Gemma3Config(
        vision_config=t.SiglipVisionConfig(**SIGLIP),
        text_config=t.Gemma3TextConfig(**text(words, sliding_window=64)),
        mm_tokens_per_image=4,
        **{f"{k}_index": words.convert_tokens_to_ids(v) for k, v in special.items()},
    )
    return t.Gemma3ForConditionalGeneration(config), processor


def idefics3() -> tuple[Any, Any]:
    import transformers as t

    return _idefics(
        t.Idefics3ForConditionalGeneration, t.Idefics3Config, t.Idefics3Processor, t.Idefics3ImageProcessorPil
    )


def smolvlm() -> tuple[Any, Any]:
    import transformers as t

    return _idefics(t.SmolVLMForConditionalGeneration, t.SmolVLMConfig, t.SmolVLMProcessor, t.SmolVLMImageProcessorPil)


def _idefics(model: Any, configuration: Any, processing: Any, imaging: Any) -> tuple[Any, Any]:
    import transformers as t

    special = {"image_token": "<image>", "fake_image_token": "<fake>", "global_image_token": "<global>"}
    words = tokenizer(*special.values(), "<end_of_utterance>", "\n\n", "\n", **special)
    images = imaging(size={"longest_edge": 56}, max_image_size={"longest_edge": 56}, do_image_splitting=False)
    more = {"video_processor": t.SmolVLMVideoProcessor()} if "SmolVLM" in processing.__name__ else {}
    processor = processing(images, words, image_seq_len=4, chat_template=template("<image>"), **more)
    config = configuration(
        vision_config=SIGLIP, text_config=t.LlamaConfig(**text(words)), scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"), pad_token_id=0,
    )  # fmt: skip
    return model(config), processor


def internvl() -> tuple[Any, Any]:
    import transformers as t

    special = {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }  # fmt: skip
    words = tokenizer(*special.values(), **special)
    images = t.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, crop_to_patches=True, max_patches=2)
    processor = t.InternVLProcessor(
        images, words, t.InternVLVideoProcessor(), image_seq_length=4, chat_template=template("<IMG_CONTEXT>")
    )
    config = t.InternVLConfig(
        vision_config={**SIGLIP, "image_size": [56, 56], "patch_size": [14, 14]},
        text_config=t.Qwen2Config(**text(words)),
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4, downsample_ratio=0.5,
    )  # fmt: skip
    return t.InternVLForConditionalGeneration(config), processor


def mistral3() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("[IMG]", "[IMG_BREAK]", "[IMG_END]", image_token="[IMG]")
    images = t.PixtralImageProcessorPil(size={"longest_edge": 56}, patch_size=14)
    processor = t.PixtralProcessor(images, words, patch_size=14, spatial_merge_size=2, chat_template=template("[IMG]"))
    config = t.Mistral3Config(
        vision_config=t.PixtralVisionConfig(**SIGLIP, head_dim=16), text_config=t.MistralConfig(**text(words)),
        image_token_index=words.convert_tokens_to_ids("[IMG]"), spatial_merge_size=2, vision_feature_layer=-1,
    )  # fmt: skip
    return t.Mistral3ForConditionalGeneration(config), processor


def pixtral() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("[IMG]", "[IMG_BREAK]", "[IMG_END]", image_token="[IMG]")
    images = t.PixtralImageProcessorPil(size={"longest_edge": 56}, patch_size=14)
    processor = t.PixtralProcessor(images, words, patch_size=14, chat_template=template("[IMG]"))
    config = t.LlavaConfig(
        vision_config=t.PixtralVisionConfig(**SIGLIP, head_dim=16), text_config=t.MistralConfig(**text(words)),
        image_token_index=words.convert_tokens_to_ids("[IMG]"), vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )  # fmt: skip
    return t.LlavaForConditionalGeneration(config), processor


def aya_vision() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer(
        "<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL"
    )
    images = t.GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, crop_to_patches=True, max_patches=2)
    processor = t.AyaVisionProcessor(
        images, words, patch_size=14, img_size=56, downsample_factor=2, chat_template=template("<image>")
    )
    config = t.AyaVisionConfig(
        vision_config=t.SiglipVisionConfig(**SIGLIP), text_config=t.Cohere2Config(**text(words)),
        image_token_index=words.convert_tokens_to_ids("<|IMG_PATCH|>"), downsample_factor=2, vision_feature_layer=-1,
        adapter_layer_norm_eps=1e-6,
    )  # fmt: skip
    return t.AyaVisionForConditionalGeneration(config), processor


def llava_onevision() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer("<image>", "<video>", image_token="<image>", video_token="<video>")
    pinpoints = [[56, 56], [56, 112], [112, 56]]
    images = t.LlavaOnevisionImageProcessorPil(size={"height": 56, "width": 56}, image_grid_pinpoints=pinpoints)
    processor = t.LlavaOnevisionProcessor(
        images, words, t.LlavaOnevisionVideoProcessor(), num_image_tokens=16, vision_feature_select_strategy="full",
        chat_template=template("<image>"),
    )  # fmt: skip
    config = t.LlavaOnevisionConfig(
        vision_config=t.SiglipVisionConfig(**SIGLIP), text_config=t.Qwen2Config(**text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints, vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip
    return t.LlavaOnevisionForConditionalGeneration(config), processor


def llama() -> tuple[Any, Any]:
    import transformers as t

    words = tokenizer()
    words.chat_template = template("")
    return t.LlamaForCausalLM(t.LlamaConfig(**text(words))), words


PICTURES: dict[str, Callable[[], tuple[Any, Any]]] = {
    build.__name__: build
    for build in (
        llava, llava_next, llava_onevision, qwen2_vl, qwen2_5_vl, qwen3_vl, paligemma, gemma3, idefics3, smolvlm,
        internvl, mistral3, pixtral, aya_vision,
    )
}  # fmt: skip


def save(build: Callable[[], tuple[Any, Any]], folder: Path) -> Path:
    """The model with weights that are the same each time."""
    import torch

    torch.manual_seed(0)
    model, processor = build()
    with torch.no_grad():  # some begin with zeros, through which no picture can be seen
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
