"""How the agent's voice is played, and what waits until a turn is confirmed: on the virtual clock."""

import asyncio
import json
from typing import Any

import numpy as np

from tests.extensions._line import Line, a_line
from voice_agent import audio
from voice_agent.message import (
    Clause,
    Heard,
    Playback,
    Route,
    Speech,
    SpeechEnded,
    Transcript,
    TurnEnded,
    Word,
)
from voice_agent.testing import run, tone

WORDS = (Word("One", 0, 1), Word("two", 1, 2), Word("three", 2, 3), Word("four", 3, 4))


def a_reply(turn: int) -> Speech:
    """Four words of a second each."""
    return Speech(tone(4.0, hz=300), "One two three four", WORDS, final=True, turn=turn)


async def speak(line: Line, seconds: float) -> None:
    """The agent is speaking the greeting."""
    await line.pass_time(0.2)
    await line.client.handle(a_reply(1), line.out)
    await line.pass_time(seconds)


def level_db(line: Line, seconds: float) -> float:
    """Of what was played last."""
    return audio.level_db(np.concatenate(line.played[-round(seconds * 50) :]))


def of_the_reply(line: Line) -> list[tuple[str, dict[str, Any]]]:
    return [
        (event["type"], event)
        for event in line.peer.events
        if event["type"].startswith(("response", "output"))
    ]


def test_ducked_paused_and_back_is_played_and_told() -> None:
    async def main() -> None:
        async with a_line() as line:
            await speak(line, 1.5)
            await line.client.handle(Playback("ducked"), line.out)
            await line.pass_time(0.2)
            assert -36 < level_db(line, 0.1) < -34
            await line.client.handle(Playback("ducked"), line.out)
            await line.client.handle(Playback("paused"), line.out)
            await line.pass_time(2.0)
            assert level_db(line, 1.9) == audio.SILENCE_DB
            await line.client.handle(Playback("full"), line.out)
            await line.pass_time(3.2)
            told = [event["mode"] for event in line.peer.of("voice_agent.playback")]
            assert told == ["ducked", "paused", "full"], "changes only"
            assert line.out.of(Heard)[-1] == Heard(1, "One two three four", final=True)
            texts = [heard.text for heard in line.out.of(Heard)]
            assert texts == sorted(texts, key=len), "words count once"
            heard_s = sum(bool(np.abs(frame).max() > 300) for frame in line.played) * audio.FRAME_S
            assert abs(heard_s - 4.7) < 0.05, "the 0.7 s of the cut word that had been played came again"

    run(main())


def test_a_backchannel_is_heard_and_is_no_reply() -> None:
    async def main() -> None:
        async with a_line() as line:
            await speak(line, 4.2)
            events, heard = of_the_reply(line), len(line.out.of(Heard))
            await line.client.handle(Clause("Uh-huh.", final=True), line.out)
            await line.client.handle(Speech(tone(0.4, hz=300), "Uh-huh.", final=True), line.out)
            await line.pass_time(0.1)
            line.client.flush()
            await line.pass_time(0.2)
            assert -27 < level_db(line, 0.1) < -25, "6 dB below a reply, and not cut"
            await line.pass_time(0.5)
            assert level_db(line, 0.3) == audio.SILENCE_DB
            assert (of_the_reply(line), len(line.out.of(Heard))) == (events, heard)
            assert [event["text"] for event in line.peer.of("voice_agent.backchannel")] == ["Uh-huh."]

    run(main())


def test_an_interruption_ends_a_pause_and_the_page_is_told() -> None:
    async def main() -> None:
        async with a_line() as line:
            await speak(line, 1.7)
            await line.client.handle(Playback("paused"), line.out)
            await line.pass_time(0.5)
            line.client.flush()
            assert [event["mode"] for event in line.peer.of("voice_agent.playback")] == ["paused", "full"]
            assert line.peer.of("conversation.item.truncated")[0]["audio_end_ms"] == 1700
            await line.client.handle(a_reply(2), line.out)
            await line.pass_time(0.5)
            assert -20.5 < level_db(line, 0.5) < -19.5

    run(main())


def test_of_a_tentative_turn_nothing_is_heard_or_told_before_it_is_confirmed() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1.0)
            turn = line.session.begin_turn(tentative=True)
            before = len(of_the_reply(line))
            messages = (
                TurnEnded("where is it", ended_s=0.9, turn=turn),
                Route("fast", "first choice", turn=turn),
                Clause("One two three four", final=True, turn=turn),
                a_reply(turn),
            )

            async def lane() -> None:  # as the session's: one after the other
                for message in messages:
                    await line.client.handle(message, line.out)

            waiting = asyncio.create_task(lane())
            await line.pass_time(0.5)
            assert len(of_the_reply(line)) == before
            assert not [heard for heard in line.out.of(Heard) if heard.reply == turn]
            assert level_db(line, 0.5) == audio.SILENCE_DB
            line.session.confirm(turn)
            await waiting
            await line.pass_time(0.1)
            assert level_db(line, 0.04) > -21
            types = [type_ for type_, _ in of_the_reply(line)[before:]]
            assert types[0] == "response.created" and "output_audio_buffer.started" in types

    run(main())


def test_what_worked_before_the_confirmation_is_beside_the_stages() -> None:
    async def main() -> None:
        async with a_line() as line:
            await line.pass_time(1.0)
            turn = line.session.begin_turn(tentative=True)
            await line.client.handle(SpeechEnded(0.9), line.out)
            tentative_s = asyncio.get_running_loop().time()
            worked = {"turn": 0.0, "router": 0.01, "fast": 0.15, "tts": 0.4}
            line.session.timings = lambda turn: {  # type: ignore[method-assign]
                node: tentative_s + after_s for node, after_s in worked.items()
            }
            ended = asyncio.create_task(
                line.client.handle(TurnEnded("where is it", ended_s=0.9, turn=turn), line.out)
            )
            await line.pass_time(0.06)
            await line.client.handle(Transcript("where is it", final=True, end_s=0.9), line.out)
            await line.pass_time(0.24)
            line.session.confirm(turn)
            await ended
            confirmed_s = asyncio.get_running_loop().time()
            await line.pass_time(0.1)
            await line.client.handle(a_reply(turn), line.out)
            await line.pass_time(0.02)
            told = line.peer.of("voice_agent.latency")[-1]
            stages = {stage["name"]: stage["ms"] for stage in told["stages"]}
            overlapped = {stage["name"]: stage["ms"] for stage in told["overlapped"]}
            assert list(stages) == ["turn", "tts", line.client.node]
            assert abs(sum(stages.values()) - told["voice_to_voice_ms"]) < 0.5
            assert stages["tts"] == round((tentative_s + 0.4 - confirmed_s) * 1000, 1)
            assert overlapped == {"stt": 60.0, "router": 10.0, "fast": 140.0}

    run(main())


def test_a_client_that_played_less_corrects_the_history() -> None:
    async def main() -> None:
        async with a_line() as line:
            line.client._conversation.replies.begin(1)
            await speak(line, 2.9)
            line.client.flush()
            await line.pass_time(0.02)
            assert line.out.of(Heard)[-1] == Heard(1, "One two three", final=True, interrupted=True)
            item_id = line.peer.of("conversation.item.truncated")[-1]["item_id"]
            event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
            line.client._command(json.dumps({**event, "audio_end_ms": 1600}))
            await line.pass_time(0.02)
            assert line.peer.of("conversation.item.truncated")[-1]["audio_end_ms"] == 1600
            assert line.out.of(Heard)[-1] == Heard(1, "One two", final=True, interrupted=True)
            assert line.peer.of("voice_agent.heard")[-1]["text"] == "One two"

    run(main())
