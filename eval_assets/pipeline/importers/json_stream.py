"""One large JSON document, read value by value.

ijson would do, but for NaN and Infinity, which it refuses and the logs of inspect_ai and Python's own
`json` contain.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from json.decoder import WHITESPACE
from pathlib import Path
from typing import Any

from eval_assets.pipeline.importers.base import ImportRefused

_CHUNK = 2**18


def stream_json(path: Path, inside: str | None, limit: int) -> Iterator[tuple[str | None, Any]]:
    """The elements of a top-level array as (None, element), or the members of a top-level object as (key, value).

    inside: a key whose array is not given as a whole but element by element, each under that key.
    limit: characters that one value may have. Raises ImportRefused.
    """
    with path.open("rb") as file:
        text = _Text(iter(lambda: file.read(_CHUNK), b""), path, limit)
        opening = text.take("[{", "an array or an object")
        if opening == "[":
            yield from ((None, value) for value in text.elements())
        elif text.peek() == "}":
            text.take("}", "}")
        else:
            while True:
                key = text.value()
                if not isinstance(key, str):
                    raise text.fault("a key")
                text.take(":", "':'")
                if key == inside and text.peek() == "[":
                    text.take("[", "[")
                    yield from ((key, value) for value in text.elements())
                else:
                    yield key, text.value()
                if text.take(",}", "',' or '}'") == "}":
                    break
        if text.peek():
            raise text.fault("the end")


class _Text:
    """A text that arrives in chunks, with a place in it."""

    def __init__(self, chunks: Iterator[bytes], path: Path, limit: int) -> None:
        self._chunks, self._path, self._limit = chunks, path, limit
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._before, self._ended = "", 0, 0, False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no space, or "" at the end."""
        while True:
            self._at = WHITESPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, one_of: str, expected: str) -> str:
        found = self.peek()
        if not found or found not in one_of:
            raise self.fault(expected)
        self._at += 1
        return found

    def elements(self) -> Iterator[Any]:
        """The rest of an array whose bracket was taken."""
        if self.peek() == "]":
            self.take("]", "]")
            return
        while True:
            yield self.value()
            if self.take(",]", "',' or ']'") == "]":
                return

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise ImportRefused(f"{self._path}, character {self._before + self._at}: nested too deeply") from error
            except ValueError as error:
                if self._more(double=True):
                    continue
                raise ImportRefused(f"{self._path}: not JSON ({error})") from error
            if end == len(self._text) and not self._ended:  # a number may go on in the next chunk
                self._more(double=True)
                continue
            self._at = end
            return value

    def fault(self, expected: str) -> ImportRefused:
        found = repr(self.peek()) if self.peek() else "the end of the file"
        place = self._before + self._at
        return ImportRefused(f"{self._path}: not JSON (expected {expected} at character {place}, found {found})")

    def _more(self, *, double: bool = False) -> bool:
        """Append the next chunk, or as much as there is; False at the end of the file."""
        if self._ended:
            return False
        self._before += self._at
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > self._limit:
            raise ImportRefused(
                f"{self._path}, character {self._before}: a value of more than {self._limit / 2**20:g} MiB: "
                "see --max-part"
            )
        parts, wanted = [self._text], max(_CHUNK, len(self._text) if double else 0)
        while wanted > 0:
            chunk = next(self._chunks, b"")
            try:
                parts.append(self._decode.decode(chunk, final=not chunk))
            except UnicodeDecodeError as error:
                raise ImportRefused(f"{self._path}: not UTF-8 ({error.reason})") from error
            if not chunk:
                self._ended = True
                break
            wanted -= len(chunk)
        grown = "".join(parts)
        found = len(grown) > len(self._text)
        self._text = grown
        return found
