"""When a voice begins, pauses and ends, on made-up probabilities."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from extensions.vad._hysteresis import SURE, Event, Hysteresis, windows_in
from voice_agent.message import SpeechEnded, SpeechPaused, SpeechStarted

STEP_S = 0.032
PROBABILITIES = st.lists(st.floats(0, 1), max_size=200)
COUNTS = st.integers(1, 5)


def judge(
    probabilities: list[float],
    start: int = 2,
    end: int = 3,
    gaps: frozenset[int] = frozenset(),
    pause: int = 1,
    onset_s: float = 0.0,
) -> list[tuple[int, Event]]:
    """The events, each with the index of the window that made it known."""
    hysteresis = Hysteresis(0.5, 0.35, start, min(pause, end), end, onset_s)
    return [
        (index, event)
        for index, probability in enumerate(probabilities)
        for event in hysteresis.push(probability, index * STEP_S, (index + 1) * STEP_S, index in gaps)
    ]


def without_pauses(events: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
    return [(index, event) for index, event in events if not isinstance(event, SpeechPaused)]


@given(PROBABILITIES, COUNTS, COUNTS, st.floats(0, 0.2))
def test_starts_and_ends_alternate_and_time_goes_on(
    probabilities: list[float], start: int, end: int, onset_s: float
) -> None:
    events = judge(probabilities, start, end, onset_s=onset_s)
    kinds = [type(event) for _, event in without_pauses(events)]
    assert kinds == [SpeechStarted, SpeechEnded] * (len(kinds) // 2) + [SpeechStarted] * (len(kinds) % 2)
    times = [event.time_s for _, event in events]
    assert times == sorted(times)
    for index, event in events:
        assert event.time_s <= (index + 1) * STEP_S


@given(PROBABILITIES, COUNTS, COUNTS)
def test_what_a_start_and_an_end_are_made_of(probabilities: list[float], start: int, end: int) -> None:
    for index, event in without_pauses(judge(probabilities, start, end)):
        if isinstance(event, SpeechStarted):
            voiced = probabilities[index - start + 1 : index + 1]
            assert voiced[0] >= 0.5 and min(voiced) >= 0.35
            assert event.time_s == (index - start + 1) * STEP_S
            assert min(voiced) <= event.confidence + 1e-9 and event.confidence <= max(voiced) + 1e-9
        else:
            assert max(probabilities[index - end + 1 : index + 1]) < 0.35
            assert event.time_s == (index - end + 1) * STEP_S


@given(PROBABILITIES, COUNTS, COUNTS, COUNTS)
def test_a_pause_is_told_in_speech_at_its_first_silence(
    probabilities: list[float], start: int, end: int, pause: int
) -> None:
    speaking = False
    for index, event in judge(probabilities, start, end, pause=pause):
        if isinstance(event, SpeechPaused):
            silent = probabilities[index - min(pause, end) + 1 : index + 1]
            assert speaking and max(silent) < 0.35
        else:
            speaking = isinstance(event, SpeechStarted)


@given(PROBABILITIES, COUNTS, COUNTS)
def test_between_two_pauses_a_voice_was_surely_heard(
    probabilities: list[float], start: int, end: int
) -> None:
    pauses = [index for index, event in judge(probabilities, start, end) if isinstance(event, SpeechPaused)]
    for one, other in pairwise(pauses):
        assert max(probabilities[one + 1 : other]) >= 0.5


@given(PROBABILITIES, COUNTS, COUNTS, COUNTS)
def test_every_end_comes_after_a_pause_since_which_no_voice_was_surely_heard(
    probabilities: list[float], start: int, end: int, pause: int
) -> None:
    paused: int | None = None
    for index, event in judge(probabilities, start, end, pause=pause):
        if isinstance(event, SpeechPaused):
            paused = index
        elif isinstance(event, SpeechEnded):
            assert paused is not None
            assert max(probabilities[paused + 1 : index + 1], default=0.0) < 0.5
            paused = None


@given(PROBABILITIES, st.lists(st.floats(0, 1), min_size=200, max_size=200))
def test_glances_bring_pauses_sooner_and_change_nothing_else(
    probabilities: list[float], glances: list[float]
) -> None:
    """A glance before each window, where there may be a pause."""
    hysteresis = Hysteresis(0.5, 0.35, 2, 1, 3)
    events: list[tuple[int, Event]] = []
    for index, probability in enumerate(probabilities):
        if hysteresis.may_pause:
            assert hysteresis.speaking and probabilities[index - 1] < SURE
            paused = hysteresis.glance(glances[index])
            assert (paused is not None) == (glances[index] < 0.35)
            events += [(index, paused)] if paused else []
            assert paused is None or not hysteresis.may_pause
        events += [
            (index, event) for event in hysteresis.push(probability, index * STEP_S, (index + 1) * STEP_S)
        ]
    plain = judge(probabilities)
    assert without_pauses(events) == without_pauses(plain)
    seen = [index for index, event in events if isinstance(event, SpeechPaused)]
    for end_index, event in plain:
        if isinstance(event, SpeechPaused):
            assert any(index <= end_index for index in seen)


def test_a_voice_that_wavers_is_one_pause() -> None:
    """Neither silent nor surely a voice: the end is put off, and the hint is not repeated."""
    events = judge([0.9, 0.9, 0.2, 0.4, 0.2, 0.4, 0.2, 0.2, 0.2], end=3)
    assert [(index, type(event)) for index, event in events] == [
        (1, SpeechStarted),
        (2, SpeechPaused),
        (8, SpeechEnded),
    ]


def test_an_onset_is_told_earlier_but_not_within_the_speech_before() -> None:
    probabilities = [0.0, 0.0, 0.9, 0.9, 0.0, 0.9, 0.9]
    starts = [
        event.time_s
        for _, event in judge(probabilities, end=1, onset_s=0.048)
        if isinstance(event, SpeechStarted)
    ]
    assert starts == [2 * STEP_S - 0.048, 4 * STEP_S]


@given(st.integers(1, 30), st.integers(1, 6))
def test_a_lasting_voice_always_starts_and_silence_always_ends(voiced: int, start: int) -> None:
    events = judge([0.9] * voiced + [0.1] * 3, start, 3)
    assert len(events) == (3 if voiced >= start else 0)


@given(PROBABILITIES, st.frozensets(st.integers(0, 199)))
def test_lost_sound_is_no_silence(probabilities: list[float], gaps: frozenset[int]) -> None:
    """Speech never pauses or ends for lost windows: what is left without them ends no sooner."""
    quiet = [0.0 if index in gaps else probability for index, probability in enumerate(probabilities)]
    heard = [probability for index, probability in enumerate(probabilities) if index not in gaps]
    with_gaps = [type(event) for _, event in judge(quiet, gaps=gaps)]
    assert with_gaps == [type(event) for _, event in judge(heard)]


def test_durations_are_rounded_to_windows() -> None:
    assert [windows_in(duration, 32) for duration in (0, 64, 96, 100, 120, 160)] == [1, 2, 3, 3, 4, 5]


def test_starts_and_ends_tell_their_level() -> None:
    hysteresis = Hysteresis(0.5, 0.35, 2, 1, 1)
    assert hysteresis.push(0.9, 0.0, STEP_S, level_db=-20.0) == []
    [started] = hysteresis.push(0.7, STEP_S, 2 * STEP_S, level_db=-200.0)
    assert isinstance(started, SpeechStarted)
    assert abs(started.level_db + 23.0) < 0.02  # half of the power
    assert abs(started.confidence - 0.8) < 1e-9
    assert hysteresis.push(0.5, 2 * STEP_S, 3 * STEP_S, level_db=-200.0) == []
    _, ended = hysteresis.push(0.0, 3 * STEP_S, 4 * STEP_S, level_db=-10.0)
    assert isinstance(ended, SpeechEnded)
    assert abs(ended.level_db + 24.77) < 0.02  # a third
    assert abs(ended.confidence - 0.7) < 1e-9
