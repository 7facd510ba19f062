"""What a task asks to be done to media before a model sees them. Nothing, unless it is asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from task_defs.errors import fault

Count = Annotated[int, Field(strict=True, ge=1)]


class VideoSpec(BaseModel):
    """How a video is sent: `native`, its bytes as they are, or as pictures.

    num_frames: that many, evenly from the first to the last.
    fps:        so many a second, from the first; where these are more than `max_frames`, that many
                evenly.
    start, end: a field of the row or Jinja: of this part of the video only, see `task_defs.window`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["frames", "native"] = "frames"
    num_frames: Count | None = None
    fps: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = None
    max_frames: Count | None = None
    start: Annotated[str, Field(min_length=1)] | None = None
    end: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> VideoSpec:
        given = [name for name in _OF_FRAMES if getattr(self, name) is not None]
        if self.mode == "native":
            if given:
                raise fault(given[0], "only `mode: frames` samples: a native video is sent whole")
        elif (self.num_frames is None) == (self.fps is None):
            raise fault("fps" if self.fps else "mode", "frames need either num_frames or fps, one of them")
        elif self.max_frames is not None and self.fps is None:
            raise fault("max_frames", "goes with fps: num_frames is the number of frames itself")
        return self

    def sampling(self) -> dict[str, Any]:
        """What decides which frames are taken; empty for a native video."""
        if self.mode == "native":
            return {}
        if self.num_frames is not None:
            return {"num_frames": self.num_frames}
        return {"fps": float(self.fps or 0), "max_frames": self.max_frames or DEFAULT_MAX_FRAMES}

    @model_serializer(mode="wrap")
    def _digested(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a window as before there were any: no older task has another digest."""
        return {name: value for name, value in plain(self).items() if value is not None or name not in _WINDOW}


DEFAULT_MAX_FRAMES = 32
_WINDOW = ("start", "end")
_OF_FRAMES = ("num_frames", "fps", "max_frames", *_WINDOW)
