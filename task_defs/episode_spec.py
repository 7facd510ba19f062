"""How a task is played: what asks the model again and again until the item is over."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from task_defs.media_spec import Count


def _player(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        raise ValueError("expected the name of a player, such as minigrid or stream")
    return value


class EpisodeSpec(BaseModel):
    """An item as an episode or a stream: many requests, each made of what the answers before it led to.

    player:      who makes the requests: see `resources.episodes.registry`.
    max_steps:   requests to the model in one episode; behind it the episode is over with the failure `budget`.
    max_tokens:  completion tokens of one episode; None: any number.
    params:      the player's own settings.
    concurrency: episodes under way at a time. No part of any key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    player: Annotated[str, BeforeValidator(_player)]
    max_steps: Count
    max_tokens: Count | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    concurrency: Annotated[Count, Field(exclude=True)] = 8
