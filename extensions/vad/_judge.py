"""What every detector does with its opinion of a window: weigh it against the room, and tell of changes."""

from collections.abc import Callable

from extensions.vad._floor import NoiseFloor
from extensions.vad._hysteresis import Hysteresis, Windows, windows_in
from voice_agent import audio
from voice_agent.extension import Emit
from voice_agent.message import AudioFrame, Samples, SpeechStarted


class Judge:
    """Of one stream: frames in, starts and ends of speech out."""

    def __init__(
        self,
        window: int,
        thresholds: tuple[float, float],
        durations_ms: tuple[int, int],
        floor_penalty: float = 0.0,
    ) -> None:
        """A detector's window in samples; the probability from which speech begins, and that below which it
        ends; how long a voice lasts to begin, and a silence to end it; what is taken off the probability of a
        window no louder than the room."""
        window_s = window / audio.SAMPLE_RATE
        threshold, release = thresholds
        start, end = (windows_in(duration_ms, 1000 * window_s) for duration_ms in durations_ms)
        self._window_s = window_s
        self._windows = Windows(window)
        self._floor = NoiseFloor(window_s) if floor_penalty else None
        self._floor_penalty = floor_penalty
        self._hysteresis = Hysteresis(threshold, min(release, threshold), start, end)

    async def hear(self, frame: AudioFrame, probability_of: Callable[[Samples], float], emit: Emit) -> None:
        """Ask the detector about every window that the frame completes, and tell what changes."""
        for samples, start_s, gap in self._windows.push(frame):
            level_db = audio.level_db(samples)
            probability = probability_of(samples)
            if self._floor and not gap:
                probability -= self._floor_penalty * self._floor.nearness(level_db)
            end_s = start_s + self._window_s
            event = self._hysteresis.push(probability, start_s, end_s, gap, level_db)
            if event:
                port = "speech_started" if isinstance(event, SpeechStarted) else "speech_ended"
                await emit(port, event)
