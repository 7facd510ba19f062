"""An environment of Gymnasium as an episode sees it: named actions, and views of text and a picture."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class SetupFaulty(RuntimeError):
    """The environment cannot be made as it is asked for: no other seed and no other answer would help."""


@dataclass(frozen=True)
class View:
    """What there is to see after a reset or an action.

    text:     what the environment says of itself (its mission, what the agent carries); map: the scene in letters.
    picture:  a PNG.
    state:    equal for equal states of the world, as far as an agent could tell.
    reward:   of the latest action.
    success:  whether it ended as it should; None: it is still going on.
    """

    text: str
    map: str
    picture: bytes
    state: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    success: bool | None = None


class World:
    """Any environment with discrete actions and an `rgb_array`.

    names: of its actions, by Gymnasium's numbers; () where they have none but the number.
    idle:  the action that lets time pass and does nothing else; None where there is none.
    """

    names: Sequence[str] = ()
    idle: str | None = None

    def __init__(self, env: str, options: Mapping[str, Any]) -> None:
        """options: `make` (keyword arguments of the environment), `actions` (names of those to offer; default: all),
        `repeat` (how often each is done). Raises SetupFaulty.
        """
        import gymnasium

        try:
            self.prepare()
            kwargs = {"render_mode": "rgb_array", **options.get("make", {})}
            self.env = gymnasium.make(env, disable_env_checker=True, **kwargs)
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise SetupFaulty(f"environment {env!r} cannot be made: {error}") from error
        if not isinstance(self.env.action_space, gymnasium.spaces.Discrete):
            raise SetupFaulty(
                f"environment {env!r} has actions of the kind {self.env.action_space}, not a number of them"
            )
        count = int(self.env.action_space.n)
        known = list(self.names_of(count))
        self.actions: list[str] = list(options.get("actions") or known)
        if unknown := [name for name in self.actions if name not in known]:
            raise SetupFaulty(f"environment {env!r} has no action {unknown[0]!r}: it has {', '.join(known)}")
        self._number = {name: known.index(name) for name in self.actions}
        self._repeat = int(options.get("repeat", 1))
        self.options = options

    def prepare(self) -> None:
        """Import what registers the environments of this kind."""

    def names_of(self, count: int) -> Sequence[str]:
        """Of the actions 0 to count - 1."""
        return self.names[:count] or [str(number) for number in range(count)]

    def reset(self, seed: int) -> View:
        self._seen, _ = self.env.reset(seed=seed)
        return self._view()

    def step(self, action: str) -> View:
        """The action, done `repeat` times or until the episode is over; the reward is their sum."""
        total, terminated, truncated = 0.0, False, False
        for _ in range(self._repeat):
            self._seen, reward, terminated, truncated, _ = self.env.step(self._number[action])
            total += float(reward)
            if terminated or truncated:
                break
        return self._view(total, bool(terminated), bool(truncated))

    def plan(self) -> list[str] | None:
        """The fewest actions that succeed from here, in order; None where nobody knows. Asked for after a reset."""
        return None

    def _view(self, reward: float = 0.0, terminated: bool = False, truncated: bool = False) -> View:
        success = self.succeeded(reward, terminated) if terminated or truncated else None
        return View(
            self.text(), self.map(), self.picture(), self.state(), reward, terminated, truncated, success
        )  # fmt: skip

    def succeeded(self, reward: float, terminated: bool) -> bool:
        """Whether the end that the latest action brought is the good one."""
        return terminated and reward > 0

    def text(self) -> str:
        return ""

    def map(self) -> str:
        return self._seen if isinstance(self._seen, str) else ""

    def picture(self) -> bytes:
        return png(self.env.render())

    def state(self) -> str:
        return digest(self.env.render().tobytes())

    def close(self) -> None:
        self.env.close()


def png(pixels: Any) -> bytes:
    """Height × width × 3 bytes as a PNG, the same bytes for the same pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def digest(*parts: Any) -> str:
    joined = b"\x1f".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts)
    return hashlib.sha256(joined).hexdigest()[:16]
