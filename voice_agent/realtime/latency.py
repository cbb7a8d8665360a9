"""Where the time of a turn went, as the server sees it. What the caller hears is measured at the caller."""

from collections.abc import Mapping
from dataclasses import dataclass

from voice_agent.message import Message, SpeechEnded, Transcript, TurnEnded


@dataclass(frozen=True)
class Latency:
    """From the caller's last sound, as received, to the first sample of the reply sent."""

    voice_to_voice_ms: float
    stages_ms: dict[str, float]
    """Node to the time that it added, in the order of the turn; they add up to the whole."""
    overlapped_ms: dict[str, float]
    """What ran beside the stages: the recogniser works while the turn node still waits, and so does whatever
    works on a tentative turn."""


class LatencyMeter:
    """Follows the messages that reach the client node."""

    def __init__(self) -> None:
        self._speech_ended: float | None = None
        """Loop time at which the VAD's latest end was known."""
        self._transcribed: float | None = None
        self._last_sound: dict[int, float] = {}
        """Turn to the loop time of the caller's last sound."""
        self._stt_ms: dict[int, float] = {}
        self._confirmed: dict[int, float] = {}
        """Turn that was tentative to the loop time at which it was confirmed."""

    def on_message(self, message: Message, now: float, audio_time_s: float, tentative: bool = False) -> None:
        """`now` is loop time, `audio_time_s` that of the latest sound received; `tentative` tells that the
        message has waited for its turn to be confirmed, which is now."""
        match message:
            case SpeechEnded():
                self._speech_ended, self._transcribed = now, None
            case Transcript(final=True):
                self._transcribed = now
            case TurnEnded(turn=int(turn)):
                self._turn_ended(turn, now, audio_time_s - message.ended_s)
                self._confirmed = {turn: now} if tentative else {}

    def first_sample(
        self, turn: int, now: float, timings: Mapping[str, float], client: str
    ) -> Latency | None:
        """The latency of a turn whose reply begins to be played; None for the greeting."""
        last_sound = self._last_sound.pop(turn, None)
        if last_sound is None:
            return None
        stt_ms = self._stt_ms.pop(turn, None)
        overlapped = {} if stt_ms is None else {"stt": stt_ms}
        moments = sorted([*timings.items(), (client, now)], key=lambda item: item[1])
        confirmed = self._confirmed.pop(turn, None)
        if confirmed is not None:
            opener, began = moments[0]
            early = [moment for moment in moments[1:] if moment[1] < confirmed]
            overlapped |= _steps(early, began)
            moments = [(opener, confirmed), *(moment for moment in moments[1:] if moment[1] >= confirmed)]
        return Latency((now - last_sound) * 1000, _steps(moments, last_sound), overlapped)

    def _turn_ended(self, turn: int, now: float, silence_s: float) -> None:
        self._last_sound = {turn: now - silence_s}
        if self._speech_ended is not None and self._transcribed is not None:
            self._stt_ms = {turn: (self._transcribed - self._speech_ended) * 1000}


def _steps(moments: list[tuple[str, float]], since: float) -> dict[str, float]:
    """Milliseconds from each moment to the next, the first one from `since`."""
    steps = {}
    for name, moment in moments:
        steps[name] = (moment - since) * 1000
        since = moment
    return steps
