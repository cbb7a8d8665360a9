"""What the caller's loudspeaker gets next, and what of it has been heard. No clock: `pull` is the clock.

    playout = Playout()
    playout.push(speech)                 # whenever the voice has made some
    samples = playout.pull()             # every 20 ms; silence when there is nothing to say
    for heard in playout.progress():     # what that made the caller hear
        await emit("heard", heard)

A word counts as heard when more than half of it has been played, be it cut afterwards or not. Where
a voice gives no word times they are guessed from the length of the words.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from voice_agent import spoken
from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.message import Heard, Samples, Speech, Word

FADE = 80
"""Samples, 5 ms: a cut voice is faded over them, so that it does not click."""
SILENCE: Samples = np.zeros(FRAME, np.int16)
SILENCE.setflags(write=False)


class Playout:
    """The queue between the voice, which comes in bursts, and the loudspeaker, which never waits."""

    def __init__(self) -> None:
        self._replies: deque[_Reply] = deque()
        self._events: list[Heard] = []
        self._fading: Samples = np.zeros(0, np.int16)
        self._closed_turn = -1
        """Of replies up to this turn no more is taken."""

    @property
    def playing(self) -> int | None:
        """The turn whose reply is being played: from its first sample to its last, also while it
        waits for more of its voice."""
        return self._replies[0].turn if self._replies and self._replies[0].begun else None

    @property
    def played_s(self) -> float:
        """Seconds of the reply being played that have been played."""
        return self._replies[0].played / SAMPLE_RATE if self._replies else 0.0

    @property
    def pending_s(self) -> float:
        """Seconds of voice that wait to be played."""
        return sum(clause.waiting for reply in self._replies for clause in reply.clauses) / SAMPLE_RATE

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play, now or soon: no reply has begun to come."""
        return not self._replies and not len(self._fading)

    def push(self, speech: Speech) -> None:
        """Queue a stretch of a reply; replies are played one after the other. What comes after a
        reply's last stretch, after a cut, or after the next reply has begun, is ignored."""
        turn = speech.turn
        assert turn is not None, "speech belongs to a turn"
        if turn <= self._closed_turn:
            return
        if not self._replies or self._replies[-1].turn != turn:
            self._close()  # a reply given up without a last stretch
            self._replies.append(_Reply(turn))
        self._replies[-1].push(speech)
        if speech.final:
            self._close()

    def pull(self) -> Samples:
        """The next 20 ms, shape (320,)."""
        if self.idle:
            return SILENCE
        frame: Samples = np.zeros(FRAME, np.int16)
        filled = 0
        while self._replies and filled < FRAME:
            reply = self._replies[0]
            filled += reply.read(frame[filled:])
            self._events += reply.progress()
            if not reply.over:
                break
            self._replies.popleft()
        if len(self._fading):
            head = frame[: len(self._fading)].astype(np.int32) + self._fading
            frame[: len(self._fading)] = np.clip(head, -32768, 32767)
            self._fading = self._fading[:0]
        return frame

    def progress(self) -> list[Heard]:
        """What the caller has come to hear since this was last asked, oldest first."""
        events, self._events = self._events, []
        return events

    def cut(self) -> None:
        """The caller has interrupted: silence from the next `pull` on, after a fade of 5 ms."""
        if self.playing is not None:
            tail: Samples = np.zeros(FADE, np.int16)
            self._replies[0].read(tail)
            self._fading = (tail * np.linspace(1, 0, FADE)).astype(np.int16)
        self._close()
        for reply in self._replies:
            self._events.append(Heard(reply.turn, reply.heard, final=True, interrupted=True))
        self._replies.clear()

    def _close(self) -> None:
        if self._replies:
            self._closed_turn = self._replies[-1].turn
            self._replies[-1].finish()


@dataclass
class _Clause:
    """A clause and the sound that has come of it."""

    text: str
    words: tuple[Word, ...] = ()
    pieces: deque[Samples] = field(default_factory=deque)
    length: int = 0
    """Samples that have come."""
    played: int = 0
    complete: bool = False
    """True when no more sound can come."""
    marks: list[tuple[int, int]] = field(default_factory=list)
    """For each word the sample at its middle, and how far the text has been heard when that is over."""
    heard_to: int = 0
    """How much of the text has been heard; never falls, though a guess may turn out to be too early."""

    @property
    def waiting(self) -> int:
        return self.length - self.played

    def push(self, speech: Speech) -> None:
        if len(speech.samples):
            self.pieces.append(speech.samples)
            self.length += len(speech.samples)
        if speech.words:
            self.words = speech.words
        self._mark()

    def finish(self) -> None:
        self.complete = True
        self._mark()

    def read(self, out: Samples) -> int:
        """Fill `out` from its beginning; returns how many samples there were."""
        filled = 0
        while self.pieces and filled < len(out):
            piece = self.pieces.popleft()
            count = min(len(piece), len(out) - filled)
            out[filled : filled + count] = piece[:count]
            if count < len(piece):
                self.pieces.appendleft(piece[count:])
            filled += count
        self.played += filled
        if self.complete and not self.waiting:
            self.heard_to = len(self.text)
        elif passed := bisect_left(self.marks, (self.played, 0)):
            self.heard_to = max(self.heard_to, self.marks[passed - 1][1])
        return filled

    def _mark(self) -> None:
        words = self.words
        if not words:
            words = spoken.spread_words(self.text, self.length / SAMPLE_RATE if self.complete else None)
            if not self.complete:
                words = words[:-1]  # a guess must not reach the end before the sound does
        self.marks = _marks(self.text, words)


@dataclass
class _Reply:
    """One reply: the clauses that wait or are being played."""

    turn: int
    clauses: deque[_Clause] = field(default_factory=deque)
    before: str = ""
    """The clauses that are over."""
    begun: bool = False
    complete: bool = False
    played: int = 0
    """Samples."""
    told: str | None = None
    """What was last reported as heard."""

    @property
    def over(self) -> bool:
        return self.complete and not any(clause.waiting for clause in self.clauses)

    @property
    def heard(self) -> str:
        """The reply's text up to the last word that has been heard."""
        if not self.clauses:
            return self.before
        clause = self.clauses[0]
        return spoken.join(self.before, clause.text[: clause.heard_to])

    def push(self, speech: Speech) -> None:
        if speech.text or not self.clauses:
            if self.clauses:
                self.clauses[-1].finish()
            self.clauses.append(_Clause(speech.text))
        self.clauses[-1].push(speech)

    def finish(self) -> None:
        """No more will come."""
        self.complete = True
        if self.clauses:
            self.clauses[-1].finish()

    def read(self, out: Samples) -> int:
        """Fill `out` from its beginning; returns how many samples there were."""
        filled = 0
        while self.clauses:
            clause = self.clauses[0]
            filled += clause.read(out[filled:])
            if clause.waiting or not clause.complete or len(self.clauses) == 1:
                break
            self.before = self.heard
            self.clauses.popleft()
        self.begun = self.begun or filled > 0
        self.played += filled
        return filled

    def progress(self) -> list[Heard]:
        """What has changed for the caller since this was last asked."""
        events = []
        if self.begun and self.told is None:
            self.told = ""
            events.append(Heard(self.turn, ""))
        if self.over:
            events.append(Heard(self.turn, self.heard, final=True))
        elif self.begun and self.heard != self.told:
            self.told = self.heard
            events.append(Heard(self.turn, self.heard))
        return events


def _marks(text: str, words: tuple[Word, ...]) -> list[tuple[int, int]]:
    """For each word the sample at its middle, and the end of the text when it has been heard.

    Punctuation goes with the word before it. A word that is not in the text is passed over.
    """
    marks: list[tuple[int, int]] = []
    middle, end = 0, 0
    for word in words:
        start = text.find(word.text, end)
        if start < 0:
            continue
        if marks:
            marks[-1] = (middle, _with_punctuation(text, end, start))
        end = start + len(word.text)
        middle = max(middle, round((word.start_s + word.end_s) / 2 * SAMPLE_RATE))
        marks.append((middle, end))
    if marks:
        marks[-1] = (middle, _with_punctuation(text, end, len(text)))
    return marks


def _with_punctuation(text: str, end: int, following: int) -> int:
    """Where a word that ends at `end` ends with the punctuation that touches it."""
    while end < following and not text[end].isspace():
        end += 1
    return end
