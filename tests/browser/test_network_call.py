"""A real Chromium calls through a simulated 4G network, and through one that loses a packet in twenty."""

import asyncio
import json
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from voice_agent import audio
from voice_agent.calls.own_server import READY, command
from voice_agent.calls.script import say
from voice_agent.testing import silence

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    """Room for the greeting, then a question."""
    with ThreadPoolExecutor() as pool:  # Playwright's own loop occupies this thread
        line = pool.submit(lambda: asyncio.run(say("What are your opening hours?"))).result()
    samples = np.concatenate([silence(6), line.samples, silence(30)])
    path = tmp_path / "caller.wav"
    audio.write_wav(path, audio.resample(samples, audio.SAMPLE_RATE, 48_000), 48_000)
    return path


def test_a_question_is_answered_on_4g(chromium: OpenPage, microphone: Path) -> None:
    with subprocess.Popen(command("embedded", "4g_typical"), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            page = chromium(microphone)
            page.goto(next(filter(None, map(READY.match, server.stdout)))[1])
            page.get_by_role("button", name="Start call").click()
            said = page.locator("#captions li.agent .said")
            expect(said.first).to_contain_text("How can I help?", timeout=15_000)
            expect(said.nth(1)).to_contain_text("My colleagues are here", timeout=20_000)
            page.get_by_role("button", name="Hang up").click()
            expect(page.get_by_role("button", name="Call again")).to_be_visible()
        finally:
            server.terminate()


def packets(url: str) -> dict[str, float]:
    """What the server has counted of the callers' packets, by fate."""
    with urllib.request.urlopen(f"{url}/metrics") as response:
        lines = response.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("voice_agent_packets_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in counted}


def test_a_browser_that_is_asked_for_copies_loses_next_to_nothing(chromium: OpenPage, tmp_path: Path) -> None:
    profile = tmp_path / "lossy.json"
    both = {"delay_ms": 20, "loss": 0.05}
    profile.write_text(json.dumps({"description": "random loss", "source": ["a test"], "both": both}))
    with subprocess.Popen(command("embedded", str(profile)), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            page = chromium()
            url = next(filter(None, map(READY.match, server.stdout)))[1]
            page.goto(url)
            page.get_by_role("button", name="Start call").click()
            while packets(url).get("recovered", 0) < 5:  # the server has asked, and the page has understood
                page.wait_for_timeout(100)
            before = packets(url)
            while packets(url)["received"] < before["received"] + 600:
                page.wait_for_timeout(100)
            counted = {fate: count - before[fate] for fate, count in packets(url).items()}
            assert counted["lost"] > 10
            assert counted["recovered"] >= 0.8 * counted["lost"]
        finally:
            server.terminate()
