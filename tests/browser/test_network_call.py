"""A real Chromium calls through a simulated 4G network."""

import asyncio
import subprocess
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
