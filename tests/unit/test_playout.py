"""Playout: what is played, what counts as heard, and what an interruption leaves."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent import spoken
from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.media.aside import SOFT
from voice_agent.media.playout import FADE, Playout
from voice_agent.message import Heard, Samples, Speech, Word
from voice_agent.testing import tone


def sound(seconds: float, value: int = 1000) -> Samples:
    return np.full(round(seconds * SAMPLE_RATE), value, np.int16)


def play(playout: Playout, seconds: float) -> tuple[Samples, list[Heard]]:
    """Pull for a while: all samples, all events."""
    pulled = [playout.pull() for _ in range(round(seconds * SAMPLE_RATE / FRAME))]
    return np.concatenate(pulled), playout.progress()


def texts(events: Sequence[Heard]) -> list[str]:
    return [event.text for event in events]


TWO_WORDS = (Word("Hello", 0.0, 0.4), Word("world", 0.4, 1.0))


def test_silence_without_speech() -> None:
    playout = Playout()
    samples, events = play(playout, 0.1)
    assert not samples.any() and samples.dtype == np.int16
    assert events == [] and playout.playing is None and playout.pending_s == 0


def test_all_samples_are_played_once_and_in_order() -> None:
    playout = Playout()
    ramp = np.arange(1, 1001, dtype=np.int16)
    for piece in np.array_split(ramp, 7):
        playout.push(Speech(piece, turn=1))
    assert playout.pending_s == 1000 / SAMPLE_RATE
    samples, _ = play(playout, 0.08)
    assert samples[:1000].tolist() == ramp.tolist() and not samples[1000:].any()


def test_words_count_from_their_middle_on() -> None:
    playout = Playout()
    playout.push(Speech(sound(1.0), "Hello, world!", TWO_WORDS, final=True, turn=3))
    first = playout.pull()
    assert first.any() and playout.progress() == [Heard(3, "")]
    assert playout.playing == 3
    assert play(playout, 0.18)[1] == []  # 0.2 s: exactly half of "Hello"
    assert play(playout, 0.02)[1] == [Heard(3, "Hello,")]
    assert texts(play(playout, 0.5)[1]) == ["Hello, world!"]
    assert playout.playing == 3
    assert play(playout, 0.28)[1] == [Heard(3, "Hello, world!", final=True)]
    assert playout.playing is None


def test_word_times_may_come_with_a_later_stretch() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.5), "Hello, world!", TWO_WORDS[:1], turn=1))
    assert texts(play(playout, 0.5)[1]) == ["", "Hello,"]
    playout.push(Speech(sound(0.5), words=TWO_WORDS, final=True, turn=1))
    assert texts(play(playout, 0.5)[1])[-1] == "Hello, world!"


def test_clauses_are_joined_as_they_are_written() -> None:
    playout = Playout()
    for text in ("One.", "Two.", "三。", "四。"):
        playout.push(Speech(sound(0.04), text, turn=1))
    playout.push(Speech(sound(0), final=True, turn=1))
    events = play(playout, 0.2)[1]
    assert events[-1] == Heard(1, "One. Two. 三。四。", final=True)
    assert all(events[-1].text.startswith(text) for text in texts(events))


def test_without_word_times_the_whole_length_is_shared_out() -> None:
    playout = Playout()
    playout.push(Speech(sound(2.0), "aaaa bbbb cccc dddd", turn=1))
    playout.push(Speech(sound(0), final=True, turn=1))
    assert texts(play(playout, 1.0)[1])[-1] == "aaaa bbbb"
    assert texts(play(playout, 0.5)[1])[-1] == "aaaa bbbb cccc"


def test_while_more_may_come_a_guess_never_reaches_the_last_word() -> None:
    playout = Playout()
    playout.push(Speech(sound(5.0), "one two three", turn=1))
    assert texts(play(playout, 5.0)[1])[-1] == "one two"
    playout.push(Speech(sound(1.0), final=True, turn=1))
    assert play(playout, 1.0)[1][-1] == Heard(1, "one two three", final=True)


def test_chinese_goes_by_characters_and_slower() -> None:
    playout = Playout()
    playout.push(Speech(sound(4.0), "你好世界再见吧", turn=1))
    assert texts(play(playout, 0.5)[1])[-1] == "你好", "4.5 characters a second"


def test_starved_in_mid_reply_is_silence_and_not_an_end() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.02), "One.", turn=1))
    samples, events = play(playout, 0.5)
    assert not samples[FRAME:].any() and not any(event.final for event in events)
    assert playout.playing == 1
    playout.push(Speech(sound(0.02), "Two.", final=True, turn=1))
    assert play(playout, 0.02)[1][-1] == Heard(1, "One. Two.", final=True)


def test_the_end_may_be_known_late() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.02), "One.", turn=1))
    play(playout, 0.1)
    playout.push(Speech(sound(0), final=True, turn=1))
    assert play(playout, 0.02)[1] == [Heard(1, "One.", final=True)]


def test_a_reply_without_any_sound_ends_too() -> None:
    playout = Playout()
    playout.push(Speech(sound(0), final=True, turn=1))
    assert playout.playing is None
    assert play(playout, 0.02)[1] == [Heard(1, "", final=True)]


def test_replies_follow_each_other_without_a_gap() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.01, 100), "One.", final=True, turn=1))
    playout.push(Speech(sound(0.01, 200), "Two.", final=True, turn=2))
    samples, events = play(playout, 0.02)
    assert samples.tolist() == [100] * 160 + [200] * 160
    assert events == [
        Heard(1, ""),
        Heard(1, "One.", final=True),
        Heard(2, ""),
        Heard(2, "Two.", final=True),
    ]


def test_a_reply_given_up_ends_when_the_next_begins() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.04), "One", turn=1))
    playout.push(Speech(sound(0.04), "Two", turn=2))
    playout.push(Speech(sound(9), "late", turn=1))
    assert [(e.reply, e.text) for e in play(playout, 0.1)[1] if e.final] == [(1, "One")]
    assert playout.playing == 2 and playout.pending_s == 0


def test_a_cut_fades_and_keeps_the_word_that_was_mostly_played() -> None:
    for played_s, heard in ((0.66, "Hello,"), (0.72, "Hello, world!")):
        playout = Playout()
        playout.push(Speech(sound(1.0), "Hello, world!", TWO_WORDS, final=True, turn=1))
        play(playout, played_s)
        playout.cut()
        assert playout.progress() == [Heard(1, heard, final=True, interrupted=True)]
        assert playout.playing is None and playout.pending_s == 0
        after, _ = play(playout, 0.06)
        assert abs(int(after[0]) - 1000) < 50, "the fade begins where the voice was"
        assert np.abs(np.diff(after.astype(int))).max() < 50, "no step"
        assert not after[FADE:].any()


def test_a_cut_refuses_what_is_still_on_its_way() -> None:
    playout = Playout()
    playout.push(Speech(sound(1.0), "Hello", turn=4))
    play(playout, 0.1)
    playout.cut()
    playout.push(Speech(sound(1.0), turn=4))
    assert playout.pending_s == 0
    playout.push(Speech(sound(0.5), "New.", final=True, turn=5))
    assert play(playout, 0.5)[1][-1] == Heard(5, "New.", final=True)


def test_a_cut_before_the_first_sample_has_heard_nothing() -> None:
    playout = Playout()
    playout.push(Speech(sound(1.0), "Hello", turn=1))
    playout.cut()
    assert playout.progress() == [Heard(1, "", final=True, interrupted=True)]
    assert not playout.pull().any()


def test_a_cut_with_nothing_to_cut_is_nothing() -> None:
    playout = Playout()
    playout.cut()
    assert playout.progress() == [] and not playout.pull().any()


def test_words_that_are_not_in_the_clause_do_no_harm() -> None:
    playout = Playout()
    words = (Word("forty", 0, 0.1), Word("two", 0.1, 0.2), Word("apples", 0.2, 0.6))
    playout.push(Speech(sound(1.0), "42 apples left", words, final=True, turn=1))
    assert texts(play(playout, 0.5)[1]) == ["", "42 apples"]


CLAUSES = st.lists(
    st.sampled_from(["Hello, world!", "Yes.", "你好，世界。", "用 iPhone 打吗？", "", "1,000"])
)
STEP = st.tuples(st.sampled_from(["push", "pull", "pull", "cut"]), st.integers(0, 3000))


@given(CLAUSES, st.lists(STEP, max_size=60), st.booleans())
def test_whatever_comes_when(clauses: list[str], steps: list[tuple[str, int]], timed: bool) -> None:
    """Random stretches, pulls and cuts: for each reply one beginning, growth only, one end."""
    playout = Playout()
    waiting = list(clauses)
    said: dict[int, str] = {}
    events: list[Heard] = []
    pushed, turn, cuts = 0, 1, []
    pulled: list[Samples] = []
    for what, size in steps:
        if what == "push":
            text = waiting.pop(0) if waiting and size % 2 else ""
            words = spoken.spread_words(text, size / SAMPLE_RATE) if timed else ()
            playout.push(Speech(np.ones(size, np.int16), text, words, turn=turn))
            said[turn] = spoken.join(said.get(turn, ""), text)
            pushed += size
        elif what == "pull":
            pulled.append(playout.pull())
            events += playout.progress()
        else:
            cuts.append(turn)
            playout.cut()
            turn += 1
    playout.push(Speech(np.ones(5, np.int16), final=True, turn=turn))
    said.setdefault(turn, "")
    while playout.pending_s:
        pulled.append(playout.pull())
    events += playout.progress()

    assert sum(int(piece.sum()) for piece in pulled) <= pushed + 5
    for reply, text in said.items():
        own = [event for event in events if event.reply == reply]
        assert all(text.startswith(event.text) for event in own)
        assert all(later.text.startswith(before.text) for before, later in pairwise(own))
        assert [event.final for event in own] == [False] * (len(own) - 1) + [True]
        assert own[-1].interrupted == (reply in cuts)
        assert len(own) == 1 or own[0] == Heard(reply, "")
        if reply not in cuts:
            assert own[-1] == replace(own[-1], text=text)


def test_how_long_a_reply_has_been_played() -> None:
    playout = Playout()
    playout.push(Speech(tone(0.1), text="Hello there.", final=True, turn=1))
    assert playout.played_s == 0
    playout.pull()
    playout.pull()
    assert playout.played_s == pytest.approx(0.04)


# --- beside the replies ---


def test_an_aside_is_soft_and_nobody_is_told() -> None:
    playout = Playout()
    playout.aside(sound(0.05))
    assert not playout.idle and playout.playing is None
    samples, events = play(playout, 0.1)
    assert np.abs(samples).max() == round(1000 * SOFT) and np.count_nonzero(samples) == 0.05 * SAMPLE_RATE
    assert events == [] and playout.idle


def test_a_cut_does_not_end_it() -> None:
    playout = Playout()
    playout.aside(sound(0.1))
    playout.pull()
    playout.cut()
    assert np.count_nonzero(play(playout, 0.2)[0]) == 0.08 * SAMPLE_RATE


def test_a_reply_ends_it_without_a_click() -> None:
    playout = Playout()
    playout.aside(sound(0.5, 1000))
    playout.pull()
    playout.push(Speech(sound(0.1, 8), "Hello", final=True, turn=1))
    samples, events = play(playout, 0.2)
    assert np.abs(np.diff(samples[:FADE].astype(int))).max() < 10
    assert samples[FADE : FADE + 100].tolist() == [8] * 100
    assert texts(events)[-1] == "Hello"


def test_there_is_none_over_a_reply() -> None:
    playout = Playout()
    playout.push(Speech(sound(0.1, 8), "Hello", final=True, turn=1))
    playout.aside(sound(0.5, 1000))
    assert np.abs(play(playout, 0.6)[0]).max() == 8
