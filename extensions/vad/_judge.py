"""What every detector does with its opinion of the sound: weigh it against those before, tell of changes."""

from collections.abc import Callable
from typing import NamedTuple

from extensions.vad._hysteresis import Hysteresis, windows_in
from extensions.vad._windows import Windows
from voice_agent import audio
from voice_agent.extension import Emit
from voice_agent.message import AudioFrame, Message, Samples, SpeechEnded, SpeechPaused, SpeechStarted

PORTS: dict[str, type[Message]] = {
    "speech_started": SpeechStarted,
    "speech_paused": SpeechPaused,
    "speech_ended": SpeechEnded,
}
PORT_OF = {message: port for port, message in PORTS.items()}
Opinion = Callable[[Samples], float]
"""The probability, 0..1, that sound holds a voice."""


class Durations(NamedTuple):
    """In ms; all but `onset` in steps of a detector's window."""

    start: float
    """How long a voice lasts to begin speech."""
    pause: float
    """Silence that is told as a pause; no longer than the one that ends speech."""
    end: float
    """Silence that ends speech."""
    onset: float
    """How late the detector is sure of a voice: speech has begun so much before its first voiced window."""


class Judge:
    """Of one stream: frames in; starts, pauses and ends of speech out."""

    def __init__(self, window: int, thresholds: tuple[float, float], durations: Durations) -> None:
        """A detector's window in samples; the probability from which speech begins, and that below which it
        ends."""
        window_s = window / audio.SAMPLE_RATE
        threshold, release = thresholds
        start, pause, end = (windows_in(duration_ms, 1000 * window_s) for duration_ms in durations[:3])
        self._window_s = window_s
        self._windows = Windows(window)
        self._hysteresis = Hysteresis(
            threshold, min(release, threshold), start, min(pause, end), end, durations.onset / 1000
        )

    async def hear(
        self, frame: AudioFrame, probability_of: Opinion, emit: Emit, glance_at: Opinion | None = None
    ) -> None:
        """Ask the detector about every window that the frame completes, and tell what changes.

        `glance_at` is its opinion of the newest window's length of sound, given what has come since the last
        window: asked when the voice may have paused, so that a pause need not wait for a window's edge.
        """
        for samples, start_s, gap in self._windows.push(frame):
            probability = probability_of(samples)
            level_db = audio.level_db(samples) if probability else audio.SILENCE_DB
            end_s = start_s + self._window_s
            for event in self._hysteresis.push(probability, start_s, end_s, gap, level_db):
                await emit(PORT_OF[type(event)], event)
        paused = self._glance(glance_at) if glance_at else None
        if paused:
            await emit("speech_paused", paused)

    def _glance(self, glance_at: Opinion) -> SpeechPaused | None:
        newest = self._windows.newest
        if not len(newest) or not self._hysteresis.may_pause:
            return None
        return self._hysteresis.glance(glance_at(newest))
