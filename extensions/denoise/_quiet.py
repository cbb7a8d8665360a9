"""What the room sounds like while nobody speaks: the quietest steady moments of the last ten seconds."""

from collections import deque
from typing import NamedTuple

import numpy as np

from voice_agent import audio
from voice_agent.message import Samples

BLOCK_FRAMES = 16
"""The noise is learned in blocks of 320 ms: longer than syllables, shorter than a conversation's pauses."""
STEADY_DB = 2.0
"""The levels of a block of noise lie within this standard deviation. White noise has 0.5, the quieter
quarter of recorded rooms 0.5-1.1; of blocks of ordinary speech 1.6 % are as steady (measured)."""
CHOSEN_BLOCKS = 2
"""The noise is what is common to this many of the quietest blocks."""
MEMORY_BLOCKS = 30
"""Blocks older than 9.6 s are forgotten, so that a new noise is learned."""
DIGITAL_SILENCE_DB = -80.0
"""A muted microphone or a silent codec: tells nothing of the room."""


class Block(NamedTuple):
    """A stretch of sound that may be noise."""

    level_db: float
    samples: Samples


class Quiet:
    """Chooses blocks by their level."""

    def __init__(self) -> None:
        self._levels: list[float] = []
        self._frames: list[Samples] = []
        self._heard: deque[Block | None] = deque(maxlen=MEMORY_BLOCKS)
        self._chosen: list[Block] = []

    def push(self, frame: Samples) -> bool:
        """Take in a frame; True when the choice has changed."""
        self._levels.append(audio.level_db(frame))
        self._frames.append(frame)
        if len(self._frames) < BLOCK_FRAMES:
            return False
        steady = min(self._levels) >= DIGITAL_SILENCE_DB and np.std(self._levels) <= STEADY_DB
        self._heard.append(Block(max(self._levels), np.concatenate(self._frames)) if steady else None)
        self._levels, self._frames = [], []
        heard = sorted((block for block in self._heard if block), key=lambda block: block.level_db)
        before, self._chosen = self._chosen, heard[:CHOSEN_BLOCKS]
        return bool(self._chosen) and [id(one) for one in before] != [id(one) for one in self._chosen]

    @property
    def blocks(self) -> list[Samples]:
        """The chosen blocks; none while no steady moment has been heard."""
        return [block.samples for block in self._chosen]

    @property
    def level_db(self) -> float:
        """The level of the noise in dB of full scale; only after `push` has told of a choice."""
        return max(block.level_db for block in self._chosen)
