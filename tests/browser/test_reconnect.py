"""A real Chromium whose caller leaves the house: nothing for a while, then another address. The page says
that it reconnects, restarts ICE by itself, and the same call goes on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Screenshot
from tests.browser.stand_in import StandIn
from tests.browser.test_call_page import GREETING, call, finish, reply
from voice_agent.calls.own_server import READY, command

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HANDOVER = """{
  "description": "wifi_to_4g, sooner and with a longer hole",
  "source": ["as wifi_to_4g"],
  "both": {"delay_ms": 20, "jitter_ms": 3},
  "handover": {"at_s": 5, "hole_ms": 4000, "to": "4g_typical"}
}"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose every call passes through the handover."""
    profile = tmp_path / "handover.json"
    profile.write_text(HANDOVER)
    with subprocess.Popen(command("embedded", str(profile)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(filter(None, map(READY.match, process.stdout)))[1]
        finally:
            process.terminate()


def test_from_wifi_to_4g(chromium: OpenPage, server: str, screenshot: Screenshot) -> None:
    page = chromium()
    page.goto(server)
    patches: list[tuple[int, str]] = []
    page.on("response", lambda each: patches.append((each.status, each.request.method)))
    page.get_by_role("button", name="Start call").click()
    said = page.locator("#captions li.agent .said")
    expect(said.first).to_contain_text("How can I help?", timeout=15_000)
    expect(page.get_by_role("img", name="Connection: good")).to_be_visible(timeout=5000)
    expect(page.locator("#state")).to_have_text("Reconnecting …", timeout=12_000)
    screenshot(page, "handover")
    expect(page.locator("#state")).not_to_have_text("Reconnecting …", timeout=10_000)
    assert (200, "PATCH") in patches, "ICE was restarted"
    page.get_by_label("Type instead of speaking").fill("What are your opening hours?")
    page.get_by_label("Type instead of speaking").press("Enter")
    expect(said.last).to_contain_text("My colleagues are here", timeout=15_000)
    assert page.locator("#captions li.agent", has_text="How can I help?").count() == 1, (
        "the same conversation"
    )
    expect(page.get_by_role("button", name="Hang up")).to_be_visible()


def test_where_the_browser_is_online_again_another_path_is_looked_for_at_once(
    chromium: OpenPage, stand_in: StandIn
) -> None:
    page = chromium()
    call(page, stand_in)
    with page.expect_response(lambda each: each.request.method == "PATCH" and each.status == 200):
        page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#state")).to_have_text("Listening")
    for _ in range(100):  # two seconds, in which the new path takes the old one's place
        stand_in.wait_for_packet()
    finish(stand_in, reply(stand_in, 1, GREETING, GREETING), GREETING)
    expect(page.locator("#captions li.agent .said")).to_have_text(GREETING)


def test_what_makes_a_connection_good_fair_or_poor(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    rate = """async ([received, lost, rtt, jitter, network]) => {
      const { SignalMeter } = await import("/signal.js");
      const meter = new SignalMeter();
      meter.measure(new Map([
        ["a", { type: "inbound-rtp", packetsReceived: received, packetsLost: lost, jitter }],
        ["b", { type: "candidate-pair", nominated: true, currentRoundTripTime: rtt }],
      ]));
      meter.hear(network);
      return meter.value.quality;
    }"""
    for figures, quality in (
        ([50, 0, 0.03, 0.004, {}], "good"),
        ([50, 0, 0.03, 0.004, {"received": 50, "lost": 0, "jitter_ms": 3.0}], "good"),
        ([50, 2, 0.03, 0.004, {}], "fair"),
        ([50, 0, 0.35, 0.004, {}], "fair"),
        ([50, 0, 0.03, 0.06, {}], "fair"),
        ([50, 0, 0.03, 0.004, {"received": 45, "lost": 6, "jitter_ms": 3.0}], "poor"),
        ([50, 0, 0.03, 0.004, {"received": 50, "lost": 0, "sent_lost": 0.2}], "poor"),
        ([50, 0, 0.9, 0.004, {}], "poor"),
        ([0, 0, 0.03, 0.0, {}], "poor"),
    ):
        assert page.evaluate(rate, figures) == quality, figures
