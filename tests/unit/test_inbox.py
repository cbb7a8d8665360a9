"""A node's queue: live sound is dropped and never late, replies wait, stale turns are refused."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.audio import FRAME
from voice_agent.inbox import CONTROL_LIMIT, Inbox
from voice_agent.message import AudioFrame, Message, SpeechEnded, Text
from voice_agent.testing import run

SOUND = np.zeros(FRAME, np.int16)
LIMITS = st.integers(1, 6)


def live(kind: str, number: int) -> AudioFrame | SpeechEnded:
    """The number-th message, recognisable by its time."""
    return AudioFrame(SOUND, number) if kind == "audio" else SpeechEnded(number)


def numbers(messages: Sequence[Message], kind: type[Message]) -> list[float]:
    return [m.time_s for m in messages if isinstance(m, kind) and isinstance(m, AudioFrame | SpeechEnded)]


@given(LIMITS, st.lists(st.sampled_from(["audio", "control", "read"])))
def test_live_sound_is_dropped_and_counted_and_nothing_else(limit: int, steps: list[str]) -> None:
    async def main() -> None:
        inbox, put, got = Inbox(live_limit=limit), [], []
        for number, step in enumerate(steps):
            if step != "read":
                put.append(live(step, number))
                await inbox.put(put[-1])
            elif inbox.live.items:
                got.append(await inbox.live.get())
            assert len(numbers(list(inbox.live.items), AudioFrame)) <= limit
        while inbox.live.items:
            got.append(await inbox.live.get())
        assert numbers(got, SpeechEnded) == numbers(put, SpeechEnded)
        sound = numbers(got, AudioFrame)
        assert len(sound) + inbox.dropped == len(numbers(put, AudioFrame))
        times = [m.time_s for m in got if isinstance(m, AudioFrame | SpeechEnded)]
        assert times == sorted(times), "the order was kept"

    run(main())


@given(LIMITS, st.lists(st.sampled_from(["audio", "control"])))
def test_the_oldest_sound_goes_first(limit: int, kinds: list[str]) -> None:
    async def main() -> None:
        inbox = Inbox(live_limit=limit)
        for number, kind in enumerate(kinds):
            await inbox.put(live(kind, number))
        sound = [number for number, kind in enumerate(kinds) if kind == "audio"]
        room = max(0, limit - kinds.count("control"))
        assert numbers(list(inbox.live.items), AudioFrame) == sound[len(sound) - min(room, len(sound)) :]

    run(main())


def test_a_node_that_reads_no_more_is_told_apart_from_a_slow_one() -> None:
    async def main() -> None:
        inbox = Inbox()
        for number in range(CONTROL_LIMIT):
            await inbox.put(SpeechEnded(number))
        await inbox.put(AudioFrame(SOUND, 0))
        assert inbox.dropped == 1, "sound is no reason to fail"
        with pytest.raises(OverflowError, match=f"{CONTROL_LIMIT} messages"):
            await inbox.put(SpeechEnded(0))

    run(main())


def reply(sender: int, turn: int, number: int) -> Text:
    return Text(f"{sender}:{number}", turn=turn)


@given(LIMITS, st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_replies_wait_for_room_and_none_is_lost(limit: int, counts: list[int]) -> None:
    async def main() -> None:
        inbox = Inbox(reply_limit=limit)

        async def send(sender: int, count: int) -> None:
            for number in range(count):
                await inbox.put(reply(sender, 1, number))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for sender, count in enumerate(counts):
                group.create_task(send(sender, count))
            got: list[Message] = []
            while len(got) < sum(counts):
                await asyncio.sleep(0.1)
                assert len(inbox.reply.items) <= limit
                got.append(await inbox.get_reply())
        texts = [message.text for message in got if isinstance(message, Text)]
        for sender, count in enumerate(counts):
            own = [text for text in texts if text.startswith(f"{sender}:")]
            assert own == [f"{sender}:{number}" for number in range(count)]
        assert inbox.stale == 0

    run(main())


@given(LIMITS, st.integers(1, 30), st.lists(st.sampled_from(["read", "discard", "breathe"]), max_size=60))
def test_after_a_discard_no_stale_reply_comes_and_no_sender_waits(
    limit: int, per_turn: int, steps: list[str]
) -> None:
    """One sender goes through turns 1 to 4, another reads and discards at random."""

    async def main() -> None:
        inbox, sent, got, refused = Inbox(reply_limit=limit), [], [], 0

        async def send() -> None:
            for number in range(4 * per_turn):
                message = reply(0, 1 + number // per_turn, number)
                await inbox.put(message)
                sent.append(message)

        sender = asyncio.create_task(send())
        for step in steps:
            if step == "discard" and refused < 3:
                refused += 1
                inbox.discard(refused)
                assert all((message.turn or 0) > refused for message in inbox.reply.items)
            elif step == "read" and inbox.reply.items:
                got.append(await inbox.get_reply())
                assert (got[-1].turn or 0) > refused
            else:
                await asyncio.sleep(0)
        async with asyncio.timeout(1):
            while len(got) + inbox.stale < 4 * per_turn:
                await asyncio.sleep(0)
                if inbox.reply.items:
                    got.append(await inbox.get_reply())
            await sender
        kept = [m for m in sent if (m.turn or 0) > refused]
        assert [m for m in got if (m.turn or 0) > refused] == kept, "what is still wanted was not lost"
        assert len(got) + inbox.stale == len(sent)

    run(main())


def test_a_discard_wakes_the_senders_that_wait() -> None:
    async def main() -> None:
        inbox = Inbox(reply_limit=1)
        await inbox.put(Text("fills it", turn=1))
        waiting = [asyncio.create_task(inbox.put(Text("waits", turn=1))) for _ in range(3)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting)
        inbox.discard(1)
        async with asyncio.timeout(1):
            await asyncio.gather(*waiting)
        assert not inbox.reply.items
        assert inbox.stale == 4

    run(main())


def test_a_refused_turn_stays_refused_whatever_is_discarded_later() -> None:
    async def main() -> None:
        inbox = Inbox()
        inbox.discard(5)
        inbox.discard(3)
        await inbox.put(Text("old", turn=5))
        await inbox.put(Text("new", turn=6))
        assert [message.turn for message in inbox.reply.items] == [6]

    run(main())


def test_what_the_caller_does_never_waits_behind_a_reply() -> None:
    async def main() -> None:
        inbox = Inbox(reply_limit=1)
        await inbox.put(Text("fills it", turn=1))
        blocked = asyncio.create_task(inbox.put(Text("waits", turn=1)))
        async with asyncio.timeout(1):
            await inbox.put(SpeechEnded(7))
            assert await inbox.live.get() == SpeechEnded(7)
        inbox.discard(1)
        await blocked

    run(main())
