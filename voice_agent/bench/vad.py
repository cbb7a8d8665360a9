"""How well and how soon a detector tells speech from what is none."""

from collections.abc import Iterator, Sequence

import numpy as np

from voice_agent.audio import FRAME, FRAME_S
from voice_agent.bench.figures import Figure, Run, Subject, delays, own_cpu_s, percent, play
from voice_agent.bench.material import Labelled, Material
from voice_agent.bench.metrics import (
    STEP_S,
    Confusion,
    Found,
    Span,
    end_delays_s,
    mask,
    onset_delays_s,
    pause_delays_s,
    seconds,
)
from voice_agent.message import SpeechEnded, SpeechPaused, SpeechStarted
from voice_agent.stress.sounds import mixed
from voice_agent.trial.cues import of_sound
from voice_agent.trial.play import Output

TAIL_S = 1.0
"""Silence after a recording, in which the end of its last speech is told."""
BABBLE_DB = 5.0


def measure(subject: Subject, material: Material) -> list[Figure]:
    """Rates and delays on labelled sound, rates with babble behind it, and the cost."""
    labelled, origin = material.labelled
    confusion, found = _confusion(subject, labelled)
    on = f"{origin}, {sum(one.until_s for one in labelled):.0f} s"
    figures = [*_rates("", confusion, on)]
    onsets = [d for one, told in zip(labelled, found, strict=True) for d in onset_delays_s(one.speech, told)]
    pauses = [d for one, told in zip(labelled, found, strict=True) for d in pause_delays_s(one.speech, told)]
    ends = [d for one, told in zip(labelled, found, strict=True) for d in end_delays_s(one.speech, told)]
    figures += delays("onset known after", [1000 * delay for delay in onsets], origin)
    figures += delays("pause known after", [1000 * delay for delay in pauses], origin)
    figures += delays("end known after", [1000 * delay for delay in ends], origin)
    noises, noise_origin = material.noises
    babble = next(noise for noise in noises if noise.name == "babble")
    noisy = [
        Labelled(mixed(one.samples, babble.samples, BABBLE_DB), one.speech, one.until_s) for one in labelled
    ]
    confusion, _ = _confusion(subject, noisy)
    behind = f"{on}, {noise_origin} babble at {BABBLE_DB:g} dB"
    return [*figures, *_rates(" in babble", confusion, behind), *cost(subject, labelled)]


def _rates(where: str, confusion: Confusion, on: str) -> Iterator[Figure]:
    yield percent(f"speech missed{where}", confusion.miss_rate, on)
    yield percent(f"false alarms{where}", confusion.false_alarm_rate, on)
    yield Figure(f"F1{where}", confusion.f1, "", on)


def _confusion(subject: Subject, labelled: Sequence[Labelled]) -> tuple[Confusion, list[list[Found]]]:
    confusion = Confusion()
    found = []
    for one in labelled:
        cues = of_sound(type(subject.build()), one.samples, TAIL_S)
        told = speech_found(play(subject.build(), cues), seconds(one.samples) + TAIL_S)
        steps = round(one.until_s / STEP_S)
        confusion.add(mask(one.speech, steps), mask((one.span for one in told), steps))
        found.append(told)
    return confusion, found


def speech_found(run: Run, end_s: float) -> list[Found]:
    """What a detector told, as stretches of speech; one that never ended ends with the sound."""
    found: list[Found] = []
    started: Output | None = None
    paused_s: float | None = None
    for output in run.outputs:
        match output.message:
            case SpeechStarted():
                started = started or output
            case SpeechPaused():
                paused_s = output.audio_s
            case SpeechEnded(time_s=ended_s) if started:
                assert isinstance(started.message, SpeechStarted)
                span = Span(started.message.time_s, ended_s)
                found.append(Found(span, started.audio_s, output.audio_s, paused_s))
                started = paused_s = None
    if started:
        assert isinstance(started.message, SpeechStarted)
        found.append(Found(Span(started.message.time_s, end_s), started.audio_s, end_s))
    return found


def cost(subject: Subject, labelled: Sequence[Labelled]) -> list[Figure]:
    """Processor time for a frame."""
    node = subject.build()
    cues = of_sound(type(node), np.concatenate([one.samples for one in labelled]), 0.0)
    used_s = own_cpu_s(play(node, cues, tail_s=0), node, cues)
    return [
        Figure("processor time for a frame", 1000 * used_s / len(cues), "ms", f"{len(cues)} frames"),
        Figure("real-time factor", used_s / (len(cues) * FRAME_S), "x", f"{len(cues) * FRAME / 16000:.0f} s"),
    ]
