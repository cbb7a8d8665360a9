"""What is told of the agent's channel, on sounds whose answers are known."""

import numpy as np
import pytest

from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import Samples
from voice_agent.testing import silence, tone
from voice_agent.turn_eval.channel import Ear, at, begun, shift, stretches
from voice_agent.turn_eval.stand_ins import spoken_tones

REPLY, WORDS = spoken_tones(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
)


def louder(samples: Samples, db: float) -> Samples:
    out: Samples = np.rint(samples * 10 ** (db / 20)).astype(np.int16)
    return out


def joined(*pieces: Samples) -> Samples:
    return np.concatenate(pieces)


def split(at_s: float) -> tuple[Samples, Samples]:
    """The reply before and after a moment."""
    place = round(at_s * SAMPLE_RATE)
    return REPLY[:place], REPLY[place:]


def test_a_stretch_goes_on_over_the_gaps_between_words_but_not_over_longer_ones() -> None:
    sound = joined(silence(0.5), tone(0.4), silence(0.2), tone(0.4), silence(0.4), tone(0.3))
    spans = stretches(sound)
    assert [span.start_s for span in spans] == pytest.approx([0.5, 1.9], abs=0.002)
    assert [span.end_s for span in spans] == pytest.approx([1.5, 2.2], abs=0.002)
    assert at(spans, 1.0) == spans[0]
    assert at(spans, 1.7) is None
    assert begun(spans, 0.6, 2.0) == [spans[1]]


def test_nothing_audible_is_no_stretch() -> None:
    assert stretches(tone(1.0, level_db=-60)) == []


def test_down_is_told_from_the_last_loud_sample() -> None:
    voice = tone(3.0)
    ear = Ear(joined(voice[:32_000], louder(voice[32_000:40_000], -15), voice[40_000:]))
    assert ear.down_after(1.9, 1.98, 2.4) == pytest.approx(0.1, abs=0.006)


def test_a_voice_that_is_a_little_softer_is_not_down() -> None:
    voice = tone(3.0)
    ear = Ear(joined(voice[:32_000], louder(voice[32_000:], -9)))
    assert ear.down_after(1.9, 1.98, 2.9) is None


def test_the_gap_before_a_word_is_not_taken_for_being_down() -> None:
    voice = joined(tone(1.0), silence(0.1), tone(0.3), louder(tone(1.0), -15))
    assert Ear(voice).down_after(1.0, 1.35, 2.0) == pytest.approx(0.4, abs=0.006)


def test_who_is_between_words_when_it_is_decided_is_down_from_then_on() -> None:
    voice = joined(tone(1.0), silence(0.15), louder(tone(1.0), -15))
    assert Ear(voice).down_after(0.95, 1.1, 1.8) == pytest.approx(0.15, abs=0.006)


def test_nothing_is_lost_of_a_voice_that_is_turned_down_and_up() -> None:
    first, rest = split(1.2)
    middle, last = rest[:8000], rest[8000:]
    found = shift(joined(first, louder(middle, -15), last), REPLY, 1.0, 2.0)
    assert found is not None
    assert found.seconds == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("pause_s", [0.15, 0.8])
def test_a_pause_of_any_length_is_neither_lost_nor_repeated(pause_s: float) -> None:
    first, rest = split(1.2)
    found = shift(joined(first, silence(pause_s), rest), REPLY, 1.0, 1.6 + pause_s)
    assert found is not None
    assert found.seconds == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("moved_s", [0.45, -0.5])
def test_what_is_said_twice_or_not_at_all_is_told(moved_s: float) -> None:
    first, _ = split(1.1)
    _, rest = split(1.1 - moved_s)
    found = shift(joined(first, silence(0.4), rest), REPLY, 1.0, 2.0)
    assert found is not None
    assert found.at_s == pytest.approx(1.1, abs=0.03)
    # what sounds of it: the gaps between words are silence
    start, end = sorted((1.1, 1.1 - moved_s))
    sounding = sum(max(0.0, min(w.end_s - 0.03, end) - max(w.start_s, start)) for w in WORDS)
    assert found.seconds == pytest.approx(sounding if moved_s > 0 else -sounding, abs=0.02)


def test_a_voice_that_is_not_that_reply_has_no_place_in_it() -> None:
    noise = np.random.default_rng(1).integers(-3000, 3000, 48_000).astype(np.int16)
    assert shift(noise, REPLY, 1.0, 2.0) is None
