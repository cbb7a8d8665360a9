"""The sound of a reply that waits or is played, and how far its text has been heard.

A word counts as heard when more than half of it has been played, be it cut afterwards or not. Where
a voice gives no word times they are guessed from the length of the words.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field

from voice_agent import spoken
from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import Heard, Samples, Speech, Word

LAST_SOUND = round(0.08 * SAMPLE_RATE)
"""Of a word, in samples: said twice for the sake of so little, the whole word is heard twice."""


@dataclass
class ClauseSound:
    """A clause and the sound that has come of it, kept until the clause is over."""

    text: str
    protected: bool = False
    """The caller may not interrupt it."""
    words: tuple[Word, ...] = ()
    pieces: list[Samples] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    """The clause's sample at which each piece begins."""
    length: int = 0
    """Samples that have come."""
    place: int = 0
    """The next sample to play."""
    complete: bool = False
    """True when no more sound can come."""
    marks: list[tuple[int, int]] = field(default_factory=list)
    """For each word the sample at its middle, and how far the text has been heard when that is over."""
    heard_to: int = 0
    """How much of the text has been heard; never falls, though a guess may turn out to be too early."""

    @property
    def waiting(self) -> int:
        """Samples still to play."""
        return self.length - self.place

    def push(self, speech: Speech) -> None:
        """More of the clause's sound, or of its words' times."""
        if len(speech.samples):
            self.pieces.append(speech.samples)
            self.starts.append(self.length)
            self.length += len(speech.samples)
        if speech.words:
            self.words = speech.words
        self._mark()

    def finish(self) -> None:
        """No more will come."""
        self.complete = True
        self._mark()

    def peek(self, out: Samples) -> int:
        """Fill `out` with what is next, from its beginning; returns how many samples there were."""
        filled = 0
        wanted = min(len(out), self.waiting)
        while filled < wanted:
            place = self.place + filled
            index = bisect_right(self.starts, place) - 1
            piece = self.pieces[index][place - self.starts[index] :][: wanted - filled]
            out[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def read(self, out: Samples) -> int:
        """As `peek`, and it has been played."""
        filled = self.peek(out)
        self.place += filled
        if self.complete and not self.waiting:
            self.heard_to = len(self.text)
        elif passed := bisect_left(self.marks, (self.place, 0)):
            self.heard_to = max(self.heard_to, self.marks[passed - 1][1])
        return filled

    def rewind(self) -> int:
        """Back to the start of the word that is cut here; between two words there is none, and one of which
        only a last sound was missing goes on there: it has been heard. Returns by how many samples."""
        for word in self.words or self._guess():
            start, end = round(word.start_s * SAMPLE_RATE), round(word.end_s * SAMPLE_RATE)
            if start < self.place < end - LAST_SOUND:
                back = self.place - start
                self.place = start
                return back
        return 0

    def _guess(self) -> tuple[Word, ...]:
        return spoken.spread_words(self.text, self.length / SAMPLE_RATE if self.complete else None)

    def _mark(self) -> None:
        words = self.words
        if not words:
            words = self._guess()
            if not self.complete:
                words = words[:-1]  # a guess must not reach the end before the sound does
        self.marks = _marks(self.text, words)


@dataclass
class ReplySound:
    """One reply: the clauses that wait or are being played."""

    turn: int
    clauses: deque[ClauseSound] = field(default_factory=deque)
    before: str = ""
    """The clauses that are over."""
    begun: bool = False
    complete: bool = False
    place: int = 0
    """The reply's next sample."""
    played: int = 0
    """Samples that have been played, those that were played twice counted once."""
    told: tuple[str, bool] | None = None
    """What was last reported: the text heard, and whether it was protected."""

    @property
    def over(self) -> bool:
        """All of it has been played."""
        return self.complete and not self.waiting

    @property
    def waiting(self) -> int:
        """Samples still to play."""
        return sum(clause.waiting for clause in self.clauses)

    @property
    def played_ms(self) -> int:
        """Milliseconds that have been played."""
        return round(self.played * 1000 / SAMPLE_RATE)

    @property
    def heard(self) -> str:
        """The reply's text up to the last word that has been heard."""
        if not self.clauses:
            return self.before
        clause = self.clauses[0]
        return spoken.join(self.before, clause.text[: clause.heard_to])

    @property
    def protected(self) -> bool:
        """Whether the caller may not interrupt what is played now."""
        return self.begun and not self.over and self.clauses[0].protected

    def push(self, speech: Speech) -> None:
        """A stretch of the reply; one with a text begins a clause."""
        if speech.text or not self.clauses:
            if self.clauses:
                self.clauses[-1].finish()
            self.clauses.append(ClauseSound(speech.text, speech.protected))
        self.clauses[-1].push(speech)

    def finish(self) -> None:
        """No more will come."""
        self.complete = True
        if self.clauses:
            self.clauses[-1].finish()

    def peek(self, out: Samples) -> None:
        """Fill `out` with what is next, as far as it has come."""
        filled = 0
        for clause in self.clauses:
            filled += clause.peek(out[filled:])

    def read(self, out: Samples) -> int:
        """Fill `out` from its beginning; returns how many samples there were. They have been played."""
        filled = 0
        while self.clauses:
            clause = self.clauses[0]
            filled += clause.read(out[filled:])
            if clause.waiting or not clause.complete or len(self.clauses) == 1:
                break
            self.before = self.heard
            self.clauses.popleft()
        self.begun = self.begun or filled > 0
        self.place += filled
        self.played = max(self.played, self.place)
        return filled

    def rewind(self) -> None:
        """Back to the start of the word that is cut here, if one is."""
        if self.clauses:
            self.place -= self.clauses[0].rewind()

    def progress(self) -> list[Heard]:
        """What has changed for the caller since this was last asked."""
        events = []
        protected = self.protected
        if self.begun and self.told is None:
            self.told = "", protected
            events.append(Heard(self.turn, "", protected=protected))
        if self.over:
            events.append(Heard(self.turn, self.heard, final=True))
        elif self.begun and (now := (self.heard, protected)) != self.told:
            self.told = now
            events.append(Heard(self.turn, self.heard, protected=protected))
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
