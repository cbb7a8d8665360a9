"""What callers will do is drawn from the seed, and from nothing else."""

from dataclasses import replace

import pytest

from voice_agent.stress.plan import (
    BARGE_IN_S,
    SILENCE_S,
    SNR_DB,
    Cell,
    Habits,
    PlannedCall,
    Turn,
    calls,
    cells,
)

POOLS = ((0, 1, 2), (3, 4, 5))


def plan(cell: Cell, seed: int = 7, rounds: int = 1, habits: Habits | None = None) -> list[PlannedCall]:
    return calls(
        cell,
        rounds=rounds,
        turns=10,
        pools=POOLS,
        noises=3,
        habits=habits or Habits(),
        stagger_s=0.5,
        seed=seed,
    )


def turns(planned: list[PlannedCall]) -> list[Turn]:
    return [turn for call in planned for turn in call.turns]


def test_every_network_meets_every_load_the_lightest_first() -> None:
    assert cells(["loopback", "trace:x"], [4, 1]) == [
        Cell("loopback", 1), Cell("loopback", 4), Cell("trace:x", 1), Cell("trace:x", 4),
    ]  # fmt: skip


def test_the_same_seed_plans_the_same_and_another_one_does_not() -> None:
    cell = Cell("loopback", 4)
    assert plan(cell) == plan(cell)
    assert plan(cell) != plan(cell, seed=8)


def test_a_caller_is_the_same_on_every_network_and_under_every_load() -> None:
    few, many = plan(Cell("loopback", 2)), plan(Cell("4g_driving", 16))
    assert [call.turns for call in few] == [call.turns for call in many[:2]]
    assert [call.starts_s for call in few] == [call.starts_s for call in many[:2]]


def test_one_habit_does_not_change_another() -> None:
    quiet = turns(plan(Cell("loopback", 8), habits=Habits(noise=0)))
    noisy = turns(plan(Cell("loopback", 8), habits=Habits(noise=1)))
    assert [replace(turn, snr_db=None, noise=0) for turn in noisy] == quiet
    assert all(turn.snr_db is None for turn in quiet)


def test_rounds_follow_each_other_in_their_slots() -> None:
    planned = plan(Cell("loopback", 3), rounds=2)
    assert [call.number for call in planned] == [1, 2, 3, 4, 5, 6]
    assert [call.slot for call in planned] == [0, 1, 2, 0, 1, 2]
    starts = [call.starts_s for call in planned]
    assert all(0.5 * slot <= start < 0.5 * (slot + 1) for slot, start in enumerate(starts[:3]))
    assert starts[3:] == [0, 0, 0]


def test_turns_are_as_the_shares_say() -> None:
    made = turns(plan(Cell("loopback", 200)))
    barge_ins = [turn.barge_in_s for turn in made if turn.barge_in_s is not None]
    silences = [turn.silence_s for turn in made if turn.silence_s]
    noises = [turn.snr_db for turn in made if turn.snr_db is not None]
    assert len(barge_ins) / len(made) == pytest.approx(0.2, abs=0.03)
    assert len(silences) / (len(made) - len(barge_ins)) == pytest.approx(0.15, abs=0.03)
    assert len(noises) / len(made) == pytest.approx(0.25, abs=0.03)
    for values, (low, high) in ((barge_ins, BARGE_IN_S), (silences, SILENCE_S), (noises, SNR_DB)):
        assert all(low <= value <= high for value in values)
    assert not any(turn.barge_in_s is not None and turn.silence_s for turn in made), "it would end first"
    assert {turn.noise for turn in made if turn.snr_db is not None} == {0, 1, 2}


def test_a_caller_keeps_its_voice() -> None:
    used = [{turn.speech for turn in call.turns} for call in plan(Cell("loopback", 50))]
    assert all(any(speech <= set(pool) for pool in POOLS) for speech in used)
    assert set.union(*used) == {0, 1, 2, 3, 4, 5}


def test_without_noises_no_turn_is_noisy() -> None:
    planned = calls(
        Cell("loopback", 5),
        rounds=1,
        turns=10,
        pools=POOLS,
        noises=0,
        habits=Habits(noise=1),
        stagger_s=0,
        seed=1,
    )
    assert all(turn.snr_db is None for turn in turns(planned))
