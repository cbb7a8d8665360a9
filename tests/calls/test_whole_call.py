"""Whole calls on the virtual clock: the real turn-taking, clause cutter and playout, stand-ins for models."""

import random
from itertools import pairwise

import pytest

from extensions.text.clause import ClauseCutter
from extensions.turn.silence import SilenceTurn
from tests.calls.stand_ins import EchoLlm, LevelVad, NumberingStt, ScriptedCaller, ToneTts
from voice_agent.message import Heard
from voice_agent.session import Session
from voice_agent.testing import Wiring, run

LINES = [
    ("caller", "pcm_frame", "vad"),
    ("caller", "pcm_frame", "turn"),
    ("caller", "call_started", "llm"),
    ("caller", "heard", "turn"),
    ("caller", "heard", "llm"),
    ("vad", "speech_started", "turn"),
    ("vad", "speech_ended", "turn"),
    ("vad", "speech_ended", "stt"),
    ("stt", "asr_result", "turn"),
    ("turn", "turn_ended", "llm"),
    ("llm", "text", "clause"),
    ("clause", "clause", "tts"),
    ("tts", "pcm_frame", "caller"),
]
DECISION_S = 0.12
"""A voice is known as one after 80 ms; another frame or two until the interrupt is audible."""


def call(*stretches: tuple[float, float], length_s: float = 10.0) -> tuple[ScriptedCaller, EchoLlm]:
    caller, llm = ScriptedCaller(stretches, length_s), EchoLlm()
    extensions = {
        "caller": caller,
        "vad": LevelVad(),
        "stt": NumberingStt(),
        "turn": SilenceTurn(),
        "llm": llm,
        "clause": ClauseCutter(),
        "tts": ToneTts(),
    }

    async def main() -> None:
        session = Session(Wiring(extensions, LINES))
        await session.start()
        await session.run()

    run(main())
    return caller, llm


def finals(caller: ScriptedCaller) -> dict[int, Heard]:
    return {heard.reply: heard for heard in caller.heard if heard.final}


def test_a_question_is_answered_within_a_second() -> None:
    caller, llm = call((3.0, 4.0))
    first = next(time_s for time_s, turn, audible in caller.ear if audible and turn == 2)
    assert [turn.text for turn in llm.asked] == ["utterance 1"]
    # 350 ms of silence, the first clause of four words at 50 ms, 80 ms for its voice
    assert first - 4.0 == pytest.approx(0.35 + 0.2 + 0.08, abs=0.06)


def test_the_caller_interrupts_and_is_answered_on_what_was_said_last() -> None:
    caller, llm = call((3.0, 4.0), (5.0, 6.0))
    assert [turn.text for turn in llm.asked] == ["utterance 1", "utterance 2"]
    heard = finals(caller)
    assert heard[2].interrupted
    assert 0 < len(heard[2].text) < len(heard[3].text)
    assert not any(audible for time_s, _, audible in caller.ear if 5.0 + DECISION_S < time_s < 6.4)


def test_the_greeting_can_be_interrupted() -> None:
    caller, llm = call((0.5, 1.5))
    assert finals(caller)[1].interrupted
    assert [turn.turn for turn in llm.asked] == [2]


def test_the_history_is_told_exactly_what_was_played() -> None:
    caller, llm = call((3.0, 4.0), (5.0, 6.0), (7.2, 8.0), length_s=14)
    assert llm.heard == [heard for heard in caller.heard if heard.final]


def test_a_microphone_that_sends_silence_is_greeted_and_left_in_peace() -> None:
    caller, llm = call(length_s=60)
    assert llm.asked == []
    assert [(heard.reply, heard.interrupted) for heard in caller.heard if heard.final] == [(1, False)]


def test_ten_minutes_without_a_pause_are_one_turn() -> None:
    caller, llm = call((3.0, 603.0), length_s=610)
    assert [turn.text for turn in llm.asked] == ["utterance 1"]
    assert not finals(caller)[2].interrupted


@pytest.mark.parametrize("seed", range(40))
def test_random_conversations_keep_the_floor_in_order(seed: int) -> None:
    """Whenever the caller speaks, the agent falls silent and stays so; replies never overlap or go back."""
    rng = random.Random(seed)
    stretches, now = [], 0.5
    for _ in range(8):
        start = now + rng.uniform(0.05, 3.0)
        now = start + rng.uniform(0.15, 2.0)
        stretches.append((start, now))
    caller, llm = call(*stretches, length_s=now + 6)

    for start, end in stretches:
        over = [t for t, _, audible in caller.ear if audible and start + DECISION_S < t < end]
        assert not over, f"agent voice over the caller's, {start:.2f}-{end:.2f}: {over[:3]}"
    turns = [turn for _, turn, audible in caller.ear if audible and turn is not None]
    assert all(before <= after for before, after in pairwise(turns)), "an older reply after a newer one"
    heard = [item.reply for item in caller.heard if item.final]
    assert len(heard) == len(set(heard)), "each reply ends once"
    last = finals(caller)[max(heard)]
    assert not last.interrupted, "the last answer is heard to its end"
    assert f"answer{last.reply}" in last.text
    merged = sum(after[0] - before[1] < 0.12 for before, after in pairwise(stretches))
    asked = " ".join(turn.text for turn in llm.asked)
    assert f"utterance {len(stretches) - merged}" in asked, "the last words were answered"
