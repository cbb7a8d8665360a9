"""What a state machine of a conversation wants done."""

from dataclasses import dataclass
from typing import Literal

from extensions.turn._overlap import UNSURE
from voice_agent.message import PlaybackMode


@dataclass(frozen=True)
class TakeFloor:
    """The caller has the floor from this audio time on. With `cut`, a reply is under way and ends here."""

    time_s: float
    cut: bool


@dataclass(frozen=True)
class Play:
    """How the agent's voice is played from now on."""

    mode: PlaybackMode


@dataclass(frozen=True)
class End:
    """What the caller has said, for a turn that is over, or with `tentative` one that may be."""

    text: str
    language: str = ""
    confidence: float = 1.0
    ended_s: float = 0.0
    hold: bool = False
    cut_short: bool = False
    """He has spoken past the limit, and had more to say."""
    tentative: bool = False

    def says(self, other: "End") -> bool:
        """Whether the answer to one is an answer to the other."""
        as_sure = (self.confidence < UNSURE) == (other.confidence < UNSURE)
        return self.text == other.text and as_sure and self.cut_short == other.cut_short


@dataclass(frozen=True)
class Confirm:
    """The tentative turn is over."""


@dataclass(frozen=True)
class GiveUp:
    """The tentative turn was none: what is being made of it, or played meanwhile, is cut."""


@dataclass(frozen=True)
class Speak:
    """The agent shall say something though it has not been spoken to."""

    why: Literal["idle", "hold"]


@dataclass(frozen=True)
class Backchannel:
    """The agent shall let the caller know that it listens, and no more."""

    language: str
    """Of what the caller says; "" where that is not known."""


Action = TakeFloor | Play | End | Confirm | GiveUp | Speak | Backchannel
