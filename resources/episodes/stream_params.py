"""Parameters of the player `stream`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=1)]
Policy = Literal["window", "thinning", "changes", "relevant", "model", "all"]


class StreamParams(BaseModel):
    """params of the player.

    fps:        frames a second that are fed. every: seconds between two ticks at which the model may tell of an
                event; default 1 / fps.
    policy:     which frames stand in a request, see `stream_context`. budget: how many at most; not with `all`.
    scorer:     folder or `organisation/name@commit` of the dual encoder that `relevant` ranks frames by; read by no
                other policy, so that a sweep over policies may name it once.
    keep:       what `model` is asked when its context is full, with `{count}` (frames in it), `{room}` (how many may
                stay) and `{watch}` (the events that it waits for) in it.
    tolerance:  seconds behind an event within which telling it is right; None: up to the end. Latency counts anyway.
    early:      seconds before an event from which on telling it is no false alarm; latency is negative then.
    max_pixels: larger frames are scaled to this, keeping their shape.
    sound:      seconds of sound before each moment that are sent beside the frames; None: no sound.
    timestamps: whether each frame has its second before it.
    ask, watch: what is said behind the frames, with `{question}`, `{options}` and `{time}` in it.
    reads:      the judge that reads answers to questions, as in a task's `judge:`; see `Answers`.
    kinds:      kinds of questions that have metrics of their own; a row with another kind is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: _Positive = 1.0
    every: _Positive | None = None
    policy: Policy = "window"
    budget: _Count | None = None
    scorer: str | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    early: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    max_pixels: _Count | None = None
    sound: _Positive | None = None
    timestamps: bool = False
    ask: str = "{question}\n{options}"
    watch: str = "{question}\nAnswer yes or no."
    keep: str = (
        "These are pictures of a video that goes on, in order of time, and questions about it will follow. {watch}\n"
        "Of the {count} pictures {room} can be kept. Answer with the numbers of those to keep, at most {room}."
    )
    reads: str | dict[str, Any] | None = None
    kinds: tuple[str, ...] = ("backward", "present", "proactive")

    @model_validator(mode="after")
    def _consistent(self) -> StreamParams:
        if (self.policy == "all") != (self.budget is None):
            raise ValueError("every policy but `all` needs a budget of frames, and `all` takes none")
        if self.policy == "relevant" and not self.scorer:
            raise ValueError("policy `relevant` needs a scorer: the folder of a dual encoder, such as a CLIP")
        return self
