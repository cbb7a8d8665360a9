"""The page turns the agent down by itself when the caller begins to speak, and shows how it is played."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Screenshot
from tests.browser.stand_in import StandIn
from tests.browser.test_call_page import GREETING, call, finish, hear, reply, say, wait_until

pytestmark = pytest.mark.browser

RUN = """async (script) => {
  const { Ducking } = await import("/ducking.js");
  const ducking = new Ducking();
  const changes = [];
  let now = 0;
  const note = () => {
    if (ducking.ducked !== (changes.length % 2 === 1)) changes.push(now);
  };
  for (const step of script) {
    if (typeof step === "object" && "type" in step) {
      ducking.receive(step, now);
      note();
      continue;
    }
    const [level, ms] = step;
    for (let index = 0; index < ms / 10; index++, now += 10) {
      ducking.hear(level, now);
      note();
    }
  }
  return changes;
}"""
"""Plays levels, [dB, ms], and events to the module; returns the ms at which it turned down, up, down ..."""
SPEAKS = {"type": "output_audio_buffer.started"}
STOPS = {"type": "output_audio_buffer.stopped"}
CLEARED = {"type": "output_audio_buffer.cleared"}
HEARD = {"type": "input_audio_buffer.speech_started"}
SILENT = {"type": "input_audio_buffer.speech_stopped"}
ROOM = -65
VOICE = -25


def playback(mode: str) -> dict[str, str]:
    return {"type": "voice_agent.playback", "mode": mode}


@pytest.mark.parametrize(
    ("script", "changes"),
    [
        # a voice: down after 20 ms, up after 400 if the server says nothing; not down again for the same
        ([[ROOM, 1000], SPEAKS, [ROOM, 1000], [VOICE, 3000]], [2010, 2410]),
        # nobody is turned down who is silent
        ([[ROOM, 1000], [VOICE, 1000], SPEAKS, STOPS, [VOICE, 1000]], []),
        # a click is no voice
        ([SPEAKS, [ROOM, 1000], [-10, 10], [ROOM, 1000]], []),
        # a noise that is always there is none either, a voice above it is
        ([[-40, 25_000], SPEAKS, [-40, 2000], [-15, 100]], [27_010]),
        # the server hears a voice too, and cuts
        ([[ROOM, 1000], SPEAKS, [ROOM, 500], [VOICE, 100], HEARD, [VOICE, 900], CLEARED], [1510, 2500]),
        # it hears a voice that ends without consequence
        ([SPEAKS, [ROOM, 500], [VOICE, 100], HEARD, [VOICE, 900], SILENT, [ROOM, 900]], [510, 1900]),
        # it turns its own voice down, which is here 150 ms later; then both would be too much
        ([SPEAKS, [ROOM, 500], [VOICE, 100], HEARD, playback("ducked"), [VOICE, 900]], [510, 750]),
        ([SPEAKS, [ROOM, 500], [VOICE, 100], playback("paused"), HEARD, [VOICE, 900]], [510, 750]),
        # and up again: with a new sound the page may be first once more
        (
            [
                SPEAKS,
                [ROOM, 500],
                [VOICE, 100],
                playback("ducked"),
                [ROOM, 900],
                playback("full"),
                [VOICE, 100],
            ],
            [510, 750, 1510],
        ),
    ],
)
def test_when_it_is_turned_down_and_up(
    chromium: OpenPage, stand_in: StandIn, script: list[Any], changes: list[int]
) -> None:
    page = chromium()
    page.goto(stand_in.url)
    assert page.evaluate(RUN, script) == changes


def test_what_the_echo_canceller_leaves_is_learned(chromium: OpenPage, stand_in: StandIn) -> None:
    """A louder remainder of the agent's voice is mistaken once at most; a caller above it is heard."""
    page = chromium()
    page.goto(stand_in.url)
    syllables = [[level, 90] for _ in range(15) for level in (-30, -42, -34, -60)]
    assert len(page.evaluate(RUN, [[ROOM, 1000], SPEAKS, *syllables])) <= 2
    told = page.evaluate(RUN, [[ROOM, 1000], SPEAKS, *syllables, [-18, 100]])
    assert told[-1] == 1000 + len(syllables) * 90 + 10


WATCH = """
window.loud = [];      // when the microphone became loud after at least 200 ms of silence, ms
window.turned = [];    // when the agent's volume changed, and to what
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await open(constraints);
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 256 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(256);
  let last = 0;
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    if (Math.max(...samples.map(Math.abs)) < 0.02) return;
    const now = performance.now();
    if (now - last > 200) loud.push(now);
    last = now;
  }, 2);
  return stream;
};
addEventListener("DOMContentLoaded", () => {
  const voice = document.getElementById("voice");
  voice.addEventListener("volumechange", () => turned.push([performance.now(), voice.volume]));
});
"""


def delays_ms(page: Page) -> list[float]:
    """From each beep of Chromium's fake microphone to the agent being 12 dB down."""
    found: list[float] = page.evaluate("""() => turned
      .filter(([, volume], index) => volume <= 0.25 && (turned[index - 1]?.[1] ?? 1) > 0.25)
      .map(([at]) => at - loud.findLast((onset) => onset <= at))""")
    return found


def test_the_agent_is_turned_down_at_the_callers_first_sound(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.add_init_script(WATCH)
    call(page, stand_in)
    wait_until(page, "loud.length > 1")
    assert page.evaluate("turned.length") == 0, "an agent who is silent is left alone"
    stand_in.speaking = True
    stand_in.send("output_audio_buffer.started", response_id="resp_1")
    wait_until(page, "turned.some(([, volume]) => volume < 0.2)")
    wait_until(page, "turned.at(-1)[1] === 1")  # the server did not confirm
    downs = page.evaluate("turned.filter(([, volume]) => volume < 0.2)[0][0]")
    ups = page.evaluate("turned.filter(([, volume]) => volume === 1)[0][0]")
    assert 350 < ups - downs < 700
    assert delays_ms(page)[0] < 150, "about 50 ms where the machine is idle"


def test_ducked_and_paused_are_shown(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium()
    call(page, stand_in)
    state = page.locator("#state")
    ids = reply(stand_in, 1, GREETING, "Hello, this is")
    expect(state).to_have_text("Speaking")
    stand_in.send("input_audio_buffer.speech_started", item_id="said_1", audio_start_ms=0)
    stand_in.send("voice_agent.playback", mode="ducked")
    expect(state).to_have_text("Speaking softly")
    stand_in.send("voice_agent.playback", mode="paused")
    expect(state).to_have_text("Pausing")
    screenshot(page, "paused")
    stand_in.send("input_audio_buffer.speech_stopped", item_id="said_1", audio_end_ms=300)
    stand_in.send("voice_agent.playback", mode="full")
    expect(state).to_have_text("Speaking")
    hear(stand_in, ids, GREETING)
    finish(stand_in, ids, GREETING)
    expect(state).to_have_text("Listening")
    say(stand_in, "Where is my order?", "said_2")
    ids = reply(stand_in, 2, "It left us on Monday.", "It left")
    page.get_by_role("button", name="中文").click()
    stand_in.send("voice_agent.playback", mode="paused")
    expect(state).to_have_text("暂停了")
    stand_in.send("input_audio_buffer.speech_started", item_id="said_3", audio_start_ms=0)
    stand_in.send("output_audio_buffer.cleared", response_id=ids["response_id"])
    stand_in.send("voice_agent.playback", mode="full")
    expect(state).to_have_text("您正在说话")
