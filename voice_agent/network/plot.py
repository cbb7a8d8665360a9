"""A profile as a person can read it: what becomes of voice, in figures and drawn in characters."""

from itertools import pairwise
from statistics import mean, median

from voice_agent.network.model import Counts, Delivery, Direction, Path, simulate
from voice_agent.network.profile import LinkSettings, Profile

PACKET_S = 0.02
PACKET_BYTES = 130
"""Speech at 32 kbit/s (80 bytes) under RTP, SRTP, UDP and IP."""
PAUSE_S = 0.1
"""Without an arrival for longer than this, delivery has a gap: five packets."""
WIDTH = 72
HEIGHT = 8
DIRECTIONS: tuple[tuple[Direction, str], ...] = (("down", "to the caller"), ("up", "from the caller"))


def show(profile: Profile, seconds: float, seed: int) -> str:
    """The profile's settings, and its effect on voice in either direction."""
    lines = [f"{profile.name}: {profile.description}", *(f"  source: {item}" for item in profile.source)]
    if profile.handover:
        handover = profile.handover
        hole = f"{handover.hole_ms:g} ms of nothing"
        lines.append(f"  handover after {handover.at_s:g} s: {hole}, then {handover.to} from another address")
    for direction, words in DIRECTIONS:
        path = Path(profile, direction, seed)
        count = max(1, round(seconds / PACKET_S))
        arrived = simulate(path, ((n * PACKET_S, PACKET_BYTES) for n in range(count)))
        title = f"{words} ({direction}), {seconds:g} s of voice, seed {seed}"
        lines += ["", title, *(f"  {line}" for line in figures(path.counts, arrived, seconds))]
        lines += ["", *drawing(arrived, count)]
    return "\n".join(lines)


def summary(profile: Profile) -> str:
    """The settings of the way to the caller on one line, for a table."""
    link = profile.down
    words = [f"{link.delay_ms:g} ± {link.jitter_ms:g} ms", f"{link.loss * 100:g} % loss", *_gaps(link)]
    if link.rate_mbit_s is not None:
        words.append(f"{link.rate_mbit_s:g} Mbit/s")
    if profile.handover:
        words.append(f"{profile.handover.to} after {profile.handover.at_s:g} s")
    return ", ".join(words)


def _gaps(link: LinkSettings) -> list[str]:
    return [f"{gaps.mean_ms:g} ms gaps every {gaps.every_s:g} s" for gaps in link.gaps]


def figures(counts: Counts, arrived: list[Delivery], seconds: float) -> list[str]:
    """What was measured, a line each."""
    share = 100 / counts.sent
    undelivered = counts.sent - counts.delivered
    lines = [
        f"lost        {undelivered * share:.2f} %: {counts.lost} at random, {counts.lost_in_gaps} in gaps, "
        f"{counts.overflowed} for want of room in the queue; {_mean_run(arrived, counts.sent):.1f} in a row"
    ]
    if not arrived:
        return lines
    delays_ms = sorted((item.arrived_s - item.sent_s) * 1000 for item in arrived)
    named = [f"P{percent} {_quantile(delays_ms, percent / 100):.1f}" for percent in (50, 95, 99)]
    pauses = [after - before for before, after in pairwise(item.arrived_s for item in arrived)]
    gaps = [pause for pause in pauses if pause >= PAUSE_S]
    return [
        f"delay       {', '.join(named)}, most {delays_ms[-1]:.1f} ms",
        *lines,
        f"gaps        {len(gaps) * 60 / seconds:.1f} a minute of {PAUSE_S * 1000:g} ms or more, "
        f"longest {max(gaps, default=0.0) * 1000:.0f} ms, {sum(gaps) / seconds * 100:.1f} % of the time",
        f"held        {counts.held} until the end of a gap; {counts.reordered} reordered, "
        f"{counts.duplicated} came twice",
    ]


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def _mean_run(arrived: list[Delivery], sent: int) -> float:
    """How many packets in a row are lost on average, 0 if none are."""
    numbers = [-1, *sorted({item.number for item in arrived}), sent]
    runs = [after - before - 1 for before, after in pairwise(numbers) if after - before > 1]
    return mean(runs) if runs else 0.0


def drawing(arrived: list[Delivery], sent: int, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """The delay over the time of sending: its median in a column █, up to its highest ░; below, what was
    lost: x some, X more than half.
    """
    columns = min(width, sent)
    delays: list[list[float]] = [[] for _ in range(columns)]
    missing = [0] * columns
    sizes = [0] * columns
    came = {item.number: (item.arrived_s - item.sent_s) * 1000 for item in reversed(arrived)}
    for number in range(sent):
        column = number * columns // sent
        sizes[column] += 1
        if number in came:
            delays[column].append(came[number])
        else:
            missing[column] += 1
    top_ms = _round_up(max((max(column) for column in delays if column), default=0.0))
    bars = [(median(column), max(column)) if column else (0.0, 0.0) for column in delays]
    lines = []
    for row in range(height, 0, -1):
        floor_ms = top_ms * (row - 0.5) / height
        label = f"{top_ms * row / height:6.0f} ms" if row % 4 == 0 else " " * 9
        cells = ("█" if mid >= floor_ms else "░" if most >= floor_ms else " " for mid, most in bars)
        lines.append(f"{label} │{''.join(cells)}".rstrip())
    shares = (lost / size for lost, size in zip(missing, sizes, strict=True))
    marks = ("X" if share > 0.5 else "x" if share else " " for share in shares)
    end = f"{sent * PACKET_S:g} s"
    return [*lines, f"{'0':>9} └{'─' * columns}", f"{'lost':>9}  {''.join(marks)}".rstrip(),
            f"{'':>9}  0{end:>{max(1, columns - 1)}}"]  # fmt: skip


def _round_up(value: float) -> float:
    """To the next of 8, 12, 20, 40, 80, 120, ...: marks on the axis that can be read."""
    step = 8.0
    while True:
        for factor in (1, 1.5, 2.5, 5):
            if value <= step * factor:
                return step * factor
        step *= 10
