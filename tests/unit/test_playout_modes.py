"""Ducked and paused: how loud the voice is, where it goes on, and that no word is lost or counted twice."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent import spoken
from voice_agent.audio import FRAME, SAMPLE_RATE, level_db
from voice_agent.media.playout import DUCKED, FADE, RAMP, Playout
from voice_agent.message import Heard, PlaybackMode, Samples, Speech, Word
from voice_agent.testing import silence, tone

WORDS = (Word("One", 0.1, 0.4), Word("two", 0.4, 0.7), Word("three", 0.8, 1.0))
"""A breath before the first word, another before the last."""


def ticks(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / FRAME)


def play(playout: Playout, seconds: float) -> Samples:
    return np.concatenate([playout.pull() for _ in range(ticks(seconds))] or [np.zeros(0, np.int16)])


def a_reply(turn: int = 1) -> Speech:
    return Speech(tone(1.0, hz=300), "One two three", WORDS, final=True, turn=turn)


def playing(seconds: float) -> Playout:
    """In the middle of a reply."""
    playout = Playout()
    playout.push(a_reply())
    play(playout, seconds)
    return playout


def largest_step(samples: Samples, before: int = 0) -> int:
    return int(np.abs(np.diff(samples.astype(np.int32), prepend=before)).max())


OWN_STEP = largest_step(tone(1.0, hz=300))


def test_ducked_is_15_db_down_within_30_ms_and_full_as_before() -> None:
    playout = playing(0.2)
    playout.set_mode("ducked")
    down = play(playout, 0.2)
    assert level_db(down[RAMP:]) == pytest.approx(-35, abs=0.1)
    first_at_12_db = np.abs(down[: RAMP * 2]).reshape(-1, 40)  # a period and a bit
    peaks = first_at_12_db.max(axis=1) / np.abs(tone(0.1, hz=300)).max()
    assert np.flatnonzero(peaks < 0.25)[0] * 40 / SAMPLE_RATE < 0.035
    playout.set_mode("full")
    up = play(playout, 0.1)
    assert level_db(up[RAMP:]) == pytest.approx(-20, abs=0.1)
    assert largest_step(np.concatenate((down, up)), int(tone(0.2, hz=300)[-1])) <= OWN_STEP * 1.01


def test_ducked_words_have_been_heard() -> None:
    playout = playing(0.0)
    playout.set_mode("ducked")
    play(playout, 1.0)
    assert playout.progress()[-1] == Heard(1, "One two three", final=True)


def test_a_reply_that_begins_ducked_is_ducked_from_its_first_sample() -> None:
    playout = Playout()
    playout.set_mode("ducked")
    playout.push(a_reply())
    assert level_db(play(playout, 0.04)) == pytest.approx(-35, abs=0.1)


def test_a_pause_is_silence_after_a_fade_and_consumes_nothing() -> None:
    playout = playing(0.2)
    last = int(tone(0.2, hz=300)[-1])
    pending_s = playout.pending_s
    playout.progress()
    playout.set_mode("paused")
    paused = play(playout, 3.0)
    assert not paused[FADE:].any() and largest_step(paused, last) <= OWN_STEP * 1.01
    assert (playout.pending_s, playout.progress(), playout.playing) == (pending_s, [], 1)


@pytest.mark.parametrize(
    ("paused_s", "resumed_s"),
    [
        (0.06, 0.06),  # nothing of a word yet
        (0.26, 0.1),
        (0.4, 0.4),  # just between two
        (0.6, 0.4),
        (0.76, 0.76),  # in a breath
        (0.9, 0.8),
        (0.98, 0.98),  # of the word only a last sound was missing
    ],
)
def test_after_a_pause_it_goes_on_with_the_word_that_was_cut(paused_s: float, resumed_s: float) -> None:
    playout = playing(paused_s)
    before = [heard.text for heard in playout.progress()]
    playout.set_mode("paused")
    play(playout, 1.0)
    playout.set_mode("full")
    voice = tone(1.0, hz=300)
    start = round(resumed_s * SAMPLE_RATE)
    resumed = play(playout, 1.2)[: len(voice) - start]
    assert np.array_equal(resumed[FADE:], voice[start + FADE :]), "after a fade of 5 ms it is the voice"
    texts = before + [heard.text for heard in playout.progress()]
    assert texts == ["", "One", "One two", "One two three", "One two three"][-len(texts) :]
    assert texts.count("One two") == 1, "a word counts once"


def test_word_times_that_come_during_the_pause_are_used() -> None:
    playout = Playout()
    playout.push(Speech(tone(0.6, hz=300), "One two three", WORDS[:1], turn=1))
    play(playout, 0.6)
    playout.set_mode("paused")
    playout.push(Speech(tone(0.4, hz=300), words=WORDS, final=True, turn=1))
    assert playout.pending_s == pytest.approx(0.4)
    playout.set_mode("full")
    assert playout.pending_s == pytest.approx(0.6)


def test_a_pause_goes_on_ducked_too() -> None:
    playout = playing(0.26)
    playout.set_mode("paused")
    play(playout, 0.1)
    playout.set_mode("ducked")
    assert level_db(play(playout, 0.2)[FADE:]) == pytest.approx(-35, abs=0.1)


def test_what_has_not_begun_is_held_back() -> None:
    playout = Playout()
    playout.set_mode("paused")
    playout.push(a_reply())
    assert not play(playout, 2.0).any() and playout.progress() == [] and playout.playing is None
    playout.set_mode("full")
    assert np.array_equal(play(playout, 1.0), a_reply().samples)


def test_a_short_reply_is_not_over_because_it_was_paused_at_its_end() -> None:
    playout = playing(0.98)
    playout.set_mode("paused")
    playout.push(a_reply(2))
    assert not play(playout, 1.0)[FADE:].any()
    assert not [heard for heard in playout.progress() if heard.final]
    playout.set_mode("full")
    play(playout, 1.3)
    assert [(heard.reply, heard.text) for heard in playout.progress() if heard.final] == [
        (1, "One two three"),
        (2, "One two three"),
    ]


@pytest.mark.parametrize("mode", ["ducked", "paused"])
def test_a_cut_ends_it_and_the_next_reply_is_played_in_full(mode: PlaybackMode) -> None:
    playout = playing(0.3)
    playout.set_mode(mode)
    play(playout, 0.3)
    playout.cut()
    assert playout.mode == "full"
    heard = "One" if mode == "paused" else "One two"
    assert playout.progress()[-1] == Heard(1, heard, final=True, interrupted=True)
    assert not play(playout, 0.1)[FADE:].any()
    playout.push(a_reply(2))
    assert np.array_equal(play(playout, 1.0), a_reply().samples)


def test_changed_back_at_once_it_does_not_click() -> None:
    for order in (["paused", "full"], ["paused", "ducked", "full"], ["paused", "full", "paused"]):
        playout = playing(0.26)
        for mode in order:
            playout.set_mode(mode)  # type: ignore[arg-type]
        after = play(playout, 0.1)
        assert largest_step(after, int(tone(0.26, hz=300)[-1])) <= OWN_STEP * 2, "at most two voices at once"


def test_of_a_paused_reply_the_log_knows_when_each_word_was_heard() -> None:
    playout = playing(0.3)
    playout.set_mode("paused")
    playout.set_mode("full")
    assert playout.log.length_ms(1) is None
    play(playout, 1.0)
    assert playout.log.length_ms(1) == 1000
    assert playout.log.truncate(1, 600).text == "One two"


STEP = st.tuples(
    st.sampled_from(["push", "push", "pull", "pull", "pull", "full", "ducked", "paused", "cut"]),
    st.integers(1, 2500),
)
TEXTS = ["Hello, world!", "Yes.", "你好，世界。", "one two three four", ""]


@given(st.lists(STEP, max_size=80), st.booleans(), st.booleans())
def test_whatever_comes_when_no_sound_is_lost_and_no_word_is_told_twice(
    steps: list[tuple[str, int]], timed: bool, ducks: bool
) -> None:
    """Samples count up from 1, so that each tells which it is where it is played in full."""
    playout, turn, last, pauses = Playout(), 1, 0, 0
    said: dict[int, str] = {1: ""}
    sent: dict[int, set[int]] = {1: set()}
    events: list[Heard] = []
    cut: set[int] = set()
    in_full: set[int] = set()

    def pull() -> None:
        frame = playout.pull()
        events.extend(playout.progress())
        assert playout.mode != "paused" or not frame[FADE:].any()
        in_full.update(frame.tolist())

    for what, size in steps:
        if what == "push":
            text = TEXTS[size % len(TEXTS)]
            first, last = last + 1, min(last + size % 700 + 1, 30_000)
            samples = np.arange(first, last + 1).astype(np.int16)
            words = spoken.spread_words(text, len(samples) / SAMPLE_RATE) if timed else ()
            playout.push(Speech(samples, text, words, turn=turn))
            said[turn] = spoken.join(said[turn], text)
            sent[turn].update(range(first, last + 1))
        elif what == "pull":
            pull()
        elif what == "cut":
            playout.cut()
            cut.add(turn)
            turn += 1
            said[turn], sent[turn] = "", set()
        elif ducks or what != "ducked":
            pauses += playout.mode == "paused" != what
            playout.set_mode(what)  # type: ignore[arg-type]
    pauses += playout.mode == "paused"
    playout.set_mode("full")
    playout.push(Speech(silence(0), final=True, turn=turn))
    while playout.pending_s:
        pull()
    pull()

    for reply, text in said.items():
        own = [event for event in events if event.reply == reply]
        assert all(later.text.startswith(before.text) for before, later in pairwise(own))
        assert len(set(own)) == len(own), "nothing is told twice"
        assert [event.final for event in own] == [False] * (len(own) - 1) + [True] * bool(own)
        if reply not in cut:
            assert own[-1] == Heard(reply, text, final=True)
            assert ducks or len(sent[reply] - in_full) <= FADE * pauses, "but where it was faded"


MODE = st.sampled_from(["full", "ducked", "paused"])
GAIN = {"full": 1.0, "ducked": DUCKED, "paused": 0.0}


@given(st.lists(st.tuples(MODE, st.integers(1, 12)), min_size=1, max_size=20))
def test_it_is_the_voice_with_a_gain_that_moves_smoothly(changes: list[tuple[PlaybackMode, int]]) -> None:
    """After each change, at least a frame; `place` follows by the rule which sample is the next."""
    voice = tone(1.0, hz=300)
    playout = Playout()
    playout.push(a_reply())
    place, steady, heard = 0, 0, []
    for mode, count in changes:
        if playout.mode == "paused" != mode:
            cut = [word for word in WORDS if word.start_s < place / SAMPLE_RATE < word.end_s]
            place = round(cut[0].start_s * SAMPLE_RATE) if cut else place
        steady = steady if playout.mode == mode else 0
        playout.set_mode(mode)
        for _ in range(count):
            frame = playout.pull()
            heard.append(frame)
            steady += 1
            if steady > 2:
                expected = voice[place : place + FRAME] * GAIN[mode]
                assert np.abs(frame[: len(expected)] - expected).max(initial=0) <= 1
                assert not frame[len(expected) :].any()
            place = place if mode == "paused" else min(place + FRAME, len(voice))
    assert largest_step(np.concatenate(heard)) <= OWN_STEP * 1.01
