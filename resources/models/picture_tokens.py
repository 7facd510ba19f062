"""What pictures and words cost a model, in tokens, before anything is sent."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from resources.models.base import Media, Message, ModelUnusable
from resources.models.transformers_prompts import Prompts, Refused

ARGS = ("image_tokens", "context_tokens")
# A token of English prose is four bytes, of other scripts fewer: rather too many tokens than too few.
_BYTES_A_TOKEN = 3


@dataclass(frozen=True)
class PictureTokens:
    """name: of the rule, part of the identity of what it decides.

    of: tokens of a picture (width, height); None: unknown. text: tokens of a text.
    context: most tokens of prompt and answer together; None: unknown.
    """

    name: str
    of: Callable[[tuple[int, int]], int | None]
    text: Callable[[str], int]
    context: int | None = None


def picture_tokens(source: str, args: Mapping[str, Any], fingerprint: str = "") -> PictureTokens | str:
    """By `image_tokens` (and `context_tokens`) of a model's arguments, else as its processor counts.

    source: folder or hub id of a checkpoint, "" where there is none (an endpoint); fingerprint: of what is in it. Of
    a processor, what one blank picture more adds to a prompt is counted, so it holds for every family; no weights
    are read. Where it is not known, a text says why.
    Raises ModelUnusable for an argument that is no number.
    """
    given = {name: _count(name, args[name]) for name in ARGS if args.get(name) is not None}
    stated = [_count(name, args[name]) for name in ("max_length", "max_model_len") if args.get(name) is not None]
    found = _of_processor(source, args.get("revision"), fingerprint) if source else "an endpoint does not tell"
    known = None if isinstance(found, str) else found
    limits = [n for n in (*stated, given.get("context_tokens") or (known and known.context)) if n]
    context = min(limits) if limits else None
    if "image_tokens" in given:
        each = given["image_tokens"]
        return PictureTokens(f"{each} a picture", lambda _: each, known.text if known else _by_bytes, context)
    return found if isinstance(found, str) else replace(found, context=context)


@lru_cache(maxsize=8)
def _of_processor(source: str, revision: str | None, fingerprint: str) -> PictureTokens | str:
    """A text where Transformers is not there, cannot load the processor, or its model sees no pictures."""
    try:
        import transformers

        where: dict[str, Any] = {"revision": revision or "main", "local_files_only": Path(source).is_dir()}
        config = transformers.AutoConfig.from_pretrained(source, **where).get_text_config()
        processor = transformers.AutoProcessor.from_pretrained(source, **where)
        prompts = Prompts(processor)
    except (ImportError, OSError, ValueError, KeyError, AttributeError) as error:
        return next(iter(str(error).strip().splitlines()), type(error).__name__)

    @lru_cache(maxsize=1024)
    def of(size: tuple[int, int]) -> int | None:
        try:
            one, two = (_length(prompts, _blank(size), times) for times in (1, 2))
        except Refused:  # the model's to say, when it is asked
            return None
        return two - one

    if of((224, 224)) is None:
        return f"{type(processor).__name__} takes no picture of 224 x 224 pixels"
    context = getattr(config, "max_position_embeddings", None)
    name = f"{type(processor).__name__} of Transformers {transformers.__version__}"
    return PictureTokens(name, of, lambda text: len(prompts.tokenizer(text)["input_ids"]), context)


def _length(prompts: Prompts, picture: Media, times: int) -> int:
    """Tokens of a prompt with a picture so many times."""
    turn = Message("user", (*[("media", n) for n in range(times)], ("text", "?")))
    prompt = prompts.prompt([turn], [picture] * times)
    return int(prompts.encode([prompt], "right")["input_ids"].shape[-1])


def _blank(size: tuple[int, int]) -> Media:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "PNG")
    return Media(buffer.getvalue(), "image/png")


def _by_bytes(text: str) -> int:
    return -(-len(text.encode()) // _BYTES_A_TOKEN)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelUnusable(f"{name}={value!r}: expected a whole number of tokens")
    return value
