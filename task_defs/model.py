"""What a task is: the fields of its YAML, named as lmms-eval names them where they mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from task_defs.conversation import WrongTurns, read_turns
from task_defs.episode_spec import EpisodeSpec
from task_defs.errors import Mark, fault
from task_defs.generation import GenerationKwargs
from task_defs.media_spec import Count, VideoSpec

TASK_NAME = re.compile(r"(lmms_eval:)?[A-Za-z0-9][A-Za-z0-9_.+-]*")
Source = Literal["auto", "huggingface", "parquet", "jsonl", "lance", "function"]
OutputType = Literal["generate_until", "multiple_choice", "loglikelihood"]


class FunctionRef(BaseModel):
    """A function in a file of the task's own folder: `!function utils.f`.

    name: as written; file: the Python file that holds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: Path

    @property
    def attribute(self) -> str:
        return self.name.rpartition(".")[2]


def _expect(what: str, *kinds: type) -> BeforeValidator:
    """Refuse other types in one sentence; a plain union would report each of its members."""

    def check(value: Any) -> Any:
        if value is None or not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"expected {what}")
        return value

    return BeforeValidator(check)


def _strings(value: Any) -> Any:
    """One string, or a list of strings, as a tuple."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ValueError("expected text or a list of texts")
    return tuple(value)


def _fields(value: Any) -> Any:
    return () if value is None else _strings(value)


def _visual(value: Any) -> Any:
    return value if value is None or isinstance(value, FunctionRef) else _strings(value)


def _choice(value: Any) -> Any:
    if value is None or isinstance(value, (str, FunctionRef)):
        return value
    if isinstance(value, (list, tuple)) and value:
        return tuple(v if isinstance(v, str) else str(v) for v in value)
    raise ValueError("expected a field name, a Jinja list expression, a function or a list of choices")


def _messages(value: Any) -> Any:
    if value is None or isinstance(value, (str, FunctionRef)):
        return value
    try:
        return read_turns(value)
    except WrongTurns as wrong:
        if not wrong.where:
            raise ValueError(f"{wrong.message}; a field, a function and Jinja are taken too") from wrong
        raise fault(wrong.where, wrong.message) from wrong


def _inside(value: str) -> str:
    """A path that stays in its folder by its spelling; links are looked at where it is opened."""
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or "\\" in value:
        raise ValueError("expected a path inside the folder, without '..' and not absolute")
    return value


def _task_name(value: str) -> str:
    if not TASK_NAME.fullmatch(value):
        raise ValueError("expected letters, digits, '_', '-' and '.', beginning with a letter or a digit")
    return value


def _judge(value: Any) -> Any:
    """`judge: math` is short for `judge: {name: math}`."""
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError("expected the name of a judge, or a mapping with `name` and the judge's settings")
    return dict(value)


Text = Annotated[str | FunctionRef, _expect("text (Jinja) or a function", str, FunctionRef)]
Function = Annotated[FunctionRef, _expect("a function of the task's folder, such as utils.f", FunctionRef)]
Key = Annotated[str | FunctionRef, _expect("a field name, Jinja or a function", str, FunctionRef)]
Strings = Annotated[tuple[str, ...], BeforeValidator(_strings)]
RelativePath = Annotated[str, AfterValidator(_inside)]
Files = Annotated[tuple[RelativePath, ...], BeforeValidator(_strings)]


class MetricSpec(BaseModel):
    """A metric that the task reports.

    metric:     the name under which the judge declares it.
    name:       the name under which it is reported (default: `metric`).
    macro_over: a field of `report_by`: the metric in each of its categories, then their plain mean. Of several fields
                (`[skill, kind]`) the mean over skills of the mean over the kinds in each.
    worst_over: a field: items that share its value are one unit, which scores what the worst of them does (for
                scores of 0 and 1: all right). With macro_over, units lie inside its categories.
    with_mean:  half of a unit's score is that of its worst member, the other half its members' mean, as MME adds
                accuracy and accuracy+.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    name: str = ""
    macro_over: Annotated[tuple[str, ...], BeforeValidator(_fields)] = ()
    worst_over: str | None = None
    with_mean: Annotated[bool, Field(strict=True)] = False
    higher_is_better: Annotated[bool, Field(strict=True)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"metric": data}
        if isinstance(data, Mapping) and "metric" in data and not data.get("name"):
            data = {**data, "name": data["metric"]}
        return data


class TaskDef(BaseModel):
    """A benchmark as it is run. Fields that lmms-eval has as well mean the same.

    Made by `load_task` from YAML. A task made in Python has no file: its functions are
    `FunctionRef`s and a relative `dataset_path` starts from the current folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Annotated[str, AfterValidator(_task_name)]

    # Where the rows are.
    dataset_path: str = ""
    dataset_name: str | None = None
    dataset_revision: str | None = None
    test_split: str = "test"
    data_files: dict[str, Files] = Field(default_factory=dict)
    data_folder: RelativePath | None = None
    source: Source = "auto"
    docs: Function | None = None
    process_docs: Function | None = None
    definition: str = ""  # digest of whatever else makes the rows: lmms-eval's sources

    # What the model sees.
    system_prompt: Text | None = None
    description: str = ""
    doc_to_text: Text = ""
    doc_to_messages: Annotated[Any, BeforeValidator(_messages)] = None  # str, FunctionRef or tuple of Turn
    doc_to_choice: Annotated[str | tuple[str, ...] | FunctionRef | None, BeforeValidator(_choice)] = None
    doc_to_visual: Annotated[tuple[str, ...] | FunctionRef | None, BeforeValidator(_visual)] = None
    video: VideoSpec = VideoSpec(mode="native")
    max_pixels: Count | None = None
    min_pixels: Count | None = None
    output_type: OutputType = "generate_until"
    generation_kwargs: GenerationKwargs = GenerationKwargs()
    episode: EpisodeSpec | None = None
    repeats: Annotated[int, Field(strict=True, ge=1)] = 1

    # What is known about an item.
    doc_to_id: Key | None = None
    doc_to_target: str | int | float | bool | list[Any] | FunctionRef | None = None
    cluster_key: Key | None = None
    report_by: Strings = ()
    ordered: Strings = ()

    # How answers are scored.
    judge: Annotated[dict[str, Any], BeforeValidator(_judge)]
    metric_list: tuple[MetricSpec, ...] = ()

    tag: Strings = ()
    group: Strings = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    _path: Path | None = PrivateAttr(default=None)
    _marks: dict[tuple[str | int, ...], Mark] = PrivateAttr(default_factory=dict)
    _compiled: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> TaskDef:
        if self.source == "function" and self.docs is None:
            raise fault("source", "`function` needs `docs`, the function that yields the rows")
        if self.docs is not None and self.source not in ("auto", "function"):
            raise fault("docs", f"a function that yields rows cannot be read with source '{self.source}'")
        if not (self.dataset_path or self.data_files or self.docs):
            raise fault("dataset_path", "say where the rows are: dataset_path, data_files or docs")
        self._one_prompt()
        if self.max_pixels and self.min_pixels and self.min_pixels > self.max_pixels:
            raise fault("min_pixels", f"expected at most max_pixels ({self.max_pixels}), found {self.min_pixels}")
        if self.output_type == "multiple_choice" and self.doc_to_choice is None:
            raise fault("output_type", "`multiple_choice` needs `doc_to_choice`")
        if self.episode is not None and self.output_type != "generate_until":
            raise fault("output_type", "an episode generates text until it is over: leave this field out")
        if self.data_files and self.test_split not in self.data_files:
            raise fault(
                "test_split",
                f"expected one of data_files ({', '.join(self.data_files)}), found '{self.test_split}'",
            )
        self._metrics()
        return self

    def _metrics(self) -> None:
        for number, field in enumerate(self.ordered):
            if field not in self.report_by:
                raise fault(f"ordered.{number}", f"'{field}' must also stand in report_by")
        seen: set[str] = set()
        for number, metric in enumerate(self.metric_list):
            for field in metric.macro_over:
                if field not in self.report_by:
                    raise fault(f"metric_list.{number}.macro_over", f"'{field}' must also stand in report_by")
            if metric.with_mean and not metric.worst_over:
                raise fault(f"metric_list.{number}.with_mean", "needs worst_over, whose groups' means it adds")
            if metric.name in seen:
                raise fault(f"metric_list.{number}.name", f"'{metric.name}' stands here twice")
            seen.add(metric.name)

    def _one_prompt(self) -> None:
        if self.doc_to_messages is None:
            if "doc_to_text" not in self.model_fields_set:
                raise fault("doc_to_text", "this field is required (or doc_to_messages)")
            return
        for name in ("doc_to_text", "description"):
            if getattr(self, name):
                raise fault(name, "doc_to_messages is the whole conversation: leave this field out, or empty")
        if self.system_prompt and isinstance(self.doc_to_messages, tuple) and self.doc_to_messages[0].role == "system":
            raise fault("system_prompt", "doc_to_messages begins with a system message: keep one of them")

    @property
    def group_fields(self) -> tuple[str, ...]:
        """The fields whose equal values make units of several items (`worst_over`), each once."""
        return tuple(dict.fromkeys(m.worst_over for m in self.metric_list if m.worst_over))

    @property
    def scores_target(self) -> bool:
        """Whether the label itself is the continuation whose likelihood is asked for."""
        return self.output_type == "loglikelihood" and self.doc_to_choice is None

    @property
    def path(self) -> Path | None:
        """The task's YAML; None for a task made in Python."""
        return self._path

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        return self._path.parent if self._path else Path.cwd()

    @property
    def primary_metric(self) -> str | None:
        """The name of the first metric; None: the judge's own first."""
        return self.metric_list[0].name if self.metric_list else None

    def mark(self, *location: str | int) -> Mark | None:
        """Where a field stands in the YAML, or the nearest thing around it."""
        for length in range(len(location), 0, -1):
            if found := self._marks.get(location[:length]):
                return found
        return self._marks.get(())
