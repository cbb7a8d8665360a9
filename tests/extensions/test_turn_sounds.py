"""What a sound is, by its sound alone: hums, laughs and voices that the weights were not trained on."""

import numpy as np
import pytest

from extensions.turn._sounds import UNKNOWN, Kinds
from extensions.turn._sounds.watch import Watch
from tests.extensions._voices import in_a_room, say
from voice_agent import audio
from voice_agent.message import AudioFrame, Samples
from voice_agent.testing import frames_of, silence
from voice_agent.turn_eval import sounds

BEFORE_S = 0.5
SEEDS = range(20)


def kinds_of(sound: Samples, heard_s: float) -> Kinds:
    """After so much of a sound whose onset is told 60 ms too early and 80 ms late."""
    watch = Watch()
    for frame in frames_of(in_a_room(np.concatenate((silence(BEFORE_S), sound)))):
        watch.hear(frame)
        if abs(frame.time_s - BEFORE_S - 0.08) < 0.01:
            watch.begin(BEFORE_S - 0.06)
        if frame.time_s >= BEFORE_S + heard_s:
            break
    return watch.kinds


@pytest.mark.parametrize(
    ("name", "heard_s"),
    [("laugh", 0.5), ("mm_hm", 0.3), ("cough", 0.3)],  # one "ha" alone may be a word
)
def test_sounds_without_words_are_known_in_time(name: str, heard_s: float) -> None:
    found = [kinds_of(sounds.levelled(sounds.make(name, seed), -23), heard_s) for seed in SEEDS]
    assert np.mean([kinds.hum + kinds.tic for kinds in found]) > 0.8


@pytest.mark.parametrize(
    "text", ["how much does it cost", "where is my order", "no the other one", "yeah sure"]
)
def test_words_are_not_taken_for_such(text: str) -> None:
    kinds = kinds_of(say(text, "en-us+m3"), 0.3)
    assert kinds.hum + kinds.tic < 0.3
    assert abs(sum(kinds) - 1) < 1e-5


def test_nothing_heard_may_be_anything() -> None:
    watch = Watch()
    watch.begin(0.0)
    assert watch.kinds == UNKNOWN
    watch.hear(AudioFrame(silence(audio.FRAME_S), 0.0))
    assert watch.kinds == UNKNOWN


def test_sound_that_comes_after_its_time_was_filled_changes_nothing() -> None:
    frames = frames_of(sounds.levelled(sounds.make("laugh", 1), -23))
    once, twice = Watch(), Watch()
    for number, frame in enumerate(frames):
        once.hear(frame)
        twice.hear(frame)
        if number == 10:
            once.begin(0.1)
            twice.begin(0.1)
            twice.hear(frames[3])
    assert once.kinds == twice.kinds != UNKNOWN
