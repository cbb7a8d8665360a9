"""WebRTC's echo canceller (AEC3, from livekit's wheel): an agent on a loudspeaker does not hear itself.

It takes what was really played, silence included, as the client tells it in `PlayedFrame`, and finds the
delay of its echo: up to 0.4 s by itself, up to 1 s with the help of `_reference.py`. Costs 0.2-0.3 ms a
frame. Browsers cancel echo themselves, unless their page asks them not to; kiosks and telephones often do
not.
"""

from dataclasses import dataclass, replace

import numpy as np

from extensions.denoise._reference import Reference
from voice_agent.audio import FRAME_S, SAMPLE_RATE, to_float
from voice_agent.errors import requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import AudioFrame, Message, PlayedFrame, Samples

with requires("echo"):
    from livekit import rtc
    from livekit.rtc.apm import AudioProcessingModule

CHUNK = 160
"""The library takes 10 ms at a time."""
ECHO_S = 0.5
"""So long after the agent's last sound there may be an echo of it."""


@dataclass
class EchoDenoise(Extension):
    """Runs inline; a frame out for each frame in, but for those that come late while the agent speaks."""

    noise_suppression: bool = False
    """WebRTC's, behind the canceller, which knows what is left of the echo."""
    auto_gain: bool = False
    """Bring the caller to an even level, also from far away; it raises noise as well."""

    guard: bool = True
    """Silence what the canceller leaves of the echo, see Guard. Without it the agent may interrupt itself
    until the canceller knows the room."""

    inputs = (AudioFrame, PlayedFrame)
    outputs = {"pcm_frame": AudioFrame}

    async def start(self) -> None:
        self._canceller = Canceller(self.noise_suppression, self.auto_gain)
        self._reference = Reference()
        self._guard = Guard()
        self._latest = -1
        """The number of the latest frame of the microphone."""

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case PlayedFrame():
                self._reference.push(message.samples, message.time_s)
            case AudioFrame():
                await self._hear(message, emit)

    async def _hear(self, frame: AudioFrame, emit: Emit) -> None:
        index = round(frame.time_s / FRAME_S)
        if index <= self._latest:
            await self._hear_late(index, frame, emit)
            return
        self._latest = index
        played = self._reference.take(index, frame.samples)
        cleaned = self._canceller.cancel(frame.samples, played)
        if self.guard:
            cleaned = self._guard.pass_on(cleaned, frame.samples, played)
        await emit("pcm_frame", replace(frame, samples=cleaned))

    async def _hear_late(self, index: int, frame: AudioFrame, emit: Emit) -> None:
        """Sound that comes after its time was filled: the canceller has moved on, so that it can pass only
        if there is no echo in it. Otherwise the filling stays."""
        if self._reference.was_silent(index):
            await emit("pcm_frame", frame)


class Canceller:
    """AEC3 with the state of one call."""

    def __init__(self, noise_suppression: bool, auto_gain: bool) -> None:
        self._module = AudioProcessingModule(
            echo_cancellation=True, noise_suppression=noise_suppression, auto_gain_control=auto_gain
        )

    def cancel(self, heard: Samples, played: Samples) -> Samples:
        """What the microphone heard without what comes of `played`, both shape (320,)."""
        cleaned = bytearray()
        for start in range(0, len(heard), CHUNK):
            self._module.process_reverse_stream(_chunk(played, start))
            chunk = _chunk(heard, start)
            self._module.process_stream(chunk)
            cleaned += chunk.data.cast("b")
        return np.frombuffer(bytes(cleaned), np.int16)


class Guard:
    """Tells a caller from what is left of the echo by how much the canceller has taken away.

    Of a caller who speaks over the agent it leaves nearly all, of an echo alone little, even in the first
    seconds. Only while there may be an echo.
    """

    KEPT_DB = -7.0
    """A caller's sound keeps this much of its level or more: echo alone lost 9-40 dB in four rooms."""
    KEPT_FIRST_DB = -2.0
    """The same while the canceller gets to know the room: of an echo alone some then lose only 3 dB."""
    FIRST_S = 5.0
    """So much sound of the agent's that takes."""
    LEAST_DB = -60.0
    """Quieter than this is nobody who speaks to the agent."""
    SMOOTHING = 0.3
    """Weight of the newest frame in both levels' means."""
    HOLD_FRAMES = 12
    """The caller's voice may fall for 240 ms before it counts as over."""
    CLOSED = 0.03
    """-30 dB."""

    def __init__(self) -> None:
        self._kept = self._heard = 0.0
        self._open = 0
        """Frames for which it stays open."""
        self._echo = 0
        """Frames for which there may be an echo."""
        self._played = 0
        """Frames in which the agent was heard."""
        self._gain = 1.0

    def pass_on(self, cleaned: Samples, heard: Samples, played: Samples) -> Samples:
        """The cleaned frame, as it is or much quieter; all of shape (320,)."""
        sounding = bool(played.any())
        self._echo = round(ECHO_S / FRAME_S) if sounding else max(0, self._echo - 1)
        self._played += sounding
        self._kept += self.SMOOTHING * (_power(cleaned) - self._kept)
        self._heard += self.SMOOTHING * (_power(heard) - self._heard)
        self._open = max(0, self._open - 1)
        kept_db = self.KEPT_FIRST_DB if self._played * FRAME_S < self.FIRST_S else self.KEPT_DB
        if self._kept > self._heard * 10 ** (kept_db / 10) and self._kept > 10 ** (self.LEAST_DB / 10):
            self._open = self.HOLD_FRAMES
        before, self._gain = self._gain, 1.0 if self._open or not self._echo else self.CLOSED
        if before == self._gain == 1.0:
            return cleaned
        return (cleaned * np.linspace(before, self._gain, len(cleaned))).astype(np.int16)


def _power(samples: Samples) -> float:
    """Mean square of full scale, 0..1."""
    return float(np.mean(np.square(to_float(samples))))


def _chunk(samples: Samples, start: int) -> rtc.AudioFrame:
    """10 ms that the library may overwrite."""
    return rtc.AudioFrame(bytearray(samples[start : start + CHUNK].tobytes()), SAMPLE_RATE, 1, CHUNK)
