"""What a task makes of a row: prompt, label, choices, media, cluster, categories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from task_defs.conversation import Placed, WrongTurns, place_turns
from task_defs.errors import Problem, RenderError
from task_defs.functions import load_function, with_functions
from task_defs.media import is_media
from task_defs.model import FunctionRef, TaskDef
from task_defs.placement import PLACEHOLDER, Part, place_media
from task_defs.plain import plain
from task_defs.rules import (
    MissingField,
    choices_rule,
    field_rule,
    listed,
    messages_rule,
    reader,
    system_rule,
    target_rule,
    text_rule,
)
from task_defs.templates import Doc, UndefinedError, compile_text
from task_defs.window import Window, window_rule


class TaskFunctions:
    """The functions of one task, compiled once. A row is a mapping of field to value.

    Every method raises RenderError, which names the task, the field and the item, where a field
    that the task names is absent; null is allowed and means: none. Only `target` takes an absent
    field as a missing label. `item` in an argument is the id that an error shows.
    """

    def __init__(self, task: TaskDef) -> None:
        self.task = task
        self._id = None if task.doc_to_id is None else reader(task.doc_to_id)
        self._description = compile_text(task.description) if task.description else None
        self._text = text_rule(task.doc_to_text)
        self._system = system_rule(task.system_prompt)
        self._messages = messages_rule(task.doc_to_messages)
        self._target = target_rule(task.doc_to_target)
        self._choices = choices_rule(task.doc_to_choice)
        self._visuals = load_function(task.doc_to_visual) if isinstance(task.doc_to_visual, FunctionRef) else None
        self._cluster = None if task.cluster_key is None else reader(task.cluster_key)
        self._window = window_rule(task.video)
        self._categories = {name: field_rule(name) for name in task.report_by}
        self._groups = {name: field_rule(name) for name in task.group_fields}

    def _call(self, field: str, function: Callable[[Doc], Any], doc: Doc, item: str = "") -> Any:
        try:
            return function(doc)
        except Exception as error:
            raise self._error(field, doc, item, error) from error

    def _error(self, field: str, doc: Doc, item: str, error: Exception | str) -> RenderError:
        if not item and self._id is not None and field != "doc_to_id":
            item = self.item_id(doc, -1)
        mark = self.task.mark(field)
        what = str(error)
        if isinstance(error, Exception) and not isinstance(error, (MissingField, UndefinedError, WrongTurns)):
            what = f"{type(error).__name__}: {error}"
        who = f"item {item}" if item else f"item {json.dumps(plain(doc), ensure_ascii=False)[:80]}"
        return RenderError(
            Problem(
                f"task {self.task.task}, {who}: {what}",
                field,
                mark.file if mark else "",
                mark.line if mark else 0,
            ),
            self.task.task,
        )

    def item_id(self, doc: Doc, position: int) -> str:
        """The item's id: `doc_to_id`, or the number of the row counted from 0."""
        if self._id is None:
            return str(position)
        found = self._call("doc_to_id", self._id, doc, f"in row {position}")
        if found is None or found == "":
            raise self._error("doc_to_id", doc, f"in row {position}", "the id is empty")
        return str(found)

    def text(self, doc: Doc, item: str = "") -> str:
        """The prompt with its description; media placeholders are still in it."""
        text = self._call("doc_to_text", self._text, doc, item)
        if not isinstance(text, str):
            raise self._error("doc_to_text", doc, item, f"expected text, found {text!r}")
        if self._description is None:
            return text
        return str(self._call("description", self._description, doc, item)) + text

    def conversation(self, doc: Doc, kinds: Sequence[str], item: str = "", *, whole: bool = True) -> tuple[Placed, ...]:
        """Everything that a model is told: roles, and the parts of each message with media placed.

        kinds: `image`, `video` or `audio` of each medium. Of a single prompt's media see
        `place_media`; in `doc_to_messages` media and placeholders must match, see `place_turns`.
        whole: False where a medium of the item is missing, so that they cannot match.
        """
        system = self._system_turn(doc, item)
        if self._messages is None:
            text = self.text(doc, item)
            for kind, remedy in _NOT_A_VIDEO.items():
                if whole and "video" in kinds and kind not in kinds and _asks_for(kind, text):
                    what = f"the prompt has <{kind}>, but the item has a video and no {kind}: {remedy}"
                    raise self._error("doc_to_text", doc, item, what)
            return (*system, ("user", place_media(text, len(kinds), kinds)))
        turns = self._call("doc_to_messages", self._messages, doc, item)
        if system and turns[0].role == "system":
            raise self._error("doc_to_messages", doc, item, "begins with a system message, and so does system_prompt")
        if not whole:
            return (*system, *((turn.role, (("text", "\n".join(turn.texts)),)) for turn in turns))
        return (*system, *self._call("doc_to_messages", lambda _: place_turns(turns, kinds), doc, item))

    def _system_turn(self, doc: Doc, item: str) -> tuple[Placed, ...]:
        if self._system is None:
            return ()
        text = self._call("system_prompt", self._system, doc, item)
        if not isinstance(text, str):
            raise self._error("system_prompt", doc, item, f"expected text, found {text!r}")
        return (("system", (("text", text),)),) if text else ()

    def target(self, doc: Doc, item: str = "") -> Any:
        """The label as JSON-able data; None where the row has none."""
        try:
            found = self._target(doc)
            return plain(listed(found))
        except (MissingField, UndefinedError):
            return None
        except Exception as error:
            raise self._error("doc_to_target", doc, item, error) from error

    def choices(self, doc: Doc, item: str = "") -> tuple[str, ...] | None:
        """The options in order; None where the task or this row has none."""
        if self._choices is None:
            return None
        found = listed(self._call("doc_to_choice", self._choices, doc, item))
        if found is None:
            return None
        if isinstance(found, (str, Mapping)) or not isinstance(found, Iterable):
            raise self._error("doc_to_choice", doc, item, f"expected a list of choices, found {found!r}")
        return tuple(str(choice) for choice in found) or None

    def visual_fields(self, doc: Doc) -> tuple[str, ...]:
        """The fields that hold media; empty where a function gives the media."""
        rule = self.task.doc_to_visual
        if isinstance(rule, tuple):
            return rule
        if rule is None:
            return tuple(name for name, value in doc.items() if is_media(value))
        return ()

    def visuals(self, doc: Doc, item: str = "") -> list[Any]:
        """The media of a row in order, as `read_media` takes them; null fields have none."""
        if self._visuals is not None:
            found = listed(self._call("doc_to_visual", self._visuals, doc, item))
            values = found if isinstance(found, (list, tuple)) else [found]
        else:
            fields = self.visual_fields(doc)
            values = [self._call("doc_to_visual", field_rule(name), doc, item) for name in fields]
        flat: list[Any] = []
        for value in values:
            flat.extend(value if isinstance(value, (list, tuple)) else [value])
        return [value for value in flat if value is not None and value != ""]

    def window(self, doc: Doc, item: str = "") -> Window | None:
        """The part of the row's video that is shown, by `start` and `end` of `video`; None without them."""
        found: Window | None = None if self._window is None else self._call("video", self._window, doc, item)
        return found

    def cluster(self, doc: Doc, item: str = "") -> str | None:
        """The item's cluster by `cluster_key`; None without one."""
        found = None if self._cluster is None else self._call("cluster_key", self._cluster, doc, item)
        return None if found is None else _word(found)

    def categories(self, doc: Doc, item: str = "") -> dict[str, str]:
        """Each field of `report_by` with this row's value; a null one is left out."""
        found = {n: self._call("report_by", read, doc, item) for n, read in self._categories.items()}
        return {name: _word(value) for name, value in found.items() if value is not None}

    def groups(self, doc: Doc, item: str = "") -> dict[str, str]:
        """Each field of `worst_over` with this row's value; a null one is left out."""
        found = {n: self._call("metric_list", read, doc, item) for n, read in self._groups.items()}
        return {name: _word(value) for name, value in found.items() if value is not None}


# What a prompt may ask for where there is only a video, and what to do then.
_NOT_A_VIDEO = {
    "image": "write <video>",
    "audio": "a video's sound is not sent with its frames: name a field with the sound in doc_to_visual",
}


def _asks_for(kind: str, text: str) -> bool:
    return any(match[1] == kind for match in PLACEHOLDER.finditer(text))


def _word(value: Any) -> str:
    value = plain(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def compile_task(task: TaskDef) -> TaskFunctions:
    """The task's functions, compiled once for each TaskDef object."""
    # A copy with other fields (`model_copy`) carries the attribute along but is another task.
    if not isinstance(task._compiled, TaskFunctions) or task._compiled.task is not task:
        task._compiled = TaskFunctions(task)
    return task._compiled


def messages(
    task: TaskDef, doc: Doc, n_media: int, kinds: Sequence[str] | None = None, item: str = ""
) -> tuple[Part, ...]:
    """The parts of the user turn, see `place_media`."""
    return place_media(compile_task(task).text(doc, item), n_media, kinds)


def judge_spec(task: TaskDef) -> dict[str, Any]:
    """The task's judge as `judges.get_judge` takes it: functions of the task's folder are loaded."""
    if task.judge["name"] == "lmms_eval":
        from task_defs.lmms_eval.grader import Grader

        return {**task.judge, "grader": Grader(task)}
    spec: dict[str, Any] = with_functions(task.judge, load_function)
    return spec
