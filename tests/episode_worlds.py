"""Environments that the tests play: a corridor, and what is wrong with some of them."""

from __future__ import annotations

import os
import time

import gymnasium
import numpy as np


class Corridor(gymnasium.Env):
    """Five squares in a row; the right end is the goal. `fault` on its second step: `crash`, `hang`, `raise`."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - Gymnasium's own form
    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Discrete(5)

    def __init__(self, fault="", render_mode=None):
        self.fault, self.render_mode = fault, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.steps, self.broken = 0, 0, seed % 2 == 1 and self.fault
        return self.at, {}

    def step(self, action):
        self.steps += 1
        print("an environment may say what it likes")
        if self.steps == 2 and self.broken == "crash":
            os._exit(7)
        if self.steps == 2 and self.broken == "hang":
            time.sleep(600)
        if self.steps == 2 and self.broken == "raise":
            raise ZeroDivisionError("the world ended")
        self.at = max(0, self.at + (1 if action else -1))
        return self.at, float(self.at == 4), self.at == 4, False, {}

    def render(self):
        pixels = np.zeros((8, 40, 3), np.uint8)
        pixels[:, self.at * 8 : self.at * 8 + 8] = 255
        return pixels


gymnasium.register("Corridor-v0", entry_point=Corridor)
