"""A caller on a loudspeaker: the agent's voice comes back into the microphone, later and quieter."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from voice_agent import audio
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.message import Samples


@dataclass(frozen=True)
class Echo:
    """What the microphone hears of what the loudspeaker is given."""

    delay_ms: float = 120.0
    """From a packet's arrival to its sound in the microphone: buffer, converters, room; 20-2000, in whole
    frames of 20 ms."""
    level_db: float = -12.0
    """Against what was sent, 0 or less."""


class Loudspeaker:
    """Plays frames one after the other, as a sound card does: the first after the delay, which also is the
    buffer for those that come late. When it has run empty, the next one waits for the delay again.
    """

    def __init__(self, echo: Echo) -> None:
        self._gain = 10 ** (echo.level_db / 20)
        self._delay = max(1, round(echo.delay_ms / 1000 / FRAME_S))
        self._waiting: deque[Samples] = deque()
        self._silence = np.zeros(FRAME, np.int16)

    def play(self, samples: Samples) -> None:
        """A frame of the agent's, shape (320,), has come."""
        if not self._waiting:
            self._waiting.extend([self._silence] * self._delay)
        self._waiting.append(samples)

    def add_to(self, spoken: Samples) -> Samples:
        """What the microphone hears in the next 20 ms while the caller says this, shape (320,)."""
        if not self._waiting:
            return spoken
        heard = audio.to_float(spoken) + self._gain * audio.to_float(self._waiting.popleft())
        return audio.to_int16(heard)
