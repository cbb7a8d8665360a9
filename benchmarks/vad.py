"""VADs on labelled recordings (VOICE_AGENT_DATA), clean and with noise, against the loop that Silero's
authors document for their model. `python -m benchmarks.vad`

What is set in the VADs was chosen on the recordings of speech/ (labelled by level; café, dishes, pink noise);
those of vad/ (labelled by people; babble, white noise) are to judge by.

Every recording is heard eight times, each time cut off 4 ms later, so that no figure hangs on where windows
fall. Starts and ends are taken as they are told; the reference tells them 30 ms early and late.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from faster_whisper.vad import get_vad_model

from benchmarks import sounds
from benchmarks.labelled import Clip, by_level, by_people, pink
from extensions.vad.silero import WINDOW, SileroVad
from extensions.vad.webrtc import WebrtcVad
from voice_agent import audio, registry
from voice_agent.errors import VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import Samples, SpeechEnded, SpeechPaused, SpeechStarted
from voice_agent.testing import attach, frames_of

PAD_S = 0.03
PHASES = range(0, WINDOW, 64)
STEPS = 100
"""Judgements in a second."""
SNR_DB = 5.0
NEAR_S = 0.05
"""A hint that comes so little before a label's end is one of that end."""
LATEST_S = 0.35
"""A hint that comes later than this after an end is none of it."""


class Stretch(NamedTuple):
    """A stretch of speech as a VAD reports it; all in s of audio time."""

    start_s: float
    end_s: float
    end_known_s: float


class Heard(NamedTuple):
    speech: list[Stretch]
    hints_s: list[float]
    """When first silences are known."""

    def later(self, by_s: float) -> "Heard":
        speech = [Stretch(*(time_s + by_s for time_s in stretch)) for stretch in self.speech]
        return Heard(speech, [time_s + by_s for time_s in self.hints_s])


Vad = Callable[[Samples], Awaitable[Heard]]


async def reference(sound: Samples) -> Heard:
    """Silero as its authors use it (get_speech_timestamps): threshold 0.5, 0.35 to end, least speech 250 ms,
    least silence 100 ms, pad 30 ms. The model is run by faster-whisper's code, not by ours."""
    found, hints_s = list[Stretch](), list[float]()
    start_s: float | None = None
    silent_since_s: float | None = None
    padded = np.pad(audio.to_float(sound), (0, -len(sound) % WINDOW))
    for index, probability in enumerate(get_vad_model()(padded).ravel()):
        at_s = index * WINDOW / audio.SAMPLE_RATE
        known_s = _known_s(index)
        if probability >= 0.5:
            silent_since_s = None
            start_s = at_s if start_s is None else start_s
        elif probability < 0.35 and start_s is not None:
            if silent_since_s is None:
                silent_since_s = at_s
                hints_s.append(known_s)
            if at_s - silent_since_s >= 0.1:
                if silent_since_s - start_s > 0.25:
                    found.append(Stretch(start_s - PAD_S, silent_since_s + PAD_S, known_s))
                start_s = silent_since_s = None
    if start_s is not None:
        found.append(Stretch(start_s - PAD_S, len(sound) / audio.SAMPLE_RATE, np.inf))
    return Heard(found, hints_s)


def _known_s(window: int) -> float:
    """When the frame has come that completes a window."""
    return math.ceil((window + 1) * WINDOW / audio.FRAME) * audio.FRAME_S


def of(make: Callable[[], Extension]) -> Vad:
    """An extension, and when each of its messages is known."""

    async def hear(sound: Samples) -> Heard:
        vad = make()
        outbox = attach(vad)
        await vad.start()
        found, hints_s = list[Stretch](), list[float]()
        start_s: float | None = None
        for frame in frames_of(sound):
            known_s = frame.time_s + audio.FRAME_S
            await vad.handle(frame, outbox)
            for _, message in outbox:
                match message:
                    case SpeechStarted():
                        start_s = message.time_s
                    case SpeechPaused():
                        hints_s.append(known_s)
                    case SpeechEnded(time_s=end_s):
                        assert start_s is not None
                        found.append(Stretch(start_s, end_s, known_s))
                        start_s = None
            outbox.clear()
        await vad.stop()
        if start_s is not None:
            found.append(Stretch(start_s, len(sound) / audio.SAMPLE_RATE, np.inf))
        return Heard(found, hints_s)

    return hear


async def measure(vad: Vad, clips: list[Clip], noise: Samples | None) -> dict[str, float]:
    """Rates over all 10 ms steps of the recordings; delays of what was known after the labels' ends."""
    false = missed = speech = steps = early = marked = untrue = 0
    spoken_s = 0.0
    delays: list[float] = []
    hints: list[float] = []
    for clip in clips:
        sound = clip.sound
        if noise is not None:
            under = np.resize(noise, len(sound)) * (clip.voice_rms / sounds.rms(noise))
            sound = sounds.clip(sound + under * 10 ** (-SNR_DB / 20))
        for phase in PHASES:
            heard = (await vad(sound[phase:])).later(phase / audio.SAMPLE_RATE)
            truth = _mask(clip.until_s, clip.spans)
            found = _mask(clip.until_s, [(one.start_s, one.end_s) for one in heard.speech])
            false += int((found & ~truth).sum())
            missed += int((truth & ~found).sum())
            speech += int(truth.sum())
            steps += len(truth)
            for start_s, end_s in clip.spans:
                marked += 1
                spoken_s += end_s - start_s
                ends = [one.end_known_s for one in heard.speech if abs(one.end_s - end_s) < 0.3]
                delays += [min(late) - end_s] if (late := [end for end in ends if end > end_s]) else []
                early += sum(start_s + 0.1 < one.end_known_s <= end_s for one in heard.speech)
                near = [hint - end_s for hint in heard.hints_s if -NEAR_S <= hint - end_s < LATEST_S]
                hints += near[-1:]
                untrue += sum(start_s + NEAR_S < hint < end_s - NEAR_S for hint in heard.hints_s)
    return {
        "false_alarms": round(false / (steps - speech), 3),
        "misses": round(missed / speech, 4),
        "hint_p50_ms": round(1000 * float(np.median(hints))),
        "hint_p90_ms": round(1000 * float(np.percentile(hints, 90))),
        "hints_of_ends": round(len(hints) / marked, 2),
        "untrue_hints_per_s": round(untrue / spoken_s, 2),
        "end_p50_ms": round(1000 * float(np.median(delays))),
        "end_p90_ms": round(1000 * float(np.percentile(delays, 90))),
        "early_ends": round(early / marked, 2),
    }


def _mask(until_s: float, spans: list[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(round(until_s * STEPS), np.bool_)
    for start_s, end_s in spans:
        mask[max(0, round(start_s * STEPS)) : round(end_s * STEPS)] = True
    return mask


def detectors() -> dict[str, Vad]:
    vads = {"reference": reference, "vad.silero": of(SileroVad), "vad.webrtc": of(WebrtcVad)}
    try:
        ten = registry.find("vad.ten")
        ten().prepare()
        vads["vad.ten"] = of(ten)
    except VoiceAgentError:
        pass
    return vads


async def run() -> dict[str, Any]:
    folder = sounds.data_folder()
    if folder is None or not (folder / "vad" / "segments.csv").exists():
        raise SystemExit("VOICE_AGENT_DATA names no folder with labelled recordings (vad/segments.csv)")

    def noise(path: str) -> Samples:
        return audio.read(folder / "noise" / path)

    parts: dict[str, tuple[list[Clip], dict[str, Samples | None]]] = {
        "chosen on": (
            by_level(folder),
            {
                "clean": None,
                "cafe": noise("noisereduce/cafe_short.wav"),
                "dishes": noise("pyroomacoustics/doing_the_dishes.wav"),
                "pink": pink(20 * audio.SAMPLE_RATE),
            },
        ),
        "judged by": (
            by_people(folder),
            {
                "clean": None,
                "babble": noise("tau2/people_talking.wav"),
                "white": sounds.white(20 * audio.SAMPLE_RATE, -20),
            },
        ),
    }
    return {
        part: {
            name: {kind: await measure(vad, clips, under) for kind, under in noises.items()}
            for name, vad in detectors().items()
        }
        for part, (clips, noises) in parts.items()
    }


def main() -> None:
    print(json.dumps(asyncio.run(run()), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
