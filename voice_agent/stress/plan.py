"""What a stress test will do, drawn from a seed before anything starts: the same seed plans the same. Pure.

A test is a grid of cells, a network and a number of calls at once each. The callers of all cells are the
same people: call 3 says the same, with the same interruptions and noises, on every network and under every
load that has a third call. So cells can be compared turn by turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

BARGE_IN_S = (0.4, 1.2)
"""So long into an answer it is interrupted; most answers last 2-5 s."""
SILENCE_S = (1.5, 5.0)
"""So long a caller thinks before speaking."""
SNR_DB = (8.0, 20.0)
"""Voice above noise: a street or a café, and an office."""


@dataclass(frozen=True)
class Cell:
    """One network under one load."""

    network: str
    """A name, a file or "trace:FILE"."""
    calls: int
    """At once."""


@dataclass(frozen=True)
class Habits:
    """Shares of all turns, from 0 to 1."""

    interrupt: float = 0.2
    """Begin while the agent speaks."""
    silence: float = 0.15
    """Of the others: come after a long silence."""
    noise: float = 0.25
    """Have noise behind them."""


@dataclass(frozen=True)
class Turn:
    """What a caller does once."""

    speech: int
    """Which utterance of all there are."""
    barge_in_s: float | None = None
    """Into the agent's answer; None waits for its end."""
    silence_s: float = 0.0
    """Before it."""
    noise: int = 0
    """Which noise, where `snr_db` says that there is one."""
    snr_db: float | None = None


@dataclass(frozen=True)
class PlannedCall:
    """One call of a cell."""

    number: int
    """From 1; the seed of its network, too."""
    slot: int
    """Calls of one slot follow each other, the slots of a cell run at once."""
    starts_s: float
    """Before the first call of the slot: callers do not all dial in the same moment."""
    turns: tuple[Turn, ...]


def cells(networks: Sequence[str], loads: Sequence[int]) -> list[Cell]:
    """Every network under every load, the lightest first."""
    return [Cell(network, calls) for network in networks for calls in sorted(loads)]


def calls(
    cell: Cell,
    *,
    rounds: int,
    turns: int,
    pools: Sequence[Sequence[int]],
    noises: int,
    habits: Habits,
    stagger_s: float,
    seed: int,
) -> list[PlannedCall]:
    """The calls of a cell: `rounds` of them in each slot. `pools` are the utterances of each voice, of which
    a caller has one; `noises` is how many noises there are.
    """
    planned = []
    for number in range(1, rounds * cell.calls + 1):
        slot = (number - 1) % cell.calls
        rng = Random(f"{seed}/{number}")
        starts_s = stagger_s * (slot + rng.random()) if number <= cell.calls else 0.0
        pool = pools[rng.randrange(len(pools))]
        made = tuple(_turn(rng, pool, noises, habits) for _ in range(turns))
        planned.append(PlannedCall(number, slot, starts_s, made))
    return planned


def _turn(rng: Random, pool: Sequence[int], noises: int, habits: Habits) -> Turn:
    """Draws the same number of times whatever comes of it, so that one habit does not change another."""
    speech = pool[rng.randrange(len(pool))]
    chances = [rng.random() for _ in range(3)]
    barge_in_s, silence_s, snr_db = (round(rng.uniform(*r), 2) for r in (BARGE_IN_S, SILENCE_S, SNR_DB))
    noise = rng.randrange(max(1, noises))
    interrupts = chances[0] < habits.interrupt
    noisy = noises > 0 and chances[2] < habits.noise
    return Turn(
        speech,
        barge_in_s=barge_in_s if interrupts else None,
        silence_s=silence_s if not interrupts and chances[1] < habits.silence else 0.0,
        noise=noise if noisy else 0,
        snr_db=snr_db if noisy else None,
    )
