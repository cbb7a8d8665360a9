"""The call page in a real Chromium, against a server that does what each test wants."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FAKE_DEVICE, OpenPage, Screenshot
from tests.browser.stand_in import CALL, StandIn

pytestmark = pytest.mark.browser

IN_CALL = 'body[data-phase="call"]'
GREETING = "Hello, this is Mia. How can I help?"


def call(page: Page, stand_in: StandIn) -> None:
    """Open the page and call."""
    page.goto(stand_in.url)
    page.get_by_role("button", name="Start call").click()
    expect(page.locator(IN_CALL)).to_be_attached()
    stand_in.wait_for(lambda: stand_in.connected)


def reply(stand_in: StandIn, number: int, text: str, heard: str = "") -> dict[str, str]:
    """The agent begins to say `text`; the caller has heard the beginning of it. Returns its ids."""
    ids = {"response_id": f"resp_{number}", "item_id": f"reply_{number}"}
    stand_in.send("response.created", response={"id": ids["response_id"]})
    stand_in.send("response.output_audio_transcript.delta", **ids, delta=text)
    stand_in.send("output_audio_buffer.started", response_id=ids["response_id"])
    hear(stand_in, ids, heard)
    return ids


def hear(stand_in: StandIn, ids: dict[str, str], text: str, **end: bool) -> None:
    fields: dict[str, Any] = {"final": False, "interrupted": False, **end}
    stand_in.send("voice_agent.heard", **ids, text=text, **fields)


def finish(stand_in: StandIn, ids: dict[str, str], text: str) -> None:
    stand_in.send("response.done", response={"id": ids["response_id"], "status": "completed"})
    stand_in.send("output_audio_buffer.stopped", response_id=ids["response_id"])
    hear(stand_in, ids, text, final=True)


def say(stand_in: StandIn, text: str, item_id: str = "said_1") -> None:
    """The caller says something and is understood."""
    stand_in.send("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=0)
    stand_in.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=900)
    stand_in.send("conversation.item.input_audio_transcription.completed", item_id=item_id, transcript=text)


def test_the_page_introduces_itself(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium()
    page.goto(stand_in.url)
    expect(page.get_by_role("heading", name="Juniper Lane customer service")).to_be_visible()
    expect(page.get_by_role("button", name="Start call")).to_be_visible()
    expect(page.get_by_text("I want to return something.")).to_be_visible()
    expect(page.get_by_role("button", name="Hang up")).to_be_hidden()
    page.get_by_text("What runs here").click()
    expect(page.get_by_text("stt.pocketsphinx")).to_be_visible()
    page.get_by_text("What runs here").click()
    screenshot(page, "idle")


def test_captions_of_both_sides(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium()
    call(page, stand_in)
    agent = page.locator("#captions li.agent")
    ids = reply(stand_in, 1, GREETING)
    expect(page.locator("#state")).to_have_text("Speaking")
    expect(agent).to_be_hidden()  # nothing heard yet
    hear(stand_in, ids, "Hello, this is")
    expect(agent.locator(".said")).to_have_text("Hello, this is")
    finish(stand_in, ids, GREETING)
    expect(agent.locator(".said")).to_have_text(GREETING)
    expect(page.locator("#state")).to_have_text("Listening")

    you = page.locator("#captions li.you")
    item = {"item_id": "said_1"}
    stand_in.send("input_audio_buffer.speech_started", **item, audio_start_ms=0)
    expect(page.locator("#state")).to_have_text("You are speaking")
    stand_in.send("conversation.item.input_audio_transcription.delta", **item, delta="where")
    stand_in.send("voice_agent.transcript", **item, text="where is my", final=False)
    stand_in.send("conversation.item.input_audio_transcription.delta", **item, delta=" is my")
    expect(you.locator(".said")).to_have_text("where is my")
    expect(you).to_have_class("you interim")
    said = "Where is my order?"
    stand_in.send("input_audio_buffer.speech_stopped", **item, audio_end_ms=900)
    stand_in.send("conversation.item.input_audio_transcription.completed", **item, transcript=said)
    expect(you.locator(".said")).to_have_text(said)
    expect(you).to_have_class("you")
    stand_in.send("response.created", response={"id": "resp_2"})
    expect(page.locator("#state")).to_have_text("Thinking")
    expect(page.locator("#announcer")).to_have_text(f"You: {said}")
    screenshot(page, "thinking")


def test_deltas_alone_make_captions_too(chromium: OpenPage, stand_in: StandIn) -> None:
    """Of a server that has none of our own events."""
    page = chromium()
    call(page, stand_in)
    for delta in ("where", " is"):
        stand_in.send("conversation.item.input_audio_transcription.delta", item_id="a", delta=delta)
    expect(page.locator("#captions li.you .said")).to_have_text("where is")


def test_an_interrupted_sentence_is_visibly_cut(
    chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot
) -> None:
    page = chromium()
    call(page, stand_in)
    finish(stand_in, reply(stand_in, 1, GREETING, GREETING), GREETING)
    say(stand_in, "Where is my order?")
    ids = reply(stand_in, 2, "Your lamp left us on Monday. It arrives on Thursday.", "Your lamp left us")
    stand_in.send("output_audio_buffer.cleared", response_id=ids["response_id"])
    hear(stand_in, ids, "Your lamp left us", final=True, interrupted=True)
    cut = page.locator("#captions li.cut")
    expect(cut.locator(".said")).to_have_text("Your lamp left us —")
    expect(cut.locator("s")).to_have_text("on Monday. It arrives on Thursday.")
    expect(cut.get_by_text("interrupted")).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("Agent: Your lamp left us (interrupted)")
    say(stand_in, "", "said_2")
    expect(page.get_by_text("not understood", exact=True).last).to_be_visible()
    screenshot(page, "interrupted")


def test_hold_latency_and_route(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium()
    call(page, stand_in)
    say(stand_in, "How long does delivery take?")
    ids = reply(stand_in, 1, "Three to five working days.", "Three to five")
    stages = {"turn": 330.4, "router": 2.1, "fast": 3.3, "clause": 0.2, "tts": 9.7, "client": 61.0}
    stand_in.send("voice_agent.route", response_id=ids["response_id"], to="fast", reason="known intent")
    stand_in.send(
        "voice_agent.latency",
        response_id=ids["response_id"],
        voice_to_voice_ms=406.7,
        stages=[{"name": name, "ms": ms} for name, ms in stages.items()],
    )
    expect(page.locator("#latency-total")).to_have_text("407 ms")
    expect(page.locator("#latency-stages li")).to_have_count(5)  # what takes no time is left out
    bar = page.get_by_role("img", name="407 milliseconds: waiting for your pause 330 ms")
    expect(bar).to_be_visible()
    box, whole = bar.locator("i").first.bounding_box(), bar.bounding_box()
    assert box and whole
    assert box["width"] / whole["width"] == pytest.approx(330 / 406, abs=0.02)
    expect(page.locator("#route")).to_contain_text("fast (known intent)")
    finish(stand_in, ids, "Three to five working days.")
    stand_in.send("voice_agent.hold", on=True)
    expect(page.locator("#state")).to_have_text("On hold")
    screenshot(page, "hold")
    stand_in.send("voice_agent.hold", on=False)
    expect(page.locator("#state")).to_have_text("Listening")


def test_sound_goes_both_ways_and_shows(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    call(page, stand_in)
    stand_in.wait_for(lambda: stand_in.microphone_db > -50)  # Chromium's fake microphone beeps
    stand_in.speaking = True
    wait_until(page, "document.getElementById('level-agent').ariaValueNow > 30")
    wait_until(page, "document.getElementById('level-you').ariaValueNow > 20")
    stand_in.speaking = False
    wait_until(page, "document.getElementById('level-agent').ariaValueNow == 0")


def test_mute_silences_what_the_server_hears(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    watch_microphones(page)
    call(page, stand_in)
    stand_in.wait_for(lambda: stand_in.microphone_db > -50)
    page.get_by_role("button", name="Mute").click()
    unmute = page.get_by_role("button", name="Unmute")
    expect(unmute).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("tracks.map(({enabled}) => enabled)") == [False]
    page.wait_for_timeout(200)  # what was on its way
    for _ in range(60):  # longer than the pause between two beeps
        stand_in.wait_for_packet()
        assert stand_in.microphone_db < -80
    unmute.click()
    stand_in.wait_for(lambda: stand_in.microphone_db > -50)


def test_hanging_up_ends_the_call_and_frees_the_microphone(
    chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot
) -> None:
    page = chromium()
    watch_microphones(page)
    call(page, stand_in)
    page.get_by_role("button", name="Hang up").click()
    expect(page.locator("#state")).to_have_text("Call ended")
    expect(page.locator("#hint")).to_contain_text("It lasted 0:0")
    stand_in.wait_for(lambda: ("DELETE", CALL) in stand_in.requests)
    assert page.evaluate("tracks.map(({readyState}) => readyState)") == ["ended"]
    assert page.evaluate("contexts.map(({state}) => state)") == ["closed"]
    assert page.evaluate("document.getElementById('voice').srcObject") is None
    screenshot(page, "ended")
    page.get_by_role("button", name="Call again").click()
    expect(page.locator(IN_CALL)).to_be_attached()
    assert page.evaluate("tracks.length") == 2


def wait_until(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression holds (the page's content security policy forbids Playwright's
    own `wait_for_function`)."""
    deadline = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def watch_microphones(page: Page) -> None:
    """Keep every microphone track and audio context that the page opens in `tracks` and `contexts`."""
    page.add_init_script(
        """
        window.tracks = []; window.contexts = [];
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (constraints) => {
          const stream = await open(constraints);
          tracks.push(...stream.getAudioTracks());
          return stream;
        };
        window.AudioContext = class extends AudioContext {
          constructor(...options) { super(...options); contexts.push(this); }
        };
        """
    )


def test_leaving_the_page_hangs_up(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    call(page, stand_in)
    page.goto("about:blank")
    stand_in.wait_for(lambda: ("DELETE", CALL) in stand_in.requests)


def test_hanging_up_while_it_connects(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    page.evaluate("document.getElementById('call').click(); document.getElementById('hang-up').click()")
    expect(page.locator("#state")).to_have_text("Call ended")
    page.get_by_role("button", name="Call again").click()
    expect(page.locator(IN_CALL)).to_be_attached()
    assert len(stand_in.offers) == 1


def test_typing_instead_of_speaking(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    call(page, stand_in)
    message = page.get_by_label("Type instead of speaking")
    message.fill("Where is <b>my</b> order?")
    message.press("Enter")
    created = stand_in.receive("conversation.item.create")
    stand_in.receive("response.create")
    assert created["item"]["content"] == [{"type": "input_text", "text": "Where is <b>my</b> order?"}]
    expect(message).to_have_value("")
    stand_in.send("conversation.item.added", item={"id": "typed_1", **created["item"]})
    expect(page.locator("#captions li.you .said")).to_have_text("Where is <b>my</b> order?")
    page.get_by_role("button", name="I want to return something.").click()
    assert stand_in.receive("conversation.item.create")["item"]["content"][0]["text"] == (
        "I want to return something."
    )


def test_the_keyboard(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    page.get_by_role("button", name="Start call").focus()
    page.keyboard.press("Enter")
    expect(page.locator(IN_CALL)).to_be_attached()
    expect(page.locator("#state")).to_be_focused()
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    page.keyboard.press("Shift+M")
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    page.get_by_label("Type instead of speaking").focus()
    page.keyboard.type("m")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    expect(page.locator(IN_CALL)).to_be_attached()
    page.get_by_role("button", name="Stop the agent").focus()
    page.keyboard.press("Space")
    stand_in.receive("response.cancel")
    page.keyboard.press("Escape")
    expect(page.locator("#state")).to_have_text("Call ended")


def test_both_languages(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium(locale="zh-CN")
    page.goto(stand_in.url)
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.get_by_role("heading", name="杜松里客服")).to_be_visible()
    expect(page.get_by_text("当前配置听不懂中文语音")).to_be_visible()  # the recogniser knows English only
    screenshot(page, "idle-zh")
    page.get_by_role("button", name="开始通话").click()
    expect(page.locator("#state")).to_have_text("正在听")
    stand_in.wait_for(lambda: stand_in.connected)
    offered = json.loads(stand_in.offers[0]["session"])
    assert offered["audio"]["input"]["transcription"]["language"] == "zh"
    greeting = "您好，我是杜松里的小美。请问有什么可以帮您？"
    ids = reply(stand_in, 1, greeting, greeting[:12])
    stand_in.send("output_audio_buffer.cleared", response_id=ids["response_id"])
    hear(stand_in, ids, greeting[:12], final=True, interrupted=True)
    expect(page.get_by_text("被打断", exact=True)).to_be_visible()
    screenshot(page, "interrupted-zh")
    page.get_by_role("button", name="English").click()
    update = stand_in.receive("session.update")
    assert update["session"]["audio"]["input"]["transcription"]["language"] == "en"
    expect(page.locator("#state")).to_have_text("Listening")
    expect(page.get_by_text("interrupted", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Start call")).to_be_visible()  # remembered


def test_another_microphone_in_the_middle_of_a_call(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    watch_microphones(page)
    call(page, stand_in)
    choice = page.get_by_role("combobox", name="Microphone")
    other = choice.locator("option").nth(1)
    choice.select_option(value=other.get_attribute("value"))
    wait_until(page, "tracks.length == 2 && tracks[0].readyState == 'ended'")
    stand_in.wait_for(lambda: stand_in.microphone_db > -50)
    expect(choice).to_have_value(other.get_attribute("value") or "")
    page.evaluate("tracks[1].dispatchEvent(new Event('ended'))")  # as when it is unplugged
    expect(page.get_by_text("The microphone was disconnected")).to_be_visible()
    expect(page.locator(IN_CALL)).to_be_attached()


def test_a_refused_microphone(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium(flags=(FAKE_DEVICE, "--deny-permission-prompts"))
    page.goto(stand_in.url)
    page.get_by_role("button", name="Start call").click()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("The microphone is blocked")
    expect(problem).to_contain_text("allow the microphone for this page")
    expect(page.get_by_role("button", name="Call again")).to_be_visible()
    assert stand_in.requests == []
    screenshot(page, "microphone-denied")
    page.get_by_role("button", name="中文").click()
    expect(problem).to_contain_text("麦克风被禁止")


def failing_microphone(error: str) -> str:
    """A script for the page: devices that a machine for tests does not have fail as browsers' do."""
    return f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('odd', '{error}') }}"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (failing_microphone("NotFoundError"), "No microphone was found"),
        (failing_microphone("NotReadableError"), "Another program may be using it"),
        (failing_microphone("OddError"), "OddError: odd"),
        ("delete window.RTCPeerConnection", "This browser cannot make calls"),
        ("Object.defineProperty(window, 'isSecureContext', {value: false})", "not opened securely"),
    ],
    ids=["no-microphone", "microphone-busy", "odd", "no-webrtc", "insecure"],
)
def test_what_a_browser_can_lack(chromium: OpenPage, stand_in: StandIn, script: str, told: str) -> None:
    page = chromium()
    page.add_init_script(script)
    page.goto(stand_in.url)
    page.get_by_role("button", name="Start call").click()
    expect(page.get_by_role("alert")).to_contain_text(told)
    expect(page.get_by_role("button", name="Call again")).to_be_visible()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((503, "all 64 lines are busy", "busy"), "All lines are busy"),
        ((503, "the call cannot start: no voice", "session_failed"), "the call cannot start: no voice"),
    ],
    ids=["busy", "failed"],
)
def test_a_server_that_refuses(
    chromium: OpenPage, stand_in: StandIn, refusal: tuple[int, str, str], told: str
) -> None:
    stand_in.refusal = refusal
    page = chromium()
    watch_microphones(page)
    page.goto(stand_in.url)
    page.get_by_role("button", name="Start call").click()
    expect(page.get_by_role("alert")).to_contain_text(told)
    assert page.evaluate("tracks.map(({readyState}) => readyState)") == ["ended"]
    stand_in.refusal = None
    page.get_by_role("button", name="Call again").click()
    expect(page.locator(IN_CALL)).to_be_attached()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_server_that_is_not_there(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    stand_in.vanish()
    page.get_by_role("button", name="Start call").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")


def test_a_server_that_vanishes(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium(color_scheme="dark")
    call(page, stand_in)
    page.wait_for_timeout(1500)  # let sound arrive, so that its absence is noticed
    stand_in.vanish()
    expect(page.locator("#state")).to_have_text("Reconnecting …", timeout=8000)
    expect(page.get_by_role("alert")).to_contain_text("The server is gone", timeout=25_000)
    expect(page.get_by_role("button", name="Call again")).to_be_visible()
    screenshot(page, "server-gone-dark")


def test_a_network_that_comes_back(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot) -> None:
    page = chromium()
    call(page, stand_in)
    page.wait_for_timeout(1500)
    stand_in.freeze()
    expect(page.locator("#state")).to_have_text("Reconnecting …", timeout=8000)
    expect(page.locator("#announcer")).to_contain_text("The call goes on as soon as it is back.")
    screenshot(page, "reconnecting")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("#state")).to_have_text("正在重新连接……")
    page.get_by_role("button", name="English").click()
    stand_in.thaw()
    expect(page.get_by_role("status").get_by_text("The connection is back.")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Listening")
    expect(page.locator(IN_CALL)).to_be_attached()


def test_an_agent_that_hangs_up(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    call(page, stand_in)
    stand_in.hang_up()
    expect(page.get_by_role("alert")).to_contain_text("The agent has hung up")
    expect(page.locator("#state")).to_have_text("Call ended")


def test_trouble_that_the_call_survives(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    call(page, stand_in)
    stand_in.send("response.created", response={"id": "resp_1"})
    stand_in.send("error", error={"message": "node 'llm': no answer within 10 s"})
    expect(page.get_by_text("node 'llm': no answer within 10 s")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Listening")
    stand_in.send("output_audio_buffer.started", response_id="resp_1")
    expect(page.get_by_text("node 'llm'")).to_be_hidden()


def full_call(page: Page, stand_in: StandIn) -> None:
    """A call with everything on the page that a call can have."""
    call(page, stand_in)
    finish(stand_in, reply(stand_in, 1, GREETING, GREETING), GREETING)
    say(stand_in, "Where is my order? My order number is one two three four.")
    ids = reply(
        stand_in, 2, "Your lamp left us on Monday and should be with you by Thursday.", "Your lamp left"
    )
    stages = [
        {"name": name, "ms": ms} for name, ms in (("turn", 330), ("fast", 12), ("tts", 25), ("client", 61))
    ]
    stand_in.send("voice_agent.latency", **ids, voice_to_voice_ms=428, stages=stages)
    stand_in.send("voice_agent.route", **ids, to="fast", reason="known intent")
    hear(stand_in, ids, "Your lamp left", final=True, interrupted=True)
    stand_in.send("output_audio_buffer.cleared", response_id="resp_2")
    say(stand_in, "No, the other one.", "said_2")
    reply(stand_in, 3, "The teapot? It was delivered this morning at nine.", "The teapot? It was delivered")
    expect(page.locator("#captions li:visible")).to_have_count(5)
    stand_in.send("voice_agent.transcript", item_id="said_3", text="and when", final=False)
    expect(page.locator("#captions li:visible")).to_have_count(6)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_small_screens(chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot, width: int) -> None:
    page = chromium(viewport={"width": width, "height": 780}, has_touch=True)
    page.goto(stand_in.url)
    expect(page.locator("#suggestions li").first).to_be_visible()
    assert_no_horizontal_scroll(page)
    screenshot(page, f"idle-{width}")
    full_call(page, stand_in)
    assert_no_horizontal_scroll(page)
    for name in ("Mute", "Hang up"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box and box["height"] >= 44 and box["width"] >= 44
    page.screenshot(path=screenshot(page, f"call-{width}"), full_page=True)


def test_the_newest_line_stays_in_view_when_there_is_less_room(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    full_call(page, stand_in)
    scroll = "document.getElementById('scroll')"
    assert page.evaluate(f"{scroll}.scrollHeight > {scroll}.clientHeight"), "there is something to scroll"
    at_end = f"{scroll}.scrollHeight - {scroll}.scrollTop - {scroll}.clientHeight < 2"
    wait_until(page, at_end)
    page.set_viewport_size({"width": 1180, "height": 640})
    wait_until(page, at_end)


def assert_no_horizontal_scroll(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(
    chromium: OpenPage, stand_in: StandIn, screenshot: Screenshot, scheme: str
) -> None:
    page = chromium(color_scheme=scheme, reduced_motion="reduce")
    page.goto(stand_in.url)
    expect(page.locator("#suggestions li").first).to_be_visible()
    poor = page.evaluate(CONTRASTS)
    full_call(page, stand_in)
    stand_in.send("error", error={"message": "node 'llm': no answer"})
    expect(page.locator("#notice")).to_be_visible()
    poor += page.evaluate(CONTRASTS)
    screenshot(page, f"call-{scheme}")
    page.get_by_role("button", name="Mute").click()
    poor += page.evaluate(CONTRASTS)
    stand_in.hang_up()
    expect(page.get_by_role("alert")).to_be_visible()
    poor += page.evaluate(CONTRASTS)
    assert poor == []


def test_every_control_has_a_name(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    full_call(page, stand_in)
    for role in ("button", "combobox", "textbox", "meter", "img", "region"):
        for control in page.get_by_role(role).all():
            snapshot = control.aria_snapshot().splitlines()[0]
            assert '"' in snapshot, f"no name: {snapshot}"
    assert page.evaluate("document.querySelectorAll('[id]').length") == page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(({id}) => id)).size"
    )


def test_every_text_is_in_both_languages(chromium: OpenPage, stand_in: StandIn) -> None:
    page = chromium()
    page.goto(stand_in.url)
    keys = """async () => {
      const { STRINGS } = await import("/strings.js");
      const paths = (value, path) => typeof value === "object" && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, each]) => paths(each, `${path}.${key}`)) : [path];
      return Object.values(STRINGS).map((strings) => paths(strings, "").sort());
    }"""
    english, chinese = page.evaluate(keys)
    assert english == chinese
    used = page.evaluate("""() => ["text", "label", "placeholder"].flatMap((kind) =>
      [...document.querySelectorAll(`[data-${kind}]`)].map(({dataset}) => dataset[kind]))""")
    assert used
    assert {f".{key}" for key in used} <= set(english)
