"""What is sent, and when nothing is: pauses, copies, short packets, and a beat that does not drift."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from voice_agent import audio
from voice_agent.media import red
from voice_agent.media.opus import DTX_BYTES, OpusDecoder
from voice_agent.media.pacer import LATE_S, Pacer
from voice_agent.media.send import REFRESH_S, Outgoing, PayloadTypes, SendPath
from voice_agent.message import Samples
from voice_agent.testing import run, silence, tone

SECOND = 50


def path(sound: Samples, packet_ms: int = 20, dtx: bool = False) -> SendPath:
    frames: Iterator[Samples] = audio.frames(sound)
    sending = SendPath(lambda: next(frames), packet_ms, dtx)
    sending.types = PayloadTypes(opus=111, red=63)
    return sending


def test_a_voice_is_sent_packet_by_packet() -> None:
    sending = path(tone(1.0))
    packets = [sending.next() for _ in range(SECOND)]
    assert [packet and packet.timestamp for packet in packets] == [960 * number for number in range(SECOND)]
    assert {packet and (packet.payload_type, packet.marker) for packet in packets} == {(111, False)}


def test_in_silence_there_is_only_a_sign_of_life() -> None:
    sending = path(np.concatenate((tone(0.5), silence(4.0), tone(0.5))), dtx=True)
    packets = [sending.next() for _ in range(5 * SECOND)]
    in_silence = [packet for packet in packets[SECOND : 4 * SECOND] if packet]
    assert len(in_silence) == pytest.approx(3 / REFRESH_S, abs=1)
    assert all(len(packet.payload) <= 10 for packet in in_silence)
    voice = packets[-SECOND // 2 :]
    assert all(voice) and voice[0] is not None and voice[0].marker, "marks the first packet after the pause"
    assert [packet.marker for packet in voice[1:] if packet] == [False] * (SECOND // 2 - 1)
    assert voice[0].timestamp == 960 * round(4.5 * SECOND), "time goes on in the pause"


def test_the_pause_is_announced_before_it_begins() -> None:
    sending = path(np.concatenate((tone(0.5), silence(1.0))), dtx=True)
    packets = [sending.next() for _ in range(SECOND)]
    last = next(packet for packet in reversed(packets[: packets.index(None)]) if packet)
    assert len(last.payload) <= DTX_BYTES


def test_without_dtx_silence_is_sent_too() -> None:
    sending = path(silence(1.0))
    assert all(sending.next() for _ in range(SECOND))


def test_short_packets_carry_the_same_sound() -> None:
    sound = tone(0.4)
    sending = path(sound, packet_ms=10)
    packets = [sending.next() for _ in range(40)]
    assert [packet and packet.timestamp for packet in packets] == [480 * number for number in range(40)]
    decoder = OpusDecoder()
    decoded = np.concatenate([decoder.decode(packet.payload) for packet in packets if packet])
    assert len(decoded) == len(sound)
    assert abs(audio.level_db(decoded[1600:]) - audio.level_db(sound)) < 1


def test_copies_are_those_of_the_packet_before() -> None:
    plain, copied = path(tone(0.2)), path(tone(0.2))
    copied.redundant = True
    originals = [plain.next() for _ in range(10)]
    packets = [copied.next() for _ in range(10)]
    assert packets[0] == originals[0], "there is nothing to copy yet"
    for before, original, packet in zip(originals, originals[1:], packets[1:], strict=False):
        assert packet and original and before and packet.payload_type == 63
        old, own = red.parse(packet.payload)
        assert (old.offset, old.payload) == (960, before.payload)
        assert (own.payload_type, own.payload) == (111, original.payload)


def test_no_copies_for_who_does_not_take_them() -> None:
    sending = path(tone(0.2))
    sending.redundant, sending.types = True, PayloadTypes(opus=96, red=None)
    packets: list[Outgoing | None] = [sending.next() for _ in range(10)]
    assert {packet and packet.payload_type for packet in packets} == {96}


# --- the beat ---


def beats(act: Callable[[list[float], Pacer], None], until_s: float) -> tuple[list[float], Pacer]:
    """The times of the beats of 20 ms up to a moment."""

    async def main() -> tuple[list[float], Pacer]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        def beat() -> None:
            times.append(loop.time())
            act(times, pacer)

        pacer = Pacer(beat, 0.02)
        pacer.start()
        pacer.start()
        await asyncio.sleep(until_s)
        pacer.stop()
        return times, pacer

    return run(main())


def test_the_beat_is_counted_from_its_start() -> None:
    times, pacer = beats(lambda times, pacer: None, 1.0)
    assert times == pytest.approx([0.02 * number for number in range(len(times))])
    assert 49 <= len(times) <= 51 and pacer.late == 0


def stall(seconds: float) -> Callable[[list[float], Pacer], None]:
    """The tenth beat's action blocks the loop; the virtual clock jumps."""

    def act(times: list[float], _: Pacer) -> None:
        if len(times) == 10:
            asyncio.get_running_loop()._jumping.now += seconds  # type: ignore[attr-defined]

    return act


def test_what_a_short_stall_has_missed_is_made_up() -> None:
    times, pacer = beats(stall(0.1), 1.0)
    assert len(times) == pytest.approx(50, abs=1)
    assert 3 <= pacer.late <= 5
    assert times[-1] == pytest.approx(0.02 * (len(times) - 1))


def test_after_a_long_stall_the_beat_starts_anew_without_a_burst() -> None:
    times, _ = beats(stall(LATE_S + 0.5), 2.0)
    steps = np.diff(times)
    assert (steps > 0.6).sum() == 1 and (steps < 0.019).sum() == 0


def test_a_beat_may_stop_itself() -> None:
    times, _ = beats(lambda times, pacer: pacer.stop() if len(times) == 3 else None, 1.0)
    assert len(times) == 3


def test_a_rest_is_made_up_for_beat_by_beat() -> None:
    times, pacer = resting_beats(1.0, wake_s=None)
    assert len(times) == pytest.approx(50, abs=1) and pacer.late == 0
    moments = sorted(set(np.round(times, 3)))
    assert moments == pytest.approx([0.0] + [0.1 * number for number in range(1, len(moments))])


def test_whoever_is_woken_has_missed_nothing_and_goes_on_in_time() -> None:
    times, pacer = resting_beats(0.5, wake_s=0.25)
    assert times[:13] == pytest.approx([0.0] + [0.1] * 5 + [0.2] * 5 + [0.25] * 2)
    assert times[13:] == pytest.approx([0.26] + [0.36] * 5 + [0.46] * 5)
    assert pacer.late == 0


def resting_beats(until_s: float, wake_s: float | None) -> tuple[list[float], Pacer]:
    """The times of beats that may rest for four, and are woken once."""

    async def main() -> tuple[list[float], Pacer]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        pacer = Pacer(lambda: times.append(loop.time()), 0.02, lambda: 4)
        pacer.start()
        if wake_s is not None:
            loop.call_later(wake_s, pacer.wake)
        await asyncio.sleep(until_s)
        pacer.stop()
        return times, pacer

    return run(main())


def test_in_a_pause_it_is_known_how_long_there_is_nothing_to_send() -> None:
    sending = SendPath(lambda: np.zeros(audio.FRAME, np.int16), dtx=True)
    rests = []
    for _ in range(200):
        rests.append(sending.rest)
        sending.next()
    silent = [sending.rest]
    while sending.next() is None:
        silent.append(sending.rest)
    assert rests[0] == 0, "nothing has announced a pause"
    assert silent == list(range(silent[0], -1, -1)), "it counts down to the sign of life"
