"""What the caller has said since a turn began: its stretches of voice, its words, and the silence since."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from voice_agent.audio import FRAME_S, level_db
from voice_agent.message import AudioFrame, SpeechEnded, SpeechStarted, Transcript
from voice_agent.spoken import join

LONG_GAP_S = 0.2
"""In so much lost sound the caller may have gone on: silence from before it counts no more."""
LEAST_FRAMES = 8
"""Of a voice tell how loud it is: an onset may be much softer than what follows."""
PAUSE_S = 0.4
"""A VAD tells of an end at most so long after the first silence, or there was none."""


@dataclass
class Said:
    """One or more stretches of speech. All times are audio times."""

    began_s: float
    since_s: float
    """When the latest stretch began."""
    speaking: bool = True
    paused_s: float | None = None
    """Since when a silence is heard that the VAD does not yet take for an end."""
    ended_s: float | None = None
    """When the latest stretch ended; None while the first goes on."""
    text: str = ""
    """The final transcripts, joined."""
    interim: str = ""
    """What is understood so far of the stretch that has no final transcript."""
    settled: bool = True
    """It will not change if nothing more is said."""
    understood_s: float = 0.0
    """Up to when the latest transcript has heard."""
    language: str = ""
    confidence: float = 1.0
    """That of the least sure part."""
    voiced_s: float = 0.0
    """Of the stretches that are over."""
    voice_confidence: float = 1.0
    """How sure the VAD is that the latest stretch was a voice; 1 until it has ended."""
    awaited: set[float] = field(default_factory=set)
    """Ends of stretches whose final transcript has not come."""
    _gaps_s: set[float] = field(default_factory=set)
    """Times of the frames since the latest stretch began whose sound has not come."""
    _power: float = 0.0
    """The sum of the powers of its frames."""
    _loud_frames: int = 0

    @classmethod
    def begin(cls, onset: SpeechStarted) -> "Said":
        """The first stretch begins."""
        return cls(onset.time_s, onset.time_s)

    @property
    def words(self) -> str:
        """All that is understood so far."""
        return join(self.text, self.interim)

    @property
    def is_complete(self) -> bool:
        """Whether all that was spoken has been understood, as far as it can be."""
        return not self.speaking and not self.awaited

    @property
    def is_up_to_date(self) -> bool:
        """Whether the words hold all that was spoken before the silence under way."""
        return self.silent_since_s is not None and self.understood_s >= self.silent_since_s - FRAME_S

    @property
    def silent_since_s(self) -> float | None:
        """When the silence under way began, be it an end or not; None while there is none."""
        return self.paused_s if self.speaking else self.ended_s

    def voiced_until(self, now_s: float) -> float:
        """Seconds of voice so far."""
        return self.voiced_s + (max(0.0, self._heard_until(now_s) - self.since_s) if self.speaking else 0.0)

    def unknown_until(self, now_s: float) -> float:
        """Seconds of the voice under way that the words do not hold yet."""
        known_s = max(self.since_s, self.understood_s)
        return max(0.0, self._heard_until(now_s) - known_s) if self.speaking else 0.0

    def _heard_until(self, now_s: float) -> float:
        """Up to when the stretch under way has voice, as far as that is known."""
        return now_s if self.paused_s is None else self.paused_s

    def was_no_pause(self, now_s: float) -> bool:
        """Whether the silence that was heard has passed without an end: the voice went on. Told once."""
        went_on = self.speaking and self.paused_s is not None and now_s - self.paused_s > PAUSE_S
        if went_on:
            self.paused_s = None
        return went_on

    def go_on(self, onset: SpeechStarted) -> None:
        """Another stretch of the same turn begins."""
        self.since_s = onset.time_s
        self.speaking, self.paused_s = True, None
        self._gaps_s.clear()
        self._power, self._loud_frames = 0.0, 0

    def end(self, message: SpeechEnded) -> None:
        """The stretch under way has ended."""
        self.speaking, self.paused_s = False, None
        self.ended_s = message.time_s
        self.voiced_s += max(0.0, message.time_s - self.since_s)
        self.voice_confidence = message.confidence
        self.awaited.add(message.time_s)

    def understand(self, transcript: Transcript) -> None:
        """Take what the recogniser has to say."""
        self.understood_s = transcript.end_s
        self.settled = transcript.stable_text == transcript.text
        if not transcript.final:
            self.interim = transcript.text
            return
        self.awaited.discard(transcript.end_s)
        self.interim = ""
        if transcript.text:
            self.confidence = min(self.confidence, transcript.confidence)
            self.language = transcript.language or self.language
            self.text = join(self.text, transcript.text)

    def hear(self, frame: AudioFrame) -> None:
        """Note where sound is missing, and where it has come after all."""
        if frame.gap:
            self._gaps_s.add(frame.time_s)
            return
        self._gaps_s.discard(frame.time_s)
        if self.speaking and self.paused_s is None:
            self._power += 10 ** (level_db(frame.samples) / 10)
            self._loud_frames += 1

    @property
    def level_db(self) -> float | None:
        """RMS of the latest stretch so far in dB of full scale; None before enough of it was heard."""
        if self._loud_frames < LEAST_FRAMES:
            return None
        return 10 * math.log10(self._power / self._loud_frames + 1e-10)

    def silence_s(self, now_s: float) -> float:
        """Silence heard since the last voice: neither a stalled network nor lost sound is taken for it."""
        since_s = self.silent_since_s
        if since_s is None:
            return 0.0
        lost = _between(self._gaps_s, since_s, now_s)
        if len(lost) * FRAME_S >= LONG_GAP_S:
            return now_s - max(lost) - FRAME_S
        return now_s - since_s - len(lost) * FRAME_S


def _between(times_s: Iterable[float], start_s: float, end_s: float) -> list[float]:
    return [time_s for time_s in times_s if start_s <= time_s < end_s]
