"""Whole conversations with stand-ins around a turn node, on the virtual clock."""

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voice_agent import cli
from voice_agent.audio import SAMPLE_RATE
from voice_agent.message import Heard, Speech, TurnEnded, Word
from voice_agent.network.profile import load as network
from voice_agent.spoken import word_spans
from voice_agent.testing import tone
from voice_agent.turn_eval import judge, timeline
from voice_agent.turn_eval.caller import Caller
from voice_agent.turn_eval.channel import Ear
from voice_agent.turn_eval.client import Reply
from voice_agent.turn_eval.material import Material
from voice_agent.turn_eval.run import Job, Report, run, summary, with_probes
from voice_agent.turn_eval.scenario import Conversation, Event, load
from voice_agent.turn_eval.stand_ins import FIRST_HZ, STEP_HZ
from voice_agent.turn_eval.trial import Record, Setting, converse
from voice_agent.turn_eval.way import Network

MATERIAL = Material(voices=False)
SILENCE_GRAPH = """{
  "nodes": [
    {"type": "extension", "name": "client", "addon": "client.webrtc"},
    {"type": "extension", "name": "vad", "addon": "vad.silero"},
    {"type": "extension", "name": "stt", "addon": "stt.pocketsphinx"},
    {"type": "extension", "name": "turn", "addon": "turn.silence", "property": {"silence_ms": 500}}
  ],
  "connections": [
    {"extension": "client",
     "audio_frame": [{"name": "pcm_frame", "dest": [{"extension": "vad"}, {"extension": "stt"}]}]},
    {"extension": "stt", "data": [{"name": "asr_result", "dest": [{"extension": "turn"}]}]}
  ]
}"""
"""A timer of known length: what it does is known too."""
RANDOM = 200
"""Conversations; each takes 0.1 s."""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "silence.json"
    path.write_text(SILENCE_GRAPH)
    return path


@pytest.fixture
def setting(graph: Path) -> Setting:
    return Job(str(graph), "fake").setting()


def conversation(*events: dict[str, Any], **more: Any) -> Conversation:
    return Conversation.model_validate({"name": "mine", "events": events, **more})


def turn(say: Any = "where is my order", **more: Any) -> dict[str, Any]:
    return {"label": "turn", "say": say, **more}


def test_a_turn_is_answered_after_the_timer_and_the_stand_ins_delay(setting: Setting) -> None:
    record = converse(conversation(turn(), turn("how long does it take", ms=900)), MATERIAL, setting)
    ended = [n.message.text for n in record.notes if isinstance(n.message, TurnEnded)]
    assert ended == ["where is my order", "how long does it take"]
    rows = judge.rows(record)
    assert [row.answered_s for row in rows] == pytest.approx([0.5 + 0.15, 0.5 + 0.15], abs=0.06)
    assert [row.waited_s for row in rows] == pytest.approx([0.5, 0.5], abs=0.06)
    assert len(record.caller) == len(record.agent)


def test_events_begin_where_the_script_says(setting: Setting) -> None:
    record = converse(
        conversation(
            turn(),
            {"label": "interruption", "when": "agent_begins", "ms": 900, "say": "no stop please"},
            turn("where is it", when="agent_silent", ms=1200),
            {"label": "backchannel", "when": "agent_word", "word": 4, "ms": 0, "say": "okay"},
            {"label": "vocal_tic", "when": "after_previous", "ms": 700, "sound": "cough"},
        ),
        MATERIAL,
        setting,
    )
    first, cut, again, listening, cough = record.placed
    spans = Ear(record.agent).stretches()
    answer = next(span for span in spans if span.start_s > first.end_s)
    assert cut.onset_s - answer.start_s == pytest.approx(0.9, abs=0.021)
    quiet = max(span.end_s for span in spans if span.end_s < again.onset_s)
    assert again.onset_s - quiet == pytest.approx(1.2, abs=0.021)
    heard = [n for n in record.notes if isinstance(n.message, Heard) and n.time_s > again.end_s]
    fourth = next(n.time_s for n in heard if len(word_spans(n.message.text)) >= 4)  # type: ignore[attr-defined]
    assert listening.onset_s - fourth == pytest.approx(0.0, abs=0.021)
    assert cough.start_s - listening.end_s == pytest.approx(0.7, abs=0.021)


def test_an_event_whose_moment_never_comes_is_left_out(setting: Setting) -> None:
    late = {"label": "backchannel", "when": "agent_word", "word": 190, "say": "okay"}
    record = converse(conversation(turn(), late), MATERIAL, setting)
    assert (len(record.placed), record.left_out) == (1, [1])


def test_a_pause_longer_than_the_timer_is_a_cut_off_and_a_shorter_one_is_not(setting: Setting) -> None:
    record = converse(
        conversation(turn(["my number is", 300, "one two", 900, "three four"])), MATERIAL, setting
    )
    row = judge.rows(record)[0]
    assert (row.pauses, row.cut_pauses) == (2, 1)


def test_probes_tell_how_long_the_timer_would_wait(graph: Path) -> None:
    one = conversation(turn(["my number is", 300, "one two", 900, "three four"]))
    report = run(with_probes([one]), Job(str(graph), "fake"))
    assert [hold.lasts_s for hold in report.holds] == [0.3, 0.9]
    assert [hold.waited_s for hold in report.holds] == pytest.approx([0.5, 0.5], abs=0.06)
    found = {figure.name: figure for group in report.figures().values() for figure in group}
    assert found["false cut-offs"].value == 50
    assert found["false cut-offs at 600 ms"].value == 50
    assert found["latency at 5 % cut-offs"].value == pytest.approx(900, abs=50)


def test_the_same_seed_is_the_same_conversation(setting: Setting) -> None:
    one = conversation(turn(), {"label": "vocal_tic", "when": "agent_begins", "ms": 700, "sound": "laugh"})
    first, second = converse(one, MATERIAL, setting), converse(one, MATERIAL, setting)
    assert (first.agent == second.agent).all()
    assert [(note.time_s, repr(note.message)) for note in first.notes] == [
        (note.time_s, repr(note.message)) for note in second.notes
    ]


def test_all_that_come_along_run_and_are_told_as_text_json_and_pictures(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOICE_AGENT_DATA", raising=False)
    out, pictures = tmp_path / "out.json", tmp_path / "pictures"
    arguments = ["--graph", str(graph), "--nodes", "fake", "--json", str(out), "--timeline", str(pictures)]
    assert cli.main(["turn-eval", *arguments]) == 0
    text = capsys.readouterr().out
    told = json.loads(out.read_text())
    figures = {one["name"]: one for group in told["figures"].values() for one in group}
    for name in ("L_R", "L_Y", "R_R", "R_Y", "I_A", "S_BC", "S_VT", "S_ND"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE)
        assert figures[name]["n"] >= 10
    assert figures["R_R"]["value"] == 100
    assert figures["R_Y"]["value"] == 100  # a timer stops at everything
    assert figures["S_BC"]["value"] == 0
    assert figures["hold recall"]["value"] == 0  # and has no idea of waiting
    assert figures["histories that differ"]["value"] == 0
    assert len(list(pictures.iterdir())) == len(told["conversations"]) >= 120


def test_a_picture_shows_both_channels_words_and_decisions(setting: Setting) -> None:
    record = converse(
        conversation(
            turn("where is <my> order"), {"label": "correction", "when": "agent_begins", "say": "no"}
        ),
        MATERIAL,
        setting,
    )
    picture = timeline.draw(record, judge.rows(record))
    assert picture.count("<path") == 2
    for text in (
        "turn: where is &lt;my&gt; order",
        "floor to the caller",
        "turn 2 ended: where is",
        "reply 2 cut",
    ):
        assert text in picture


def test_on_a_network_the_sound_takes_its_time(graph: Path) -> None:
    near = converse(conversation(turn()), MATERIAL, Job(str(graph), "fake").setting())
    far = converse(conversation(turn()), MATERIAL, Job(str(graph), "fake", network="4g_typical").setting())
    difference = (judge.rows(far)[0].answered_s or 0) - (judge.rows(near)[0].answered_s or 0)
    assert 0.05 < difference < 0.4  # 27 ms each way, jitter, a loudspeaker's buffer of 40 ms


def test_nothing_of_a_voice_is_lost_on_a_perfect_network() -> None:
    way = Network(network("loopback"), "down", 1)
    voice = tone(1.0)
    heard = []
    for number in range(60):
        piece = voice[320 * number : 320 * (number + 1)]
        way.push(piece if len(piece) else np.zeros(320, np.int16), number * 0.02)
        heard.append(way.take(number * 0.02))
    spans = Ear(np.concatenate(heard)).stretches()
    assert len(spans) == 1
    assert spans[0].end_s - spans[0].start_s == pytest.approx(1.0, abs=0.02)
    assert spans[0].start_s == pytest.approx(0.0465, abs=0.02)  # the buffer, and Opus' look-ahead of 6.5 ms


def test_a_caller_waits_for_an_answer_that_never_comes_and_goes_on() -> None:
    events = (Event(label="turn", say=("x",)), Event(label="turn", say=("y",)))
    script = Conversation(name="mine", events=events)
    caller = Caller(script, MATERIAL.events(script))
    now_s = 0.0
    while not caller.over:
        caller.speak(now_s)
        caller.listen(np.zeros(320, np.int16), 0)
        now_s += 0.02
    first, second = caller.placed
    assert first.start_s == pytest.approx(6.0, abs=0.021)  # no greeting either
    assert second.start_s - first.end_s == pytest.approx(6.0, abs=0.041)


def words_heard(record: Record, reply: int) -> int:
    """How many words of a reply could be heard: each is a tone of its own."""
    times = [note for note in record.notes if isinstance(note.message, Heard) and note.message.reply == reply]
    first, last = times[0].time_s, times[-1].time_s + 0.04
    ear = record.agent[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)].astype(np.float64)
    found: dict[int, int] = {}
    for at in range(0, len(ear) - 640, 320):
        piece = ear[at : at + 640] * np.hanning(640)
        spectrum = np.abs(np.fft.rfft(piece, 2048))
        if spectrum.max() > 20_000:
            hertz = float(np.argmax(spectrum)) * SAMPLE_RATE / 2048
            word = round((hertz - FIRST_HZ) / STEP_HZ)
            found[word] = found.get(word, 0) + 1
    return sum(count >= 3 for count in found.values())


def random_conversation(number: int) -> Conversation:
    """Two to four events at random moments."""
    dice = random.Random(number)
    texts = [
        "where is my order",
        "no stop",
        "wait a second",
        "okay",
        "how much does it cost and when will it come",
    ]
    events = [turn(dice.choice(texts))]
    for _ in range(dice.randint(1, 3)):
        kind = dice.choice(["interruption", "backchannel", "vocal_tic", "turn", "paused"])
        moment = {
            "when": dice.choice(["agent_begins", "agent_silent", "after_previous"]),
            "ms": dice.randint(0, 2500),
        }
        if kind == "vocal_tic":
            events.append({"label": kind, "sound": dice.choice(["cough", "laugh", "throat"]), **moment})
        elif kind == "paused":
            said = ["it is", dice.randint(200, 1500), "one two three"]
            events.append(turn(said, **moment))
        else:
            events.append({"label": kind, "say": dice.choice(texts), **moment})
    return conversation(*events, name=f"random-{number}")


def check(record: Record) -> None:
    """What must hold in every conversation."""
    assert judge.history_differs(record) == 0
    heard = [note.message for note in record.notes if isinstance(note.message, Heard)]
    replies = [reply for reply, _ in itertools.groupby(message.reply for message in heard)]
    assert len(replies) == len(set(replies)), "two replies at once"
    for reply in set(replies):
        told = [message.text for message in heard if message.reply == reply][-1]
        assert abs(words_heard(record, reply) - len(word_spans(told))) <= 1, (reply, told)


@pytest.mark.slow
def test_in_any_conversation_the_history_is_what_was_heard(setting: Setting) -> None:
    report = Report()
    for number in range(RANDOM):
        record = converse(random_conversation(number), MATERIAL, setting)
        check(record)
        report.outcomes.append(summary(record))
    assert len(report.rows) > 2 * RANDOM


def test_a_reply_is_joined_from_the_stretches_of_its_voice() -> None:
    half = np.ones(8000, np.int16)
    pieces = [
        Speech(half, "One two.", (Word("One", 0.0, 0.4),)),
        Speech(half),
        Speech(half, "Three.", (Word("Three.", 0, 0.3),)),
    ]
    reply = Reply.of(pieces)
    assert (reply.text, len(reply.voice)) == ("One two. Three.", 24_000)
    assert [word.start_s for word in reply.words] == [0.0, 1.0]


def test_those_that_come_along_have_a_voice_for_every_language_they_speak() -> None:
    spoken = Material(voices=True)
    for one in load():
        assert list(spoken._lines(one))
