"""False cut-offs against latency, as LiveKit's eot-bench compares detectors of turn ends. Pure.

There every silence of at least 100 ms within a caller's turn is a *hold*, the one after it the *end*. A
policy that waits w at a silence cuts the caller off where w is shorter than the hold, and makes the latency w
at an end (waiting, not computing). Compared is the best of a family of policies: fewest cut-offs at a mean
latency of at most 300 and 600 ms, least latency at 5 and 10 % cut-offs.

Its family sweeps a threshold on a model's score, a least and a longest waiting time. A turn node shows no
score; what it shows is how long it waits, which is longest where it doubts most. So the first knob here is a
factor on that time. Waiting times at holds come from probes, in which the caller never goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_HOLD_S = 0.1
FACTORS = (0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
LEAST_S = tuple(np.round(np.arange(0.0, 1.51, 0.05), 2).tolist())
LONGEST_S = tuple(np.round(np.arange(0.3, 3.01, 0.1), 2).tolist())
NEVER_S = 6.0
"""What stands for the wait of a probe that was not answered."""


@dataclass(frozen=True)
class Hold:
    """A pause within a turn."""

    lasts_s: float
    waited_s: float
    """How long the agent would have waited there."""


@dataclass(frozen=True)
class Point:
    """A policy's place between the two."""

    cut_offs: float
    """Share of the holds."""
    latency_s: float
    """Mean over the ends."""
    factor: float = 1.0
    least_s: float = 0.0
    longest_s: float = NEVER_S


def point(
    holds: Sequence[Hold],
    ends_s: Sequence[float],
    factor: float = 1.0,
    least_s: float = 0.0,
    longest_s: float = NEVER_S,
) -> Point:
    """Where a policy stands."""
    lasts = np.array([hold.lasts_s for hold in holds])
    waited = np.array([hold.waited_s for hold in holds])
    would = np.minimum(np.maximum(waited * factor, least_s), longest_s)
    latency = np.minimum(np.maximum(np.array(ends_s) * factor, least_s), longest_s)
    return Point(float(np.mean(would < lasts)), float(np.mean(latency)), factor, least_s, longest_s)


def sweep(holds: Sequence[Hold], ends_s: Sequence[float]) -> list[Point]:
    """All policies of the family. Empty without holds or ends."""
    kept = [hold for hold in holds if hold.lasts_s >= LEAST_HOLD_S]
    if not kept or not ends_s:
        return []
    return [
        point(kept, ends_s, factor, least_s, longest_s)
        for factor in FACTORS
        for least_s in LEAST_S
        for longest_s in LONGEST_S
        if least_s <= longest_s
    ]


def cut_offs_at(points: Sequence[Point], latency_s: float) -> Point | None:
    """The fewest cut-offs at a mean latency of at most so much."""
    fitting = [one for one in points if one.latency_s <= latency_s]
    return min(fitting, key=lambda one: (one.cut_offs, one.latency_s), default=None)


def latency_at(points: Sequence[Point], cut_offs: float) -> Point | None:
    """The least latency at a share of cut-offs of at most so much."""
    fitting = [one for one in points if one.cut_offs <= cut_offs]
    return min(fitting, key=lambda one: (one.latency_s, one.cut_offs), default=None)
