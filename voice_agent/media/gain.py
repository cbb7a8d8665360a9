"""How loud the agent's voice is played, changed without a click. No clock: it counts samples."""

import numpy as np

from voice_agent.message import Samples


class Gain:
    """A factor that moves in a straight line to where it is told to go."""

    def __init__(self) -> None:
        self.now = 1.0
        """0..1."""
        self._target = 1.0
        self._step = 0.0
        """By sample, on the way to the target."""

    def jump(self, factor: float) -> None:
        """Be there at once: for a moment at which nothing is to be heard."""
        self.now = self._target = factor

    def move(self, factor: float, samples: int) -> None:
        """Go there; a way from silence to full takes `samples`, others are as steep."""
        self._target = factor
        self._step = 1 / samples

    def apply(self, frame: Samples) -> None:
        """Scale the next samples of the stream, in place."""
        way = self._target - self.now
        if not way and self.now == 1.0:
            return
        steps = np.arange(len(frame)) * self._step
        factors = self.now + np.sign(way) * np.minimum(steps, abs(way))
        left = abs(way) - len(frame) * self._step
        self.now = self._target - np.sign(way) * left if left > 0 else self._target
        frame[:] = np.rint(frame * factors)
