"""Endpoints that are known by name: where they are, which key they want, what they refuse.

A preset only supplies defaults; what is given explicitly wins. It is found by its name
(`preset=groq`) or by the host of `base_url`; any other URL has none. The table
follows what the providers document on OpenAI compatibility and what their users report (2026); what is
left out is always said (`parameters_not_sent`), so that an entry that has aged is seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from urllib.parse import urlsplit

from resources.models.base import ModelUnusable

_SAMPLING = frozenset({"temperature", "top_p"})


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider's OpenAI-compatible endpoint.

    key_env:   environment variable that holds the key.
    hosts:     further hosts of the same provider (`base_url` may name one); a leading dot: all below it.
    max_tokens_param: what it calls the limit of the answer's length.
    refuses:   generation parameters that no model of it takes: they are not sent, which is said.
    refusing:  pattern of model names (searched for) -> what these refuse beside that.
    media:     kinds of media that may be sent.
    """

    base_url: str
    key_env: str
    hosts: tuple[str, ...] = ()
    max_tokens_param: str = "max_tokens"
    refuses: frozenset[str] = frozenset()
    refusing: tuple[tuple[str, frozenset[str]], ...] = ()
    media: frozenset[str] = frozenset({"image"})

    def not_taken(self, model: str) -> frozenset[str]:
        """Generation parameters that this model is not sent."""
        more = (names for pattern, names in self.refusing if re.search(pattern, model))
        return self.refuses.union(*more)


PRESETS: Mapping[str, Preset] = {
    "openai": Preset(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        max_tokens_param="max_completion_tokens",
        refuses=frozenset({"top_k", "chat_template_kwargs"}),
        # Reasoning models; `gpt-5-chat` is none.
        refusing=((r"^(ft:)?(o\d|gpt-[5-9](?!\S*-chat))", _SAMPLING | {"stop"}),),
        media=frozenset({"image", "audio"}),
    ),
    "anthropic": Preset(
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        refuses=frozenset({"top_k", "chat_template_kwargs", "seed"}),  # a seed would be ignored silently
        # From Opus 4.7 on there is no sampling parameter any more.
        refusing=((r"claude-(opus-4-[7-9]|(opus|sonnet|haiku|fable)-[5-9])", _SAMPLING),),
    ),
    "gemini": Preset(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        refuses=frozenset({"top_k", "seed", "chat_template_kwargs"}),  # 400: Unknown name "seed"
        media=frozenset({"image", "audio"}),
    ),
    "groq": Preset(
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        max_tokens_param="max_completion_tokens",
        refuses=frozenset({"top_k", "chat_template_kwargs"}),
    ),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        media=frozenset({"image", "audio", "video"}),
    ),
    "together": Preset(
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        hosts=("api.together.xyz",),
        media=frozenset({"image", "audio", "video"}),
    ),
    "dashscope": Preset(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        hosts=("dashscope.aliyuncs.com", "dashscope-us.aliyuncs.com", ".maas.aliyuncs.com"),
        refuses=frozenset({"chat_template_kwargs"}),
        media=frozenset({"image", "video"}),  # audio: Qwen-Omni answers as a stream only
    ),
}
_NO_PRESET = "none"


def preset_of(name: str | None, base_url: str) -> tuple[str, Preset | None]:
    """Name and preset: the named one (`none`: none at all), else the one whose host `base_url` has.

    Raises ModelUnusable for an unknown name, with the nearest.
    """
    if name is not None:
        if name == _NO_PRESET:
            return "", None
        return name, _named(name)
    host = urlsplit(base_url).hostname or ""
    for known, preset in PRESETS.items():
        hosts = (urlsplit(preset.base_url).hostname, *preset.hosts)
        if any(h and (host == h or (h.startswith(".") and host.endswith(h))) for h in hosts):
            return known, preset
    return "", None


def _named(name: str) -> Preset:
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(str(name).lower(), PRESETS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ModelUnusable(
        f"no preset {name!r}: {hint}There are {', '.join(PRESETS)}; for any other endpoint give its base_url="
    )


def endpoint(base_url: str | None, preset: str | None = None) -> str:
    """The endpoint's address as it enters the fingerprint: without a trailing slash.

    Without `base_url` the preset's, else `OPENAI_BASE_URL`, else OpenAI's own.
    Raises ModelUnusable for an unknown preset, and for an address with a password in it: it is stored and shown.
    """
    named = _named(preset).base_url if preset not in (None, _NO_PRESET) else None
    found = base_url or named or os.environ.get("OPENAI_BASE_URL") or PRESETS["openai"].base_url
    parts = urlsplit(str(found))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelUnusable(f"base_url= takes an address such as https://host/v1, not {str(found)[:80]!r}")
    if parts.username or parts.password:
        raise ModelUnusable(f"base_url= of {parts.hostname} holds a user or password: give the key by api_key_env=")
    return str(found).rstrip("/")


def is_local(base_url: str) -> bool:
    """Whether an address is of this host or a private network, where no key is asked for."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".invalid"))
    return address.is_private or address.is_loopback


def key_variable(name: str) -> str:
    """The name of an environment variable as it is, or "" for none.

    Raises ModelUnusable, without repeating it, for what looks like a key itself.
    """
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", str(name)):
        raise ModelUnusable(
            "api_key_env= takes the name of an environment variable that holds the key, such as OPENAI_API_KEY, "
            "not the key itself"
        )
    return str(name)
