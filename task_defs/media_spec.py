"""What a task asks to be done to media before a model sees them. Nothing, unless it is asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from task_defs.errors import fault

Count = Annotated[int, Field(strict=True, ge=1)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Rule = Annotated[str, Field(min_length=1)]


class VideoSpec(BaseModel):
    """How a video is sent: `native`, its bytes as they are, or as pictures, chosen by one of:

    num_frames: that many, evenly from the first to the last.
    fps:        so many a second, from the first.
    keyframes:  those that are stored whole.
    scenes:     the first frame and each at which the picture changes by more than this (0 to 1), see
                `resources.sampling.scene_times`.

    max_frames: that many at most, evenly of what was chosen.
    max_tokens: as many as the model reads in so many tokens, likewise.
    start, end: a field of the row or Jinja: of this part of the video only, see `task_defs.window`.
    around:     likewise: the `seconds` whose middle it is.
    timestamps: whether each frame's time is written before it (`<12.5s>`).
    too_long:   what is done where the frames do not fit into the model's context: `resample` takes fewer, evenly,
                `window` those about the middle, `refuse` asks nothing. Without it, nothing is looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["frames", "native"] = "frames"
    num_frames: Count | None = None
    fps: Positive | None = None
    max_frames: Count | None = None
    keyframes: Literal[True] | None = None
    scenes: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = None
    max_tokens: Count | None = None
    start: Rule | None = None
    end: Rule | None = None
    around: Rule | None = None
    seconds: Positive | None = None
    timestamps: Literal[True] | None = None
    too_long: Literal["resample", "window", "refuse"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> VideoSpec:
        given = [name for name in type(self).model_fields if name != "mode" and getattr(self, name) is not None]
        chosen = [name for name in given if name in _CHOICES]
        if self.mode == "native":
            if given:
                raise fault(given[0], "only `mode: frames` samples: a native video is sent whole")
        elif len(chosen) != 1:
            raise fault(chosen[1] if chosen else "mode", "frames need one of num_frames, fps, keyframes and scenes")
        elif self.max_frames is not None and self.num_frames is not None:
            raise fault("max_frames", "goes with fps, keyframes or scenes: num_frames is the number of frames itself")
        elif (self.around is None) != (self.seconds is None):
            raise fault("around" if self.around else "seconds", "`around` and `seconds` go together")
        elif self.around and (self.start or self.end):
            raise fault("around", "is a part of the video itself, without `start` and `end`")
        return self

    def sampling(self) -> dict[str, Any]:
        """What decides which frames are taken; empty for a native video."""
        if self.mode == "native":
            return {}
        limits = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        if self.num_frames is not None:
            return {"num_frames": self.num_frames, **limits}
        # A budget of tokens is a limit of its own.
        most = self.max_frames or (None if self.max_tokens else DEFAULT_MAX_FRAMES)
        chosen: dict[str, Any] = {"fps": float(self.fps)} if self.fps else {}
        chosen |= {"keyframes": True} if self.keyframes else {}
        chosen |= {"scenes": self.scenes} if self.scenes else {}
        return {**chosen, "max_frames": most, **limits}

    @model_serializer(mode="wrap")
    def _digested(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later as before there was any: no older task has another digest."""
        return {name: value for name, value in plain(self).items() if value is not None or name in _FIRST}


DEFAULT_MAX_FRAMES = 32
_FIRST = ("mode", "num_frames", "fps", "max_frames")
_CHOICES = ("num_frames", "fps", "keyframes", "scenes")
