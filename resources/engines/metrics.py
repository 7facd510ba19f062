"""What an engine counts of itself at /metrics, and what happened between two looks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

# Prometheus text: `name{labels} value`; values of one name are summed over their labels (engines, ranks).
_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? (\S+)", re.MULTILINE)
# ours: (vLLM's, SGLang's). Counters, or the sum and count of a histogram.
_NAMES = {
    "prompt_tokens": ("vllm:prompt_tokens_total", "sglang:prompt_tokens_total"),
    "generation_tokens": ("vllm:generation_tokens_total", "sglang:generation_tokens_total"),
    "prefix_queries": ("vllm:prefix_cache_queries_total", "sglang:prompt_tokens_total"),
    "prefix_hits": ("vllm:prefix_cache_hits_total", "sglang:cached_tokens_total"),
    "media_queries": ("vllm:mm_cache_queries_total", ""),
    "media_hits": ("vllm:mm_cache_hits_total", ""),
    "first_token_sum": ("vllm:time_to_first_token_seconds_sum", "sglang:time_to_first_token_seconds_sum"),
    "first_token_count": ("vllm:time_to_first_token_seconds_count", "sglang:time_to_first_token_seconds_count"),
    "per_token_sum": (
        "vllm:request_time_per_output_token_seconds_sum",
        "sglang:inter_token_latency_seconds_sum",
    ),
    "per_token_count": (
        "vllm:request_time_per_output_token_seconds_count",
        "sglang:inter_token_latency_seconds_count",
    ),
    "preemptions": ("vllm:num_preemptions_total", "sglang:num_retracted_reqs"),
}
# Gauges, one for each engine behind the server: the share of the KV cache's blocks that requests hold.
_KV_USE = ("vllm:kv_cache_usage_perc", "sglang:token_usage")


def read(text: str) -> dict[str, float]:
    """Our names → values, of those that the engine has."""
    found: dict[str, float] = defaultdict(float)
    seen: dict[str, float] = defaultdict(float)
    for name, value in _LINE.findall(text):
        seen[name] += float(value)
    for ours, theirs in _NAMES.items():
        for name in theirs:
            if name in seen:
                found[ours] += seen[name]
    return dict(found)


def kv_use(text: str) -> float | None:
    """Share of the KV cache that is in use now, 0 to 1, the mean of several engines; None where it is not told."""
    told = [float(value) for name, value in _LINE.findall(text) if name in _KV_USE]
    return sum(told) / len(told) if told else None


def between(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """What the engine did in between, all of its clients' requests together.

    Rates are shares of tokens (prefix) and of media items; times are mean seconds. A figure that the
    engine does not give, or of which nothing happened, is left out.
    """
    did = {name: value - before.get(name, 0.0) for name, value in after.items()}
    if any(value < 0 for value in did.values()):
        did = dict(after)  # the engine was started anew meanwhile: its counters begin at 0

    def share(part: str, whole: str) -> float | None:
        return did[part] / did[whole] if part in did and did.get(whole) else None

    def rate(name: str) -> float | None:
        return did[name] / seconds if name in did and seconds > 0 else None

    found = {
        "prefix_cache_hit_rate": share("prefix_hits", "prefix_queries"),
        "media_cache_hit_rate": share("media_hits", "media_queries"),
        "time_to_first_token_s": share("first_token_sum", "first_token_count"),
        "time_per_token_s": share("per_token_sum", "per_token_count"),
        "prompt_tokens_per_s": did["prompt_tokens"] / seconds if "prompt_tokens" in did and seconds else None,
        "generation_tokens_per_s": did["generation_tokens"] / seconds
        if "generation_tokens" in did and seconds
        else None,
        "preemptions": did.get("preemptions"),
    }
    return {name: value for name, value in found.items() if value is not None}
