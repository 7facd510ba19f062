"""Why an engine did not start, or died: from its own last words."""

from __future__ import annotations

import re
from collections.abc import Sequence

# (what the log says, the cause and what to do): the first that matches counts, so the more telling stand first.
_CAUSES = (
    (r"address already in use|errno 98|port \d+ is (already )?(in use|not available)", "port taken"),
    (
        r"no available memory for the cache blocks|free memory on device|cuda out of memory|outofmemoryerror"
        r"|available memory .* less than requested|not enough memory|cannot allocate memory|hip out of memory"
        r"|std::bad_alloc"
        r"|larger than the maximum number of tokens that can be stored in kv cache",
        "out of memory: lower max_model_len or memory_fraction, raise tensor_parallel_size, or quantize",
    ),
    (
        r"model architectures? .*(not supported|failed to be inspected)|unsupported architecture"
        r"|does not recognize this architecture|unrecognized model|unknown model type",
        "unknown architecture: this version of the engine does not know the model; try a newer one, "
        "or --model transformers",
    ),
    (r"no module named '?(vllm|sglang)'?\b", "not installed in that interpreter"),
    (r"unrecognized arguments|invalid choice|error: argument", "a flag that this version does not take"),
    (
        r"(set|pass|option|requires?).*trust[_-]remote[_-]code",
        "the model wants code of its own to be run, which is off: see extra_args",
    ),
    (r"no such file or directory|does not appear to have a file named", "a file of the model is missing"),
    (r"user-specified max_model_len .* is greater", "max_model_len is more than the model was made for"),
    (r"quantization", "the quantization does not fit the model"),
)
_TELLING = re.compile(r"error|exception|fail|fatal|not supported|killed|denied|no module|no such", re.IGNORECASE)
_NOISE = re.compile(r"^\s*(File \"|\^+|raise |return |self\.|await |Traceback)|~~~|warnings?\.warn", re.IGNORECASE)
_INFORMATION = re.compile(r"\b(DEBUG|INFO)\b")
_PREFIX = re.compile(r"^(\([^)]*\)\s*)*((DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+[\d:\- ,.]+\s*(\[[^\]]*\])?\s*)?")


def likely_cause(log: Sequence[str]) -> str | None:
    """The cause in words with what to do about it; None where the log does not tell.

    Plain information is left out: an engine prints all of its settings, and each has a telling name.
    """
    text = "\n".join(line for line in log if not _INFORMATION.search(line)).lower()
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, text)), None)


def last_words(log: Sequence[str], lines: int = 6) -> str:
    """The lines that say what went wrong; where none does, simply the last ones."""
    cleaned = [_PREFIX.sub("", line).strip() for line in log]
    told = [line for line in cleaned if line and not _NOISE.search(line)]
    telling = [line for line in told if _TELLING.search(line)]
    return "\n".join(dict.fromkeys((telling or told)[-lines:]))


def told(log: Sequence[str]) -> str:
    """Cause and last words as one message."""
    cause = likely_cause(log)
    return f"{f'likely {cause}. ' if cause else ''}Its last words:\n{last_words(log) or '(it said nothing)'}"
