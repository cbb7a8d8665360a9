"""tts.espeak: real synthesis; words where they sound; cancellation; wrong voices."""

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from extensions.tts import _espeak
from extensions.tts.espeak import EspeakTts
from voice_agent.audio import FRAME, SAMPLE_RATE, level_db
from voice_agent.errors import ModelError, TurnError
from voice_agent.media.playout import Playout
from voice_agent.message import Clause, Samples, Speech
from voice_agent.testing import attach, collect, run


def say(text: str, language: str = "en", *, final: bool = True, tts: EspeakTts | None = None) -> Speech:
    (speech,) = run(collect(tts or EspeakTts(), Clause(text, language, final, turn=1))).of(Speech)
    return speech


def loudest_db(samples: Samples) -> float:
    return max(level_db(samples[at : at + FRAME]) for at in range(0, len(samples), FRAME))


def alike(one: Samples, other: Samples) -> bool:
    """Whether two renderings are the same speech. Not bit for bit: espeak's breath is random noise."""
    if abs(len(one) - len(other)) > 2 * FRAME:
        return False
    count = min(len(one), len(other)) // FRAME
    first, second = (
        np.square(samples[: count * FRAME].astype(float)).reshape(count, FRAME).mean(axis=1)
        for samples in (one, other)
    )
    return bool(np.corrcoef(first, second)[0, 1] > 0.9)


@pytest.mark.parametrize(
    ("text", "language", "least_s", "most_s"),
    [
        ("Hello, how can I help you today?", "en", 1.2, 2.5),
        ("您好，请问有什么可以帮您？", "zh", 1.8, 4.0),
        ("Bonjour, comment allez-vous ?", "fr", 0.8, 2.5),
        ("Wir sagen 你好 heute", "en-GB", 1.0, 3.5),
    ],
)
def test_it_speaks(text: str, language: str, least_s: float, most_s: float) -> None:
    speech = say(text, language)
    assert speech.text == text and speech.final and speech.samples.dtype == np.int16
    assert least_s < len(speech.samples) / SAMPLE_RATE < most_s
    assert -24 < level_db(speech.samples) < -18
    assert np.abs(speech.samples.astype(int)).max() < 0.95 * 32768, "not clipped"
    edge = SAMPLE_RATE // 20
    assert loudest_db(speech.samples[:edge]) > -50 and loudest_db(speech.samples[-edge:]) > -50, "trimmed"


def test_each_word_begins_where_it_sounds() -> None:
    """A pause of espeak's parts the sentences: the word after it must begin with the sound after it."""
    text = "Yes. Morning."
    speech = say(text)
    yes, morning = speech.words
    assert (yes.text, morning.text) == ("Yes.", "Morning.")
    at = round(morning.start_s * SAMPLE_RATE)
    before, after = speech.samples[at - FRAME : at], speech.samples[at : at + 4 * FRAME]
    assert level_db(before) < -50 < -30 < loudest_db(after)
    assert morning.end_s == len(speech.samples) / SAMPLE_RATE


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("It's $20.50 at 10:30!", "en", ["It's", "$20.50", "at", "10:30!"]),
        ("Order #1234, **please**, at https://shop.example/x", "en",
         ["Order", "#1234,", "**please**,", "at", "https://shop.example/x"]),
        ("订单1234很好。", "zh", ["订", "单", "1234", "很", "好"]),
    ],
)  # fmt: skip
def test_words_are_those_of_the_clause_as_written(text: str, language: str, words: list[str]) -> None:
    speech = say(text, language)
    assert [word.text for word in speech.words] == words
    times = [time for word in speech.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times) and times[0] == 0
    assert all(word.end_s - word.start_s > 0.04 for word in speech.words)


def test_digits_are_said_one_by_one_where_the_text_says_number() -> None:
    number, amount = say("order number 1234"), say("these orders, 1234")
    assert number.words[-1].end_s - number.words[-1].start_s > 1.0
    assert number.words[-1].text == amount.words[-1].text == "1234"


def test_a_pause_follows_unless_it_is_the_end() -> None:
    last, sentence, comma = (
        len(say(text, final=final).samples) / SAMPLE_RATE
        for text, final in (("Yes.", True), ("Yes.", False), ("Yes,", False))
    )
    assert sentence - last == pytest.approx(0.18, abs=0.01)
    assert 0.05 < comma - last < 0.18


def test_level_is_as_configured() -> None:
    text = "The quick brown fox jumps over the lazy dog"
    loud, quiet = (say(text, tts=EspeakTts(level_db=level)) for level in (-20, -30))
    assert level_db(loud.samples) - level_db(quiet.samples) == pytest.approx(10, abs=0.5)


def test_rate() -> None:
    text = "The quick brown fox jumps over the lazy dog"
    slow, fast = (len(say(text, tts=EspeakTts(rate_wpm=rate)).samples) for rate in (120, 240))
    assert 1.5 < slow / fast < 2.5


@pytest.mark.parametrize("text", ["", "…", "👍", "**"])
def test_nothing_to_say_is_only_an_end(text: str) -> None:
    speech = say(text)
    assert (len(speech.samples), speech.text, speech.final) == (0, text, True)


def test_nothing_at_all_is_not_sent() -> None:
    assert not run(collect(EspeakTts(), Clause("", turn=1)))


def test_an_unknown_voice_is_known_before_any_call() -> None:
    with pytest.raises(ModelError, match="no voice xx-none"):
        EspeakTts(voices={"en": "xx-none"}).prepare()


def test_an_unknown_language_fails_the_reply_only() -> None:
    with pytest.raises(TurnError, match="language 'xx-none'"):
        say("hm", "xx-none")
    assert len(say("Still here.").samples)


@pytest.mark.parametrize("wrong", [{"rate_wpm": 10}, {"pitch": 101}, {"level_db": 0}, {"voices": 3}])
def test_config_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EspeakTts).validate_python(wrong)


def test_cancelling_stops_the_synthesis_and_harms_no_other() -> None:
    """Real clock: a text of half an hour is abandoned, and the next caller's clause is spoken."""

    async def main() -> Samples:
        tts = EspeakTts()
        emit = attach(tts)
        await tts.start()
        endless = asyncio.create_task(tts.handle(Clause("and so on " * 3000, turn=1), emit))
        await asyncio.to_thread(lambda: None)  # the endless one is now at work
        endless.cancel()
        await tts.handle(Clause("I am alone.", final=True, turn=2), emit)
        assert endless.cancelled()
        (speech,) = emit.of(Speech)
        return speech.samples

    assert alike(asyncio.run(main()), say("I am alone.").samples)


def test_an_abandoned_text_yields_only_its_beginning() -> None:
    abandoned = threading.Event()
    abandoned.set()
    engine = _espeak.engine()
    voice = _espeak.Voice("en-us", 165, 50)
    utterance = engine.thread.submit(engine.speak, "and so on " * 100, voice, abandoned).result()
    assert 0 < len(utterance.samples) <= utterance.sample_rate // 10


def test_many_calls_at_once_do_not_mix() -> None:
    texts = [("One two three.", "en"), ("一二三。", "zh"), ("I am alone now.", "en")]

    async def main() -> list[Speech]:
        tts = EspeakTts()
        emit = attach(tts)
        await tts.start()
        await asyncio.gather(*(tts.handle(Clause(t, lang, True, turn=1), emit) for t, lang in texts * 4))
        return emit.of(Speech)

    alone = {text: say(text, lang).samples for text, lang in texts}
    spoken = run(main())
    assert sorted(speech.text for speech in spoken) == sorted(text for text, _ in texts * 4)
    for speech in spoken:
        assert [text for text in alone if alike(speech.samples, alone[text])] == [speech.text]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["Hi", "你好", "😀", "*", "#12345", " ", ",", "。", "a@b.com", "\x00", "\n"]))
)
def test_playout_can_follow_whatever_is_said(pieces: list[str]) -> None:
    text = "".join(pieces)
    speech = say(text, "zh")
    playout = Playout()
    playout.push(speech)
    while playout.pending_s:
        playout.pull()
    playout.pull()
    assert playout.progress()[-1].text == text
