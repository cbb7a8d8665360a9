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
from voice_agent.message import AudioFrame, SpeechEnded, SpeechStarted, Transcript, TurnEnded
from voice_agent.testing import attach, run, silence

BEFORE_S, AFTER_S = 0.6, 1.0
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
            assert isinstance(message, SpeechStarted | SpeechEnded)
            await turn.handle(message, out)
            if isinstance(message, SpeechEnded):
                await turn.handle(Transcript("words", final=True, end_s=message.time_s), out)
        heard.clear()
        await turn.handle(frame, out)
    return out.of(TurnEnded)


@pytest.mark.parametrize("delayed", [True, False], ids=["delayed", "lost"])
@pytest.mark.parametrize("gap_s", [0.08, 0.3, 1.0, 2.5])
def test_a_gap_in_a_sentence_does_not_end_the_turn(gap_s: float, delayed: bool) -> None:
    speech = say(TEXT)
    sound = in_a_room(np.concatenate((silence(BEFORE_S), speech, silence(AFTER_S))))
    encoder = OpusEncoder()
    packets = [encoder.encode(frame) for frame in audio.frames(sound)]
    begins_s, end_s = BEFORE_S + 1.0, BEFORE_S + len(speech) / audio.SAMPLE_RATE
    assert begins_s + gap_s < end_s - 0.3, "the gap lies within the sentence"
    arrivals = []
    for index in range(len(packets)):
        sent_s = index * audio.FRAME_S
        inside = begins_s <= sent_s < begins_s + gap_s
        if not inside or delayed:
            arrivals.append((index, begins_s + gap_s if inside else sent_s))
    arrivals.sort(key=lambda arrival: (arrival[1], arrival[0]))
    frames = received(arrivals, packets)
    assert {frame.slot for frame in frames} == set(range(len(packets)))
    ended = run(turns(frames))
    assert len(ended) == 1
    assert ended[0].ended_s == pytest.approx(end_s, abs=0.25)
