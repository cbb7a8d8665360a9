"""denoise.echo: an agent in a room with its caller, on files; and the reference it cancels with."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks import sounds
from extensions.denoise._reference import LATE_ECHO, NEAR_ECHO, DelayMeter, Reference
from extensions.vad.silero import SileroVad
from voice_agent import audio, graph, registry
from voice_agent.audio import FRAME, FRAME_S
from voice_agent.errors import MissingExtra
from voice_agent.extension import Extension
from voice_agent.message import AudioFrame, Message, PlayedFrame, Samples, SpeechStarted
from voice_agent.testing import collect, frames_of, run, silence, tone

ROOM = sounds.synthetic_room()
TALK_S = 24.0


def canceller(**properties: bool) -> Extension:
    try:
        return registry.find("denoise.echo")(**properties)
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def agent() -> Samples:
    pytest.importorskip("espeakng_loader")
    return run(sounds.agent_voice(TALK_S))


def microphone(agent: Samples, delay_ms: float, level_db: float = -12.0) -> Samples:
    return sounds.mix(sounds.in_room(agent, ROOM, delay_ms, level_db), sounds.white(len(agent), -70.0))


def frames(heard: Samples, played: Samples) -> list[Message]:
    pairs = zip(audio.frames(heard), audio.frames(played), strict=True)
    messages: list[Message] = []
    for number, (mine, theirs) in enumerate(pairs):
        messages += [PlayedFrame(theirs, number * FRAME_S), AudioFrame(mine, number * FRAME_S)]
    return messages


def cancel(messages: Sequence[Message], **properties: bool) -> list[AudioFrame]:
    return run(collect(canceller(**properties), *messages)).of(AudioFrame)


def joined(out: Sequence[AudioFrame]) -> Samples:
    return np.concatenate([frame.samples for frame in out])


def starts(sound: Samples) -> int:
    return len(run(collect(SileroVad(), *frames_of(sound))).of(SpeechStarted))


def loss_db(heard: Samples, out: Samples, since_s: float) -> float:
    since = round(since_s * audio.SAMPLE_RATE)
    return audio.level_db(heard[since:]) - audio.level_db(out[since:])


@pytest.mark.parametrize("delay_ms", [20, 120, 300])
@pytest.mark.parametrize("guard", [True, False])
def test_after_two_seconds_the_agents_own_voice_is_gone(agent: Samples, delay_ms: int, guard: bool) -> None:
    heard = microphone(agent, delay_ms)
    assert loss_db(heard, joined(cancel(frames(heard, agent), guard=guard)), 2.0) > 25


@pytest.mark.parametrize("delay_ms", [500, 800])
def test_a_late_echo_is_found_and_brought_near(agent: Samples, delay_ms: int) -> None:
    heard = microphone(agent, delay_ms)
    assert loss_db(heard, joined(cancel(frames(heard, agent))), 12.0) > 25


def test_the_agent_does_not_interrupt_itself(agent: Samples) -> None:
    heard = microphone(agent, 120)
    assert starts(heard) > 3
    assert starts(joined(cancel(frames(heard, agent)))) == 0


def test_a_caller_who_speaks_over_the_agent_is_heard(agent: Samples) -> None:
    caller = np.zeros_like(agent)
    voice = run(sounds.say("Stop, I have another question.", "en-gb-x-rp"))
    begins = [8.3, 12.7, 17.1]
    for begin_s in begins:
        caller[round(begin_s * audio.SAMPLE_RATE) :][: len(voice)] = voice
    out = cancel(frames(sounds.mix(microphone(agent, 120), caller), agent))
    found = run(collect(SileroVad(), *out)).of(SpeechStarted)
    for begin_s in begins:
        assert any(0 <= start.time_s - begin_s + 0.1 < 0.6 for start in found)


def test_a_caller_is_passed_on_as_he_is_while_the_agent_is_silent() -> None:
    voice = tone(2.0, level_db=-30)
    out = joined(cancel(frames(voice, silence(2.0))))
    assert abs(audio.level_db(out[audio.SAMPLE_RATE :]) + 30) < 1


def test_gain_control_brings_a_far_caller_nearer() -> None:
    far = sounds.mix(np.tile(run(sounds.say("where is my order", "en-us")) // 16, 8))
    far = far[: len(far) // FRAME * FRAME]
    quiet = np.zeros_like(far)
    levels = [
        audio.level_db(joined(cancel(frames(far, quiet), auto_gain=gain))[-len(far) // 2 :])
        for gain in (False, True)
    ]
    assert levels[1] > levels[0] + 6


def test_late_sound_passes_only_where_the_agent_was_silent() -> None:
    hush = frames(tone(2.0), silence(2.0))
    late = AudioFrame(tone(FRAME_S, hz=999), 1.0)
    assert cancel([*hush, late])[-1] is late
    talk = frames(tone(2.0), tone(2.0, hz=300))
    assert len(cancel([*talk, late])) == 100


def test_every_frame_keeps_its_time_and_its_mark() -> None:
    sent = [AudioFrame(tone(FRAME_S), i * FRAME_S, gap=i % 3 == 0) for i in (0, 1, 2, 7, 8, 400)]
    assert [(f.time_s, f.gap) for f in cancel(sent)] == [(f.time_s, f.gap) for f in sent]


# --- the reference --------------------------------------------------------------------------------


def numbered(number: int) -> Samples:
    return np.full(FRAME, number, np.int16)


def test_the_reference_goes_by_the_stamps_and_not_by_the_order_of_arrival() -> None:
    reference = Reference()
    for number in range(10):
        reference.push(numbered(number), number * FRAME_S)
    assert [reference.take(number, numbered(0))[0] for number in range(3, 8)] == [3, 4, 5, 6, 7]


def test_a_microphone_that_is_ahead_waits_once_and_then_keeps_step() -> None:
    reference = Reference()
    for number in range(10):
        reference.push(numbered(number), number * FRAME_S)
    assert reference.take(12, numbered(0))[0] == 9
    for number in range(10, 20):
        reference.push(numbered(number), number * FRAME_S)
        assert reference.take(number + 3, numbered(0))[0] == number
    assert reference.lag == 3


def test_what_was_not_told_is_silence_and_memory_stays_small() -> None:
    reference = Reference()
    assert not reference.take(5, numbered(1)).any() and reference.lag == 0
    for number in range(5000):
        reference.push(numbered(1), number * FRAME_S)
    assert len(reference._played) <= 150
    assert not reference.take(100, numbered(0)).any()
    assert not reference.take(9000, numbered(0)).any() and reference.lag == 0


@pytest.mark.parametrize("delay", [0, 3, 17, 40])
def test_the_delay_is_measured_by_the_levels(agent: Samples, delay: int) -> None:
    meter = DelayMeter()
    sound = list(audio.frames(agent))
    for number, frame in enumerate(sound):
        meter.push(frame, sound[number - delay] // 4 if number >= delay else numbered(0))
    assert meter.frames is not None and abs(meter.frames - delay) <= 1


def test_two_voices_that_have_nothing_to_do_with_each_other_have_no_delay(agent: Samples) -> None:
    meter = DelayMeter()
    other = np.resize(run(sounds.say("one two three, hello, what a day it is", "en-gb-x-rp")), len(agent))
    found = set()
    for mine, theirs in zip(audio.frames(agent), audio.frames(other), strict=True):
        meter.push(mine, theirs)
        found.add(meter.frames)
    assert found == {None}


def test_a_late_echo_moves_the_reference(agent: Samples) -> None:
    reference = Reference()
    sound = list(audio.frames(agent))
    late = LATE_ECHO + 10
    for number, frame in enumerate(sound):
        reference.push(frame, number * FRAME_S)
        reference.take(number, sound[number - late] if number >= late else numbered(0))
    assert abs(late - reference.lag - NEAR_ECHO) <= 1


def test_the_kiosks_graph_wires_what_was_played_to_the_canceller() -> None:
    canceller()
    edges = graph.load("kiosk").edges
    assert ("client", "played_frame", "echo") in edges
    assert {edge.dest for edge in edges if edge.source == "client" and edge.port == "pcm_frame"} == {"echo"}
