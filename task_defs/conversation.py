"""Several turns: what `doc_to_messages` may give, and where media stand in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from task_defs.placement import PLACEHOLDER, Part
from task_defs.templates import Doc, compile_text

ROLES = ("system", "user", "assistant")
KINDS = ("image", "video", "audio")
Placed = tuple[str, tuple[Part, ...]]  # a role and the parts of its message


class WrongTurns(ValueError):
    """Messages that cannot be sent. where: dotted, from the list of messages (`1.role`)."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"message {where}: {message}" if where else message)
        self.where, self.message = where, message


@dataclass(frozen=True, slots=True)
class Turn:
    """A message before its media are placed.

    content: text with placeholders, or parts: ("text", its text), (`image`, `video` or `audio`, "").
    """

    role: str
    content: str | tuple[tuple[str, str], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.content,) if isinstance(self.content, str) else tuple(t for k, t in self.content if k == "text")


def read_turns(value: Any) -> tuple[Turn, ...]:
    """A list of {role, content} as turns; raises WrongTurns.

    content is text, in which `<image>`, `<image2>`, `<video>`, `<audio>` are placeholders, or a list
    of {type: text, text: ...} and {type: image}, in which text is only text.
    """
    if not isinstance(value, (list, tuple)) or not value:
        raise WrongTurns("", f"expected a list of {{role, content}}, found {_shown(value)}")
    turns = tuple(_turn(entry, str(number)) for number, entry in enumerate(value))
    for number, turn in enumerate(turns):
        if turn.role == "system" and number:
            raise WrongTurns(f"{number}.role", "a system message can only be the first")
    if turns[-1].role != "user":
        raise WrongTurns(f"{len(turns) - 1}.role", f"the last message must be the user's, found '{turns[-1].role}'")
    return turns


def _turn(entry: Any, where: str) -> Turn:
    if not isinstance(entry, Mapping) or set(entry) != {"role", "content"}:
        raise WrongTurns(where, f"expected {{role, content}}, found {_shown(entry)}")
    if entry["role"] not in ROLES:
        raise WrongTurns(f"{where}.role", f"expected {', '.join(ROLES)}, found {_shown(entry['role'])}")
    content = entry["content"]
    if isinstance(content, str):
        return Turn(entry["role"], content)
    if not isinstance(content, (list, tuple)) or not content:
        raise WrongTurns(f"{where}.content", f"expected text or a list of parts, found {_shown(content)}")
    return Turn(entry["role"], tuple(_part(part, f"{where}.content.{n}") for n, part in enumerate(content)))


def _part(part: Any, where: str) -> tuple[str, str]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and set(part) == {"type", "text"} and isinstance(part["text"], str):
        return "text", part["text"]
    if kind in KINDS and set(part) == {"type"}:
        return str(kind), ""
    hint = f"; the {kind} itself comes from doc_to_visual" if kind in KINDS else ""
    raise WrongTurns(where, f"expected {{type: text, text: ...}} or {{type: image}}, found {_shown(part)}{hint}")


def compile_turns(turns: Sequence[Turn]) -> Callable[[Doc], tuple[Turn, ...]]:
    """Turns whose texts are Jinja, as a function of a row. Raises TemplateSyntaxError."""
    compiled = [(turn, [compile_text(text) for text in turn.texts]) for turn in turns]

    def render(doc: Doc) -> tuple[Turn, ...]:
        return tuple(_with_texts(turn, [text(doc) for text in texts]) for turn, texts in compiled)

    return render


def _with_texts(turn: Turn, texts: Sequence[str]) -> Turn:
    if isinstance(turn.content, str):
        return replace(turn, content=texts[0])
    left = iter(texts)
    return replace(turn, content=tuple((k, next(left) if k == "text" else "") for k, _ in turn.content))


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place for a medium. number: which of its kind, from 1; 0: the next one."""

    kind: str
    number: int = 0

    def __str__(self) -> str:
        return f"<{self.kind}{self.number or ''}>"


def place_turns(turns: Sequence[Turn], kinds: Sequence[str]) -> tuple[Placed, ...]:
    """Each turn with every medium exactly once, where its placeholder says.

    kinds: `image`, `video` or `audio` of each medium, in order; numbers count over all turns.
    In a conversation there is no natural place for a medium without a placeholder: unlike
    `place_media` this raises WrongTurns for one, and for a placeholder without a medium.
    """
    cut = [list(_pieces(turn.content)) for turn in turns]
    slots = [(t, piece) for t, pieces in enumerate(cut) for piece in pieces if isinstance(piece, _Slot)]
    taken: dict[int, int] = {}  # slot -> medium
    for number, (turn, slot) in sorted(enumerate(slots), key=lambda entry: entry[1][1].number == 0):
        fitting = [i for i, kind in enumerate(kinds) if kind == slot.kind]
        meant = fitting[slot.number - 1 : slot.number] if slot.number else fitting
        free = [i for i in meant if i not in taken.values()]
        if not free:
            again = slot.number and slot.number <= len(fitting)
            has = "stands here a second time" if again else f"but the item has {_counted(kinds)}"
            raise WrongTurns(str(turn), f"{slot} {has}")
        taken[number] = free[0]
    if left := [kind for i, kind in enumerate(kinds) if i not in taken.values()]:
        raise WrongTurns(
            "",
            f"the item has {_counted(kinds)}, but the messages place {len(taken)}: write <{left[0]}> where it stands",
        )
    media = iter([taken[number] for number in range(len(slots))])
    return tuple(
        (turn.role, tuple(("media", next(media)) if isinstance(p, _Slot) else ("text", p) for p in pieces))
        for turn, pieces in zip(turns, cut, strict=True)
    )


def _pieces(content: str | tuple[tuple[str, str], ...]) -> Iterator[str | _Slot]:
    if not isinstance(content, str):
        yield from (text if kind == "text" else _Slot(kind) for kind, text in content)
        return
    start = 0
    for match in PLACEHOLDER.finditer(content):
        if match.start() > start:
            yield content[start : match.start()]
        yield _Slot(match[1], int(match[2] or 0))
        start = match.end()
    if start < len(content) or not content:
        yield content[start:]


def _counted(kinds: Sequence[str]) -> str:
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items()) or "no medium"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
