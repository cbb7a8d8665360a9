"""Clauses that may not be interrupted: from a vertical's text to what is heard."""

import json
import shutil
from pathlib import Path

import pytest

from extensions.tts.espeak import EspeakTts
from voice_agent import resources
from voice_agent.dialogue.fixed import fixed_texts
from voice_agent.dialogue.protected import pieces
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError
from voice_agent.media.playout import Playout
from voice_agent.message import Clause, Heard, Speech
from voice_agent.testing import collect, run, tone

GREETING = "Hello. <protected>This call is recorded.</protected> How can I help?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", [("Hello.", False)]),
        ("", [("", False)]),
        (GREETING, [("Hello. ", False), ("This call is recorded.", True), (" How can I help?", False)]),
        ("<protected>通话会被录音。</protected>", [("通话会被录音。", True)]),
        ("<protected>A.</protected> <protected>B.</protected>", [("A.", True), ("B.", True)]),
    ],
)
def test_marks_are_taken_out_of_a_text(text: str, expected: list[tuple[str, bool]]) -> None:
    assert list(pieces(text)) == expected


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resources.folder("verticals") / "customer_service", tmp_path / "shop"))


def set_greeting(shop: Path, greeting: str) -> None:
    content = json.loads((shop / "vertical.json").read_text("utf-8"))
    content["greeting"]["en"] = greeting
    (shop / "vertical.json").write_text(json.dumps(content), "utf-8")


def test_a_voice_warms_the_notice_without_its_marks(shop: Path) -> None:
    set_greeting(shop, GREETING)
    assert fixed_texts(str(shop), "en").clauses[:3] == ("Hello.", "This call is recorded.", "How can I help?")


@pytest.mark.parametrize("greeting", ["<protected>Hello.", "Hello.</protected>", "<protected></protected>"])
def test_marks_that_do_not_fit_are_a_mistake_in_the_vertical(shop: Path, greeting: str) -> None:
    set_greeting(shop, greeting)
    with pytest.raises(GraphError, match=r"vertical\.json: greeting\.en: .*every <protected>"):
        load_vertical(shop)


def test_a_voice_hands_it_on_from_its_cache_too() -> None:
    """Of what was said before without protection the sound is the same."""
    clauses = [Clause("Recorded.", protected=protected, turn=1) for protected in (False, True, False)]
    speech = run(collect(EspeakTts(), *clauses)).of(Speech)
    assert [stretch.protected for stretch in speech] == [False, True, False]


def test_playing_tells_when_a_protected_clause_begins_and_ends() -> None:
    playout = Playout()
    for text, protected in (("One.", False), ("Two.", True), ("Three.", False)):
        playout.push(Speech(tone(0.2), text, protected=protected, turn=1))
        playout.push(Speech(tone(0.2), turn=1))
    playout.push(Speech(tone(0.02), final=True, turn=1))
    told: dict[int, Heard] = {}
    for tick in range(1, 70):
        playout.pull()
        for heard in playout.progress():
            told[tick] = heard
    during = [tick for tick, heard in told.items() if heard.protected]
    assert during[0] == 20 and all(20 <= tick < 40 for tick in during), "0.4 s to 0.8 s"
    assert not told[40].protected and told[40].text == "One. Two."
    assert told[61] == Heard(1, "One. Two. Three.", final=True)


def test_a_reply_that_begins_protected_says_so_with_its_first_sample() -> None:
    playout = Playout()
    playout.push(Speech(tone(0.2), "One.", protected=True, final=True, turn=1))
    playout.pull()
    assert playout.progress() == [Heard(1, "", protected=True)]
    for _ in range(10):
        playout.pull()
    assert playout.progress()[-1] == Heard(1, "One.", final=True)
