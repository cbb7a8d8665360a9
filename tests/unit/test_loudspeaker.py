"""The loudspeaker of a simulated caller: what comes back, when, and how loud."""

import argparse

import numpy as np
import pytest

from voice_agent import audio
from voice_agent.audio import FRAME
from voice_agent.calls.loudspeaker import Echo, Loudspeaker
from voice_agent.commands.option_types import echo
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

HUSH = silence(0.02)


def frame(value: int) -> Samples:
    return np.full(FRAME, value, np.int16)


def test_the_agents_voice_comes_back_later_and_quieter() -> None:
    loudspeaker = Loudspeaker(Echo(delay_ms=60, level_db=-20))
    heard = []
    for number in range(8):
        loudspeaker.play(frame(1000 * (number + 1)))
        heard.append(int(loudspeaker.add_to(HUSH)[0]))
    assert heard == [0, 0, 0, 100, 200, 300, 400, 500]


def test_frames_that_come_in_bursts_are_played_evenly_and_the_delay_begins_anew_after_a_pause() -> None:
    loudspeaker = Loudspeaker(Echo(delay_ms=40, level_db=0))
    for value in (1, 2, 3):
        loudspeaker.play(frame(value))
    assert [loudspeaker.add_to(HUSH)[0] for _ in range(6)] == [0, 0, 1, 2, 3, 0]
    loudspeaker.play(frame(4))
    assert [loudspeaker.add_to(HUSH)[0] for _ in range(4)] == [0, 0, 4, 0]


def test_the_caller_is_heard_with_it_and_both_together_do_not_wrap_around() -> None:
    loudspeaker = Loudspeaker(Echo(delay_ms=20, level_db=0))
    loudspeaker.play(frame(30_000))
    voice = tone(0.02, level_db=-20)
    assert np.array_equal(loudspeaker.add_to(voice), voice)
    assert loudspeaker.add_to(frame(30_000))[0] == 32767
    assert audio.level_db(loudspeaker.add_to(HUSH)) == audio.SILENCE_DB


@pytest.mark.parametrize("value", ["120", "120,-12,3", "10,-12", "120,3", "120,nan", "a,b", ""])
def test_an_echo_that_cannot_be_is_told_in_words(value: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected ms from 20 to 2000 and dB from -60 to 0"):
        echo(value)


def test_an_echo_is_read() -> None:
    assert echo("120,-12") == (120.0, -12.0)
