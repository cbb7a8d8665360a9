"""A caller whose line goes down, and the agent that waits: on the virtual clock, packet by packet."""

import asyncio

import numpy as np

from extensions.client.webrtc import AWAY_S
from tests.extensions._line import TICKS, a_line
from voice_agent.message import AudioFrame, Heard, PlayedFrame, Speech
from voice_agent.testing import run, tone


def test_the_agent_stops_where_it_is_and_goes_on_when_the_caller_is_back() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(0.2)
            speech = tone(6, hz=300)
            await line.client.handle(Speech(speech, text="One. Two. Three.", final=True, turn=1), line.out)
            await line.pass_time(1.0)
            await line.pass_time(8.0, up=False)
            assert line.states == ["waiting"]
            frozen = line.client._playout.played_s
            assert AWAY_S + 1 - 0.1 < frozen <= AWAY_S + 1 + 0.1, "what was sent before it was noticed"
            told = len(line.out.of(Heard))
            await line.pass_time(0.1)
            assert line.states == ["waiting", "connected"]
            await line.pass_time(4.0)
            assert len(line.out.of(Heard)) > told
            assert line.out.of(Heard)[-1].final
            loud = [frame for frame in line.played if np.abs(frame).max() > 1000]
            assert np.array_equal(np.concatenate(loud), speech), "nothing was left out, nothing said twice"
            assert line.session.closed_because == ""

    run(main())


def test_shorter_gaps_are_not_told() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1)
            for _ in range(3):
                await line.pass_time(AWAY_S - 0.1, up=False)
                await line.pass_time(0.1)
            assert line.states == []

    run(main())


def test_all_that_is_handed_on_meanwhile_is_told_to_be_a_gap() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1)
            await line.pass_time(10, up=False)
            await line.pass_time(1)
            frames = line.out.of(AudioFrame)
            assert [round(frame.time_s * TICKS) for frame in frames] == list(range(len(frames)))
            assert len(frames) > 11.9 * TICKS
            gaps = [frame.time_s for frame in frames if frame.gap]
            assert gaps[0] < 1.1 and gaps[-1] > 10.9 and len(gaps) > 9.9 * TICKS

    run(main())


def test_the_beat_may_rest_while_packets_come_and_the_agent_is_silent() -> None:
    async def main() -> None:
        async with a_line() as line:
            line.client.connected = frozenset({"pcm_frame"})
            await line.pass_time(1)
            assert line.client._idle()
            await line.pass_time(0.1, up=False)
            assert not line.client._idle(), "a gap must be filled in time"
            await line.pass_time(1)
            assert line.client._idle()
            await line.client.handle(Speech(tone(0.5), text="One.", final=True, turn=1), line.out)
            assert not line.client._idle()
            await line.pass_time(1)
            assert line.client._idle()
            line.client.connected = frozenset({"pcm_frame", "played_frame"})
            assert not line.client._idle(), "an echo canceller counts frames"

    run(main())


def test_the_beat_is_woken_before_the_agent_speaks_and_when_a_packet_is_missing() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1)
            assert line.peer.woken_with == []
            client = line.client
            line.peer.on_wake = lambda: line.peer.woken_with.append(client._playout.pending_s)
            await client.handle(Speech(tone(0.5), text="One.", final=True, turn=1), line.out)
            assert line.peer.woken_with == [0.0], "the beats it has missed do not play what comes after them"
            line.skip_packet()
            await line.pass_time(0.02)
            assert len(line.peer.woken_with) == 2

    run(main())


def test_after_the_grace_the_call_ends_and_says_why() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1)
            await line.pass_time(14.9, up=False)
            assert line.session.closed_because == ""
            await line.pass_time(0.2, up=False)
            assert line.session.closed_because == "the caller was away for 15 s"

    run(main())


def test_who_was_away_has_the_whole_grace_again() -> None:
    async def main() -> None:
        async with a_line() as line:
            for _ in range(3):
                await line.pass_time(14, up=False)
                await line.pass_time(0.5)
            assert line.session.closed_because == ""
            assert line.states == ["waiting", "connected"] * 3

    run(main())


def test_what_is_played_is_told_frame_by_frame_also_while_the_caller_is_away() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.client.handle(Speech(tone(4, hz=300), text="One.", final=True, turn=1), line.out)
            await line.pass_time(3.0)
            await line.pass_time(3.0, up=False)
            await line.pass_time(2.0)
            told = line.out.of(PlayedFrame)
            assert all(frame.turn is None for frame in told)
            assert [round(frame.time_s * TICKS) for frame in told] == list(range(len(told)))
            assert len(told) >= 8 * TICKS - 2
            played = np.concatenate(line.played[-len(told) :])
            assert np.array_equal(np.concatenate([frame.samples for frame in told]), played)

    run(main())


def test_after_a_stall_what_is_played_is_numbered_by_the_clock() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1.0)
            await asyncio.sleep(1.0)
            await line.pass_time(1.0)
            last = line.out.of(PlayedFrame)[-1]
            assert 2.7 < last.time_s < 3.0

    run(main())


def test_what_is_played_is_told_only_where_somebody_listens() -> None:
    async def main() -> None:
        async with a_line() as line:
            line.client.connected = frozenset({"pcm_frame"})
            await line.pass_time(1.0)
            assert not line.out.of(PlayedFrame)

    run(main())
