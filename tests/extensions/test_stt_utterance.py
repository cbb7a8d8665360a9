"""Which sound goes before an utterance."""

from extensions.stt._utterance import VAD_DELAY_S, PreRoll
from voice_agent.message import AudioFrame
from voice_agent.testing import silence


def frame(slot: int, gap: bool = False) -> AudioFrame:
    return AudioFrame(silence(0.02), time_s=slot * 0.02, gap=gap)


def slots(frames: list[AudioFrame]) -> list[tuple[int, bool]]:
    return [(round(item.time_s / 0.02), item.gap) for item in frames]


def test_a_start_takes_the_sound_a_little_before_it() -> None:
    pre_roll = PreRoll(0.1)
    for slot in range(100):
        pre_roll.push(frame(slot))
    assert len(pre_roll._frames) <= (0.1 + VAD_DELAY_S) / 0.02 + 1
    assert slots(pre_roll.take(90 * 0.02, 0.0)) == [(slot, False) for slot in range(85, 100)]
    assert pre_roll.take(0.0, 0.0) == []


def test_sound_that_comes_after_all_replaces_the_filling() -> None:
    pre_roll = PreRoll(0.1)
    for slot in range(10):
        pre_roll.push(frame(slot))
    for slot in range(10, 25):
        pre_roll.push(frame(slot, gap=True))
    for slot in range(10, 22):
        pre_roll.push(frame(slot))
    assert slots(pre_roll.take(8 * 0.02, 0.0)) == [(slot, False) for slot in range(3, 22)]
