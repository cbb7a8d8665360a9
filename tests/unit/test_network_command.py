"""`voice-agent network`: what it prints."""

import re

import pytest

from voice_agent import cli
from voice_agent.network import profile
from voice_agent.network.model import Delivery
from voice_agent.network.plot import drawing


def test_every_profile_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["network", "list"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^\S+", out, re.MULTILINE) == [*profile.shipped(), "trace:FILE"]
    assert "27 ± 12 ms, 1 % loss, 150 ms gaps every 6 s" in out


def test_a_profile_is_shown_in_figures_of_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["network", "show", "4g_driving", "--seconds", "600", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "AT&T LTE drive" in out
    for title in ("to the caller (down), 600 s of voice, seed 3", "from the caller (up), 600 s of voice"):
        assert title in out
    delays = re.findall(r"P50 ([\d.]+), P95 ([\d.]+), P99 ([\d.]+), most ([\d.]+) ms", out)
    assert len(delays) == 2
    for p50, p95, p99, most in (map(float, found) for found in delays):
        assert 25 < p50 < 45 and p50 < p95 < p99 < most < 1400
    gaps = [float(found) for found in re.findall(r"([\d.]+) a minute", out)]
    assert all(25 < found < 50 for found in gaps) and len(gaps) == 2


def test_the_same_seed_draws_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    outs = []
    for seed in ("1", "1", "2"):
        cli.main(["network", "show", "4g_edge", "--seconds", "20", "--seed", seed])
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] and outs[0].replace("seed 1", "seed 2") != outs[2]


@pytest.mark.parametrize("seconds", ["0", "-1", "1e9", "nan"])
def test_impossible_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["network", "show", "loopback", "--seconds", seconds]) == 2
    assert "--seconds: expected more than 0" in capsys.readouterr().err


def test_a_handover_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["network", "show", "wifi_to_4g", "--seconds", "0.02"]) == 0
    assert "after 15 s: 1000 ms of nothing, then 4g_typical from another" in capsys.readouterr().out


def test_the_drawing_shows_delay_and_loss_where_they_are() -> None:
    """Ten packets in ten columns: 10 ms, one of 37.5 ms, one lost."""
    arrived = [Delivery(n, n / 50, n / 50 + (0.0375 if n == 3 else 0.01)) for n in range(10) if n != 7]
    assert drawing(arrived, 10, width=10, height=4) == [
        "    40 ms │   █",
        "          │   █",
        "          │   █",
        "          │███████ ██",
        "        0 └──────────",
        "     lost         X",
        "           0    0.2 s",
    ]


def test_nothing_arrived_is_drawn_too() -> None:
    assert drawing([], 3, height=1)[-2].endswith("XXX")


@pytest.mark.parametrize("verb", [["serve", "--port", "0"], ["call", "--say", "hello"]])
def test_a_network_that_is_not_there_is_told_before_anything_starts(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*verb, "--network", "nosuch"]) == 2
    assert "there is no network profile" in capsys.readouterr().err
