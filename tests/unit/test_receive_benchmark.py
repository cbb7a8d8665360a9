"""What `make bench` says of the receive path, on less sound: what is promised holds, and stock aiortc is as
slow as the documents say."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import packets, receive
from benchmarks.packets import Scenario
from benchmarks.receive import CLEAN, LOSSY, ONE_LOST, Figures

SECONDS = 12.0
PATHS = ("aiortc", "ours", "ours+RED")


@pytest.fixture(scope="module")
def measured() -> Callable[[Scenario, str], Figures]:
    sound = packets.voice(SECONDS, seed=3)
    plain, with_copies = packets.encode(sound), packets.encode(sound, "RED")

    def figures(scenario: Scenario, path: str) -> Figures:
        drive: Any = receive.stock if path == "aiortc" else receive.ours
        network = packets.stream(with_copies if path == "ours+RED" else plain, scenario, seed=3)
        return asyncio.run(receive.measure(drive, network, scenario, path))

    return figures


def test_without_loss_nothing_is_added(measured: Callable[[Scenario, str], Figures]) -> None:
    ours, stock = measured(CLEAN, "ours"), measured(CLEAN, "aiortc")
    assert (ours.delay_p50_ms, ours.delay_p95_ms) == (0, 0)
    assert (stock.delay_p50_ms, stock.delay_p95_ms) == (80, 80)
    assert ours.packets == round(SECONDS / 0.02) - receive.TAIL


def test_one_lost_packet_is_forgotten(measured: Callable[[Scenario, str], Figures]) -> None:
    ours, stock = measured(ONE_LOST, "ours"), measured(ONE_LOST, "aiortc")
    assert ours.lost == stock.lost == 1
    assert ours.back_s is not None and 0 < ours.back_s <= 0.2
    assert (stock.back_s, stock.delay_p50_ms) == (None, 280)


def test_loss_and_jitter_cost_no_packet_that_came(measured: Callable[[Scenario, str], Figures]) -> None:
    ours, stock = measured(LOSSY, "ours"), measured(LOSSY, "aiortc")
    assert ours.lost > 10
    assert ours.recovered + ours.concealed == ours.lost
    assert (ours.discarded, ours.absent) == (0, 0)
    assert ours.delay_p95_ms <= 80 < stock.delay_p95_ms
    assert stock.discarded > 0.1 * stock.packets


def test_copies_bring_back_what_is_lost(measured: Callable[[Scenario, str], Figures]) -> None:
    fec, red = measured(LOSSY, "ours"), measured(LOSSY, "ours+RED")
    assert fec.recovered >= 0.4 * fec.lost
    assert red.concealed <= 0.1 * red.lost
    assert (red.discarded, red.absent) == (0, 0)


def test_a_promise_that_is_not_kept_is_named(measured: Callable[[Scenario, str], Figures]) -> None:
    rows = [measured(scenario, path) for scenario in (CLEAN, ONE_LOST, LOSSY) for path in PATHS]
    slow = [Figures(**{**vars(row), "delay_p95_ms": 81.0}) for row in rows]
    assert "5 % loss, 10 ms jitter: P95 at most 80 ms" in receive.failures(slow)
    assert "5 % loss, 10 ms jitter: P95 at most 80 ms" not in receive.failures(rows)
    assert "never" in receive.table(rows)
