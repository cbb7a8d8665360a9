"""VADs on recordings that people labelled (VOICE_AGENT_DATA/vad), clean and with noise, against the loop that
Silero's authors document for their model. `python -m benchmarks.vad`

Every recording is heard eight times, each time cut off 4 ms later, so that no figure hangs on where
windows fall. The reference reports starts 30 ms early and ends 30 ms late; to compare rates, all others
are read so as well.
"""

import asyncio
import csv
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import sounds
from extensions.vad.silero import WINDOW, Detector, SileroVad
from extensions.vad.webrtc import WebrtcVad
from voice_agent import audio, registry
from voice_agent.errors import VoiceAgentError
from voice_agent.extension import Extension
from voice_agent.message import Samples, SpeechEnded, SpeechStarted
from voice_agent.testing import attach, frames_of

PAD_S = 0.03
TAIL_S = 0.5
PHASES = range(0, WINDOW, 64)
STEPS = 100
"""Judgements in a second."""


class Heard(NamedTuple):
    """A stretch of speech as a VAD reports it; all in s of audio time."""

    start_s: float
    end_s: float
    start_known_s: float
    end_known_s: float


Vad = Callable[[Samples], Awaitable[list[Heard]]]


async def reference(sound: Samples) -> list[Heard]:
    """Silero as its authors use it: threshold 0.5, 0.35 to end, least speech 250 ms, least silence 100 ms."""
    detector, found, silent_since = Detector(), list[Heard](), 0.0
    start_s: float | None = None
    for index in range(len(sound) // WINDOW):
        at_s = index * WINDOW / audio.SAMPLE_RATE
        known_s = at_s + WINDOW / audio.SAMPLE_RATE
        probability = detector.probability(sound[index * WINDOW : (index + 1) * WINDOW])
        if probability >= 0.5:
            silent_since = 0.0
            start_s = at_s if start_s is None else start_s
        elif probability < 0.35 and start_s is not None:
            silent_since = silent_since or at_s
            if at_s - silent_since >= 0.1:
                if silent_since - start_s > 0.25:
                    found.append(Heard(start_s, silent_since, start_s + 0.25, known_s))
                start_s, silent_since = None, 0.0
    if start_s is not None:
        found.append(Heard(start_s, len(sound) / audio.SAMPLE_RATE, start_s + 0.25, np.inf))
    return found


def of(make: Callable[[], Extension]) -> Vad:
    """An extension, and when each of its messages is known."""

    async def hear(sound: Samples) -> list[Heard]:
        vad = make()
        outbox = attach(vad)
        await vad.start()
        events: list[tuple[float, SpeechStarted | SpeechEnded]] = []
        for frame in frames_of(sound):
            await vad.handle(frame, outbox)
            for _, message in outbox:
                assert isinstance(message, SpeechStarted | SpeechEnded)
                events.append((frame.time_s + audio.FRAME_S, message))
            outbox.clear()
        await vad.stop()
        if len(events) % 2:
            events.append((np.inf, SpeechEnded(len(sound) / audio.SAMPLE_RATE)))
        pairs = zip(events[::2], events[1::2], strict=True)
        return [Heard(a.time_s, b.time_s, known_a, known_b) for (known_a, a), (known_b, b) in pairs]

    return hear


def labels(folder: Path) -> tuple[dict[str, list[tuple[float, float]]], dict[str, float]]:
    """Recording to the stretches of speech that people marked, those that touch as one; and to the time up to
    which they listened."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    until_s: dict[str, float] = {}
    with (folder / "segments.csv").open() as file:
        for row in csv.DictReader(file):
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
            until_s[row["file"]] = end_s
            if row["speech"] != "1":
                continue
            if spans[row["file"]] and start_s - spans[row["file"]][-1][1] < 0.01:
                start_s = spans[row["file"]].pop()[0]
            spans[row["file"]].append((start_s, end_s))
    return spans, until_s


async def measure(vad: Vad, folder: Path, noise: Samples | None, snr_db: float) -> dict[str, float]:
    """Rates over all 10 ms steps of the recordings; delays of what was known after the labels' ends."""
    false = missed = speech = steps = early = marked = 0
    delays: list[float] = []
    marks, until_s = labels(folder)
    for name, spans in marks.items():
        recording = audio.read(folder / name)
        sound = np.concatenate((recording, np.zeros(round(TAIL_S * audio.SAMPLE_RATE), np.int16)))
        if noise is not None:
            under = np.resize(noise, len(sound)) * (sounds.rms(recording) / sounds.rms(noise))
            sound = sounds.clip(sound + under * 10 ** (-snr_db / 20))
        for phase in PHASES:
            off_s = phase / audio.SAMPLE_RATE
            heard = [Heard(*(t + off_s for t in span)) for span in await vad(sound[phase:])]
            truth = _mask(until_s[name], spans)
            found = _mask(until_s[name], [(s.start_s - PAD_S, s.end_s + PAD_S) for s in heard])
            false += int((found & ~truth).sum())
            missed += int((truth & ~found).sum())
            speech += int(truth.sum())
            steps += len(truth)
            for start_s, end_s in spans:
                marked += 1
                ends = [s.end_known_s for s in heard if abs(s.end_s - end_s) < 0.3 and s.end_known_s > end_s]
                delays += [min(ends) - end_s] if ends else []
                early += sum(start_s + 0.1 < s.end_known_s <= end_s for s in heard)
    return {
        "false_alarms": round(false / (steps - speech), 3),
        "misses": round(missed / speech, 3),
        "end_p50_ms": round(1000 * float(np.median(delays))),
        "end_p90_ms": round(1000 * float(np.percentile(delays, 90))),
        "early_ends": round(early / marked, 2),
    }


def _mask(until_s: float, spans: list[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(round(until_s * STEPS), np.bool_)
    for start_s, end_s in spans:
        mask[max(0, round(start_s * STEPS)) : round(end_s * STEPS)] = True
    return mask


async def run(folder: Path) -> dict[str, Any]:
    babble = audio.read(folder / "noise" / "tau2" / "people_talking.wav")
    noises = {
        "clean": None,
        "babble_5_db": babble,
        "white_5_db": sounds.white(20 * audio.SAMPLE_RATE, -20),
    }
    vads: dict[str, Vad] = {
        "reference": reference,
        "vad.silero": of(SileroVad),
        "vad.silero, floor_penalty 0.1": of(lambda: SileroVad(floor_penalty=0.1)),
        "vad.silero, floor_penalty 0": of(lambda: SileroVad(floor_penalty=0.0)),
        "vad.silero, end_ms 64": of(lambda: SileroVad(end_ms=64)),
        "vad.silero, end_ms 32": of(lambda: SileroVad(end_ms=32)),
        "vad.webrtc": of(WebrtcVad),
    }
    try:
        ten = registry.find("vad.ten")
        ten().prepare()
        vads["vad.ten"] = of(ten)
    except VoiceAgentError:
        pass
    return {
        name: {kind: await measure(vad, folder / "vad", noise, 5.0) for kind, noise in noises.items()}
        for name, vad in vads.items()
    }


def main() -> None:
    folder = sounds.data_folder()
    if folder is None:
        raise SystemExit("VOICE_AGENT_DATA names no folder with labelled recordings (vad/segments.csv)")
    print(json.dumps(asyncio.run(run(folder)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
