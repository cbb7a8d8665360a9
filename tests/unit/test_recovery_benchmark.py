"""benchmarks.recovery: its links are down when and as long as it says, its figures say what they claim."""

import pytest

from benchmarks.recovery import DOWN_AT_S, cases, first_after
from voice_agent.network.model import Path, simulate


@pytest.mark.parametrize("name", list(cases()))
def test_each_link_is_down_as_long_as_it_says(name: str) -> None:
    network, seconds = cases()[name]
    arrived = simulate(Path(network, "up"), [(number / 50, 100) for number in range(750)])
    up_s = DOWN_AT_S + seconds
    inside = [packet for packet in arrived if DOWN_AT_S <= packet.sent_s < up_s]
    assert not [packet for packet in inside if packet.arrived_s < up_s]
    assert bool(inside) == name.endswith("held")
    assert any(packet.sent_s < DOWN_AT_S for packet in arrived)
    assert any(up_s <= packet.sent_s < up_s + 0.1 for packet in arrived)


def test_what_came_before_the_link_was_up_does_not_count() -> None:
    assert first_after(10.0, [9.0, 9.99, 10.25, 10.5]) == 0.25
    assert first_after(10.0, [9.0]) is None
