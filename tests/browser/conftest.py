"""A real Chromium, and the page in it.

`chromium(audio_file)` opens a fresh browser context whose microphone hears a WAV file; `screenshot(page,
name)` keeps what the page looks like under tests/artifacts/.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from tests.browser.stand_in import StandIn

ARTIFACTS = Path(__file__).parent.parent / "artifacts"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
)
FAKE_DEVICE = "--use-fake-device-for-media-stream"
ALLOWS_MICROPHONE = "--use-fake-ui-for-media-stream"
"""Without it the browser asks, and nobody answers."""

OpenPage = Callable[..., Page]
Screenshot = Callable[[Page, str], Path]


def find_chromium() -> str | None:
    """A Chromium or Chrome: $VOICE_AGENT_CHROMIUM, or one that is installed."""
    return os.environ.get("VOICE_AGENT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Not for the whole session: while it lives, this thread can run no event loop of its own."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browsers(playwright: Playwright) -> Iterator[Callable[[tuple[str, ...]], Browser]]:
    """A browser for each set of flags, kept for the other tests."""
    path = find_chromium()
    if path is None:
        message = (
            f"no Chromium found (looked for {', '.join(NAMES)}): install it, or set VOICE_AGENT_CHROMIUM"
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    running: dict[tuple[str, ...], Browser] = {}

    def browser(flags: tuple[str, ...]) -> Browser:
        if flags not in running:
            running[flags] = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        return running[flags]

    yield browser
    for each in running.values():
        each.close()


@pytest.fixture
def chromium(browsers: Callable[[tuple[str, ...]], Browser]) -> Iterator[OpenPage]:
    """`chromium(audio_file, flags=..., **context)`: a page in a fresh context, English unless told otherwise.

    Without a file the microphone is Chromium's fake one, which beeps. At the end of the test every page
    must have run without an exception or an error on its console.
    """
    pages: list[tuple[Page, list[str]]] = []

    def open_page(
        audio_file: Path | None = None,
        flags: tuple[str, ...] = (FAKE_DEVICE, ALLOWS_MICROPHONE),
        **context: Any,
    ) -> Page:
        if audio_file is not None:
            flags = (*flags, f"--use-file-for-fake-audio-capture={audio_file}%noloop")
        settings = {"locale": "en-US", "viewport": {"width": 1180, "height": 760}, **context}
        page = browsers(flags).new_context(**settings).new_page()
        errors: list[str] = []

        def on_console(message: ConsoleMessage) -> None:
            # A refused request is logged by the browser itself; whether the page copes is for the test.
            if message.type == "error" and "net::" not in message.text and "status of" not in message.text:
                errors.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append((page, errors))
        return page

    yield open_page
    for page, _ in pages:
        page.context.close()
    assert [errors for _, errors in pages if errors] == []


@pytest.fixture(scope="session")
def screenshot() -> Screenshot:
    """Keeps a picture of a page; returns where."""
    ARTIFACTS.mkdir(exist_ok=True)

    def keep(page: Page, name: str) -> Path:
        path = ARTIFACTS / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        return path

    return keep


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn().running() as server:
        yield server
