"""The whole thing as a user has it: the real server with its embedded models, a real Chromium whose
microphone hears a recorded voice: greeting, a question and its answer, an interruption, hanging up.

What the recogniser writes is not compared word by word: Chromium's noise suppression and gain change
what it hears from run to run."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Screenshot
from voice_agent import audio
from voice_agent.calls.own_server import READY, command
from voice_agent.calls.script import say
from voice_agent.testing import silence

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server on a free port."""
    process = subprocess.Popen(command("embedded"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = next(filter(None, map(READY.match, process.stdout)))
        yield found[1]
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording: room for the greeting, a question, a pause in which it is being answered, and a second
    question that begins while the agent still speaks."""

    async def speak() -> list[np.ndarray[tuple[int], np.dtype[np.int16]]]:
        first = await say("What are your opening hours?")
        second = await say("How long does delivery take?")
        return [silence(6), first.samples, silence(2.0), second.samples, silence(30)]

    path = tmp_path_factory.mktemp("voice") / "caller.wav"
    with ThreadPoolExecutor() as pool:  # Playwright's own loop occupies this thread
        samples = np.concatenate(pool.submit(lambda: asyncio.run(speak())).result())
    audio.write_wav(path, audio.resample(samples, audio.SAMPLE_RATE, 48_000), 48_000)
    return path


def test_a_call(chromium: OpenPage, server: str, microphone: Path, screenshot: Screenshot) -> None:
    page = chromium(microphone)
    page.goto(server)
    expect(page.get_by_role("heading", name=re.compile("Juniper Lane"))).to_be_visible()
    screenshot(page, "real-idle")
    page.get_by_role("button", name="Start call").click()
    agent = page.locator("#captions li.agent")
    caller = page.locator("#captions li.you")
    expect(agent.first.locator(".said")).to_contain_text("How can I help?", timeout=15_000)
    expect(caller.first.locator(".said")).not_to_be_empty(timeout=20_000)
    expect(agent.nth(1).locator(".said")).to_contain_text("My colleagues", timeout=15_000)
    expect(page.locator("#state")).to_have_text("Speaking")
    expect(page.locator("li.agent.cut")).to_be_visible(timeout=10_000)
    expect(caller.nth(1).locator(".said")).not_to_be_empty(timeout=15_000)
    expect(agent.nth(2).locator(".said")).not_to_be_empty(timeout=15_000)
    expect(page.locator("#latency-total")).to_contain_text("ms")
    screenshot(page, "real-call")
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("button", name="Call again")).to_be_visible()
    screenshot(page, "real-ended")


def test_the_server_is_ready_for_the_next_caller(server: str) -> None:
    """The call above has left nothing behind."""
    asked = f"import urllib.request; print(urllib.request.urlopen('{server}/healthz').read().decode())"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert '"calls":0' in answer.stdout
