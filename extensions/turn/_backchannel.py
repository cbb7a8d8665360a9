"""When the agent says "mm-hm": in a pause of a caller who has long been speaking, and is not done.

It is no turn: the floor stays the caller's, and the states of the conversation know nothing of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from extensions.turn._actions import Backchannel
from extensions.turn._patience import MORE_TO_SAY, Waiting
from extensions.turn._said import Said

PAUSE_S = 0.4
"""A shorter silence is a breath, which is over before the agent's voice would be heard."""
ROOM_S = 0.7
"""It takes about half a second to be said, and must be over before an answer can begin."""


@dataclass
class Backchannels:
    """Seconds of audio time."""

    after_s: float = 0.0
    """Of voice in this turn; 0 for never."""
    every_s: float = 8.0
    _said_s: float = -math.inf
    """When it was last said."""

    def in_pause(self, said: Said, waiting: Waiting, now_s: float) -> Iterator[Backchannel]:
        """The caller is silent, and is waited for."""
        if not self.after_s or said.voiced_s < self.after_s or now_s - self._said_s < self.every_s:
            return
        silence_s = said.silence_s(now_s)
        in_time = PAUSE_S <= silence_s <= waiting.seconds - ROOM_S
        if in_time and said.words and said.is_up_to_date and waiting.finished < MORE_TO_SAY:
            self._said_s = now_s
            yield Backchannel(said.language)
