"""What pictures cost, before they are sent: as processors of published families count, and as a user states."""

from __future__ import annotations

import pytest

from resources.models import ModelUnusable
from resources.models.picture_tokens import picture_tokens
from tests.resources import families
from tests.resources.test_families import NEED_TORCHVISION

SIZES = ((56, 56), (144, 96), (320, 180))
FAMILIES = ("llava", "llava_next", "llava_onevision", "qwen2_vl", "qwen2_5_vl", "paligemma", "gemma3", "idefics3",
            "internvl", "aya_vision")  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_costs_what_its_processor_makes_of_it(name, tmp_path):
    """Of three pictures in one conversation, which is more than what is looked at for the estimate."""
    pytest.importorskip("torch")
    if name in NEED_TORCHVISION:
        pytest.importorskip("torchvision")
    from PIL import Image

    model, processor = families.PICTURES[name]()
    processor.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    found = picture_tokens(str(tmp_path), {})
    assert not isinstance(found, str)
    assert found.context == 2048
    for size in SIZES:
        rendered = processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}] * 3 + [{"type": "text", "text": "which ?"}]}],
            tokenize=False,
        )
        whole = processor(text=[rendered], images=[[Image.new("RGB", size)] * 3])["input_ids"][0]
        words = len(whole) - 3 * found.of(size)
        assert 0 < words < 10, (size, len(whole), found.of(size))


def test_what_a_user_states_comes_before_what_the_processor_says(tmp_path):
    stated = picture_tokens("", {"image_tokens": 256, "context_tokens": 8192})
    assert (stated.of((1280, 720)), stated.context, stated.text("x" * 30)) == (256, 8192, 10)
    assert picture_tokens("", {"image_tokens": 256, "context_tokens": 8192, "max_length": 1024}).context == 1024
    assert picture_tokens("", {}) == "an endpoint does not tell"
    assert isinstance(picture_tokens(str(tmp_path), {}), str)
    assert picture_tokens("", {"image_tokens": 1}).name != picture_tokens("", {"image_tokens": 2}).name
    with pytest.raises(ModelUnusable, match="context_tokens=0: expected a whole number of tokens"):
        picture_tokens("", {"image_tokens": 1, "context_tokens": 0})


def test_a_model_without_eyes_has_no_cost_of_pictures(tmp_path):
    pytest.importorskip("torch")
    model, tokenizer = families.llama()
    tokenizer.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    assert "TokenizersBackend" in picture_tokens(str(tmp_path), {})
