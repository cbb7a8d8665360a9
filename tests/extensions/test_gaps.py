"""A gap of the network in the middle of a sentence is not taken for its end: from packets, through the
receive path and a real VAD, to the turn."""

import numpy as np
import pytest

from extensions.turn.silence import SilenceTurn
from extensions.vad.silero import SileroVad
from tests.extensions._voices import in_a_room, say
from voice_agent import audio
from voice_agent.media.opus import OpusEncoder
from voice_agent.media.receive import ReceivePath
from voice_agent.media.slots import Frame
from voice_agent.message import AudioFrame, Samples, SpeechEnded, SpeechPaused, Transcript, TurnEnded
from voice_agent.testing import attach, run, silence, tone

BEFORE_S, AFTER_S = 0.6, 1.0
LONG_TEXT = (
    "I would like to know where my order is and when it will arrive at my house in the city because the lamp "
    "that I bought for my mother is still not here and her birthday is on the third of next month"
)
TEXT = "I would like to know where my order is and when it will arrive at my house in the city"


def received(arrivals: list[tuple[int, float]], packets: list[bytes]) -> list[Frame]:
    """What comes out of the receive path, polled every 20 ms."""
    path, frames, tick_s = ReceivePath(), [], 0.007
    for index, now in arrivals:
        while tick_s < now:
            frames += path.poll(tick_s)
            tick_s += audio.FRAME_S
        frames += path.push(index, index * 960, packets[index], now)
    return frames


async def turns(frames: list[Frame]) -> list[TurnEnded]:
    """The turns that end, with a recogniser that answers at once."""
    vad, turn = SileroVad(), SilenceTurn()
    heard, out = attach(vad), attach(turn)
    vad.prepare()
    await vad.start()
    await turn.start()
    for samples, slot, gap in frames:
        frame = AudioFrame(samples, slot * audio.FRAME_S, gap=gap)
        await vad.handle(frame, heard)
        for _, message in heard:
            if isinstance(message, SpeechPaused):
                continue
            await turn.handle(message, out)
            if isinstance(message, SpeechEnded):
                await turn.handle(Transcript("words", final=True, end_s=message.time_s), out)
        heard.clear()
        await turn.handle(frame, out)
    return out.of(TurnEnded)


def packets_of(sound: Samples) -> list[bytes]:
    encoder = OpusEncoder()
    return [encoder.encode(frame) for frame in audio.frames(sound)]


def through_a_gap(packets: list[bytes], begins_s: float, gap_s: float, delayed: bool) -> list[Frame]:
    """What is received of them if there is a gap that delays them or loses them."""
    arrivals = []
    for index in range(len(packets)):
        sent_s = index * audio.FRAME_S
        inside = begins_s <= sent_s < begins_s + gap_s
        if not inside or delayed:
            arrivals.append((index, begins_s + gap_s if inside else sent_s))
    arrivals.sort(key=lambda arrival: (arrival[1], arrival[0]))
    return received(arrivals, packets)


@pytest.mark.parametrize("delayed", [True, False], ids=["delayed", "lost"])
@pytest.mark.parametrize("gap_s", [0.08, 0.3, 1.0, 2.5, 4.5])
def test_a_gap_in_a_sentence_does_not_end_the_turn(gap_s: float, delayed: bool) -> None:
    speech = say(TEXT if gap_s < 3 else LONG_TEXT)
    packets = packets_of(in_a_room(np.concatenate((silence(BEFORE_S), speech, silence(AFTER_S)))))
    begins_s, end_s = BEFORE_S + 1.0, BEFORE_S + len(speech) / audio.SAMPLE_RATE
    assert begins_s + gap_s < end_s - 0.3, "the gap lies within the sentence"
    frames = through_a_gap(packets, begins_s, gap_s, delayed)
    assert {frame.slot for frame in frames} == set(range(len(packets)))
    ended = run(turns(frames))
    assert len(ended) == 1
    assert ended[0].ended_s == pytest.approx(end_s, abs=0.25)


@pytest.mark.parametrize("gap_s", [1.0, 4.5, 14.0])
def test_a_gap_that_begins_in_a_short_pause_does_not_end_the_turn(gap_s: float) -> None:
    """The caller takes a breath of 0.2 s, and the line goes down in it: what was said meanwhile is lost, but
    the sentence has not ended."""
    first, last = say(TEXT), say("it is a lamp")
    pause_s, spoken_s = 0.2, len(first) / audio.SAMPLE_RATE
    sound = (silence(BEFORE_S), first, silence(pause_s + gap_s), last, silence(AFTER_S))
    packets = packets_of(in_a_room(np.concatenate(sound)))
    ended = run(turns(through_a_gap(packets, BEFORE_S + spoken_s + pause_s, gap_s, delayed=False)))
    assert len(ended) == 1
    end_s = BEFORE_S + spoken_s + pause_s + gap_s + len(last) / audio.SAMPLE_RATE
    assert ended[0].ended_s == pytest.approx(end_s, abs=0.3)


def test_a_pause_that_the_sender_announced_is_believed_no_longer_than_it_is_repeated() -> None:
    """With DTX nothing comes while the caller is silent, but for a packet every 0.4 s; nor after the line has
    gone down."""
    path, pause = ReceivePath(), b"\xf8\xff\xfe"[:2]
    voice = packets_of(tone(0.2))
    frames = [
        frame
        for index, packet in enumerate(voice)
        for frame in path.push(index, index * 960, packet, index / 50)
    ]
    frames += path.push(10, 9600, pause, 0.2)
    frames += [frame for tick in range(20) for frame in path.poll(0.22 + tick / 50)]
    frames += path.push(11, 9600 + 19200, pause, 0.6)
    assert not any(frame.gap for frame in frames)
    frames = [frame for tick in range(100) for frame in path.poll(0.62 + tick / 50)]
    assert [frame.gap for frame in frames[:15]] == [False] * 15
    assert all(frame.gap for frame in frames[25:])
