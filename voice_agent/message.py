"""The values that travel between nodes: small, frozen, and stamped with the turn they belong to.

Every class has a `kind`, the section of a graph file (TEN's `cmd`, `data`, `audio_frame`) in which a
connection that carries it is written.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["cmd", "data", "audio_frame", "video_frame"]
Samples = npt.NDArray[np.int16]
"""Mono sound at 16 kHz, shape (n,)."""
PlaybackMode = Literal["full", "ducked", "paused"]
Answer = Literal["free", "yes_no", "digits", "letters", "email"]
"""What a caller may be asked for; "letters" are a code or a name, letter by letter, digits among them."""


@dataclass(frozen=True, slots=True)
class Message:
    """The base. `turn` is None for what the caller does, else the number of the turn that is answered. None
    also on a backchannel of the agent, which answers nothing: a `Clause`, and the `Speech` made of it."""

    kind: ClassVar[Kind] = "data"
    turn: int | None = field(default=None, kw_only=True)


# --- what the caller does -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallStarted(Message):
    """The caller is on the line. Stamped with a turn, so that the greeting is a reply like any other."""

    kind: ClassVar[Kind] = "cmd"
    language: str = "en"


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame(Message):
    """20 ms of the caller's voice."""

    kind: ClassVar[Kind] = "audio_frame"
    samples: Samples
    """Shape (320,)."""
    time_s: float
    """Audio time by the caller's clock: seconds between the call's first sample and this frame's. It goes
    back where sound comes after its time has been filled: the frame then replaces the filling."""
    gap: bool = False
    """True where the sound has not come and this is filling."""


@dataclass(frozen=True, slots=True, eq=False)
class PlayedFrame(Message):
    """20 ms of what the caller's loudspeaker was given, silence included. It has no turn: it tells of the
    caller's ear, and is the reference of an echo canceller."""

    kind: ClassVar[Kind] = "audio_frame"
    samples: Samples
    """Shape (320,)."""
    time_s: float
    """Audio time by the caller's clock at which it was handed over; steady, but right to the network's jitter
    only, and earlier than it sounds."""


@dataclass(frozen=True, slots=True)
class SpeechStarted(Message):
    """The VAD hears a voice."""

    kind: ClassVar[Kind] = "cmd"
    time_s: float
    """Audio time of the first voiced sample, earlier than the moment it is known."""
    confidence: float = 1.0
    """0..1."""
    level_db: float = 0.0
    """RMS of the voice so far in dB of full scale; 0 where the VAD does not tell."""


@dataclass(frozen=True, slots=True)
class SpeechPaused(Message):
    """The VAD hears the first silence: a hint that the voice may have ended, on which work may start that is
    thrown away if it has not. Nothing takes it back: if the voice goes on, no SpeechEnded follows, and
    the next silence is a new hint. Every SpeechEnded comes after one."""

    kind: ClassVar[Kind] = "cmd"
    time_s: float
    """Audio time just after the last voiced sample so far."""


@dataclass(frozen=True, slots=True)
class SpeechEnded(Message):
    """The VAD has heard the voice no more for a little while; not yet the end of a turn."""

    kind: ClassVar[Kind] = "cmd"
    time_s: float
    """Audio time just after the last voiced sample."""
    confidence: float = 1.0
    """That it was a voice, 0..1: the mean over all of it."""
    level_db: float = 0.0
    """RMS of all of the voice in dB of full scale; 0 where the VAD does not tell."""


@dataclass(frozen=True, slots=True)
class Transcript(Message):
    """What the recogniser understood. An interim one is replaced by the next; a final one closes its speech.

    Every SpeechEnded is answered by exactly one final transcript, its text "" when nothing was understood,
    or when the speech went on before it was: then the next final transcript has all of it.
    """

    text: str
    final: bool
    language: str = ""
    confidence: float = 1.0
    """0..1; below about 0.4 the text is a guess."""
    end_s: float = 0.0
    """Audio time up to which this was heard; equals SpeechEnded.time_s on a final one."""
    stable: int | None = None
    """How many characters of the text, from its start, will not change any more: later transcripts of this
    speech begin with them. None for all of a final one and nothing of an interim one."""

    @property
    def stable_text(self) -> str:
        """The part of the text that will not change any more."""
        settled = (len(self.text) if self.final else 0) if self.stable is None else self.stable
        return self.text[:settled]


@dataclass(frozen=True, slots=True)
class Typed(Message):
    """The caller typed instead of speaking."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnStarted(Message):
    """The caller has taken the floor; a running reply has been cut."""

    kind: ClassVar[Kind] = "cmd"
    time_s: float


@dataclass(frozen=True, slots=True)
class TurnEnded(Message):
    """The caller is done and waits for an answer. Carries the new turn's number.

    The turn may be tentative: the caller has probably ended. Nodes work on it as on any other, and what they
    may not do before it is sure, they do after `await session.confirmed(turn)`.
    """

    text: str
    """All that was said in this turn; "" when a voice was heard but nothing was understood."""
    language: str = ""
    confidence: float = 1.0
    ended_s: float = 0.0
    """Audio time just after the last voiced sample."""
    hold: bool = False
    """The caller asks the agent to wait: it is acknowledged at most."""
    cut_short: bool = False
    """The caller had more to say, but has spoken for longer than the agent lets him."""


@dataclass(frozen=True, slots=True)
class Nudge(Message):
    """The agent shall speak though the caller has not ended a turn. Carries the turn that it opens."""

    why: Literal["idle", "hold"]
    """The caller has long said nothing, or has long kept the agent waiting."""


@dataclass(frozen=True, slots=True)
class Playback(Message):
    """How the agent's voice is played from now on, while it is not sure what a sound of the caller means."""

    kind: ClassVar[Kind] = "cmd"
    mode: PlaybackMode
    """Ducked is at least 12 dB down; paused is silence. "full" goes on where it stopped, at a word."""


# --- the reply ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Utterance:
    """A line of the conversation so far. The agent's lines hold only what the caller heard of them."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Prompt(Message):
    """The router asks an answering node for a reply."""

    text: str
    language: str = "en"
    history: tuple[Utterance, ...] = ()
    """What came before `text`, oldest first."""
    flow: str = ""
    """The name of the vertical's flow to begin; "" for none."""


@dataclass(frozen=True, slots=True)
class Expecting(Message):
    """What the dialogue has just asked for. A recogniser may prefer such answers; it must still hear others,
    as callers do not always answer what they were asked."""

    answer: Answer
    min_length: int = 0
    """At least so many digits or letters are still to come,"""
    max_length: int = 0
    """and at most so many; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Declined(Message):
    """An answering node passes: the router asks another one."""

    prompt: Prompt
    reason: str


@dataclass(frozen=True, slots=True)
class Text(Message):
    """A piece of a reply, as it is generated; pieces are joined without anything between them."""

    text: str
    language: str = "en"
    final: bool = False
    """True on the last piece of the reply, which may be empty."""
    protected: bool = False
    """The caller may not interrupt it: a legal notice."""


@dataclass(frozen=True, slots=True)
class Clause(Message):
    """A piece of a reply that can be spoken on its own."""

    text: str
    language: str = "en"
    final: bool = False
    """True on the last clause of the reply, which may be empty."""
    protected: bool = False
    """The caller may not interrupt it. A clause is so as a whole."""


@dataclass(frozen=True, slots=True)
class Word:
    """When a word is spoken."""

    text: str
    start_s: float
    """From the first sample of its clause."""
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Speech(Message):
    """A stretch of the agent's voice, of any length."""

    kind: ClassVar[Kind] = "audio_frame"
    samples: Samples
    """Shape (n,); may be empty."""
    text: str = ""
    """The clause that begins with this stretch; "" on a stretch that continues it."""
    words: tuple[Word, ...] = ()
    """All words of the clause whose times are known by now, in order; none if the voice does not tell."""
    final: bool = False
    """True on the reply's last stretch."""
    protected: bool = False
    """Of the clause that begins with this stretch: the caller may not interrupt it."""


@dataclass(frozen=True, slots=True)
class Heard(Message):
    """What the caller has really heard of a reply. First with text "" as the first sample is played,
    then growing as words pass, last with `final`. Its own `turn` is None: it tells of the caller's ear.
    """

    reply: int
    """The turn whose reply this is."""
    text: str
    """All that has been heard of it so far."""
    final: bool = False
    interrupted: bool = False
    """With `final`: the caller spoke over it, so `text` is only its beginning."""
    protected: bool = False
    """A clause is being played that the caller may not interrupt; told as it begins and ends."""


@dataclass(frozen=True, slots=True)
class Route(Message):
    """Which node answers a turn, and why; for the record."""

    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hold(Message):
    """The caller asked the agent to wait, or is back."""

    kind: ClassVar[Kind] = "cmd"
    on: bool


@dataclass(frozen=True, slots=True)
class Failed(Message):
    """A node could not make its reply (TurnError). Every node has the output port "failed" for it."""

    kind: ClassVar[Kind] = "cmd"
    node: str
    reason: str
