"""The cache of rendered clauses: what it keeps, for whom, how much, and how soon a kept clause is heard."""

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.tts import _cache
from extensions.tts._cache import ClauseCache, Rendered, Shelf
from extensions.tts.espeak import EspeakTts
from voice_agent.dialogue.fixed import fixed_texts
from voice_agent.errors import ModelError, TurnError
from voice_agent.message import Clause, Speech
from voice_agent.testing import attach, run

SHOP = "customer_service"
GREETING = "Hello, this is Mia from Juniper Lane."
PRIVATE = "I can't find order 1 2 3 4."
names = count()


@pytest.fixture
def voice() -> str:
    """A voice that no other test has."""
    return f"voice {next(names)}"


def sound(samples: int = 100) -> Rendered:
    return Rendered(np.zeros(samples, np.int16), ())


# --- a shelf --------------------------------------------------------------------------------------


def test_what_was_not_asked_for_the_longest_makes_room() -> None:
    shelf = Shelf(max_bytes=600)
    for text in "abc":
        shelf.put(("en", text), sound())
    assert shelf.get(("en", "a"))
    shelf.put(("en", "d"), sound())
    assert [text for text in "abcd" if shelf.get(("en", text))] == ["a", "c", "d"]
    shelf.put(("en", "e"), sound(301))
    assert shelf.get(("en", "e")) is None and shelf.bytes == 600, "larger than the shelf"


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60)), max_size=40))
def test_its_bytes_are_counted_and_bounded(puts: list[tuple[str, int]]) -> None:
    shelf = Shelf(max_bytes=100)
    for text, samples in puts:
        shelf.put(("en", text), sound(samples))
        kept = [rendered for each in "abcdef" if (rendered := shelf.get(("en", each)))]
        assert shelf.bytes == sum(rendered.size for rendered in kept) <= 100


def test_what_is_kept_cannot_be_written_to() -> None:
    shelf = Shelf(1000)
    shelf.put(("en", "a"), sound())
    rendered = shelf.get(("en", "a"))
    assert rendered is not None
    with pytest.raises(ValueError, match="read-only"):
        rendered.samples[0] = 1


# --- what is kept, and for whom -------------------------------------------------------------------


def test_fixed_clauses_are_for_all_calls_and_the_rest_for_its_own(voice: str) -> None:
    one, other = (ClauseCache(voice, SHOP, 1) for _ in range(2))
    fixed, private = Clause(GREETING), Clause(PRIVATE)
    one.keep(fixed, sound())
    one.keep(private, sound())
    assert one.get(fixed) and one.get(private)
    assert other.get(fixed) and not other.get(private)
    assert not ClauseCache(f"{voice}, faster", SHOP, 1).get(fixed), "another voice"
    assert not other.get(Clause(GREETING, "zh")), "another language"
    one.forget()
    assert one.get(fixed) and not one.get(private)


def test_without_a_vertical_nothing_outlives_the_call(voice: str) -> None:
    one = ClauseCache(voice, "", 1)
    one.keep(Clause("Hello."), sound())
    assert one.get(Clause("Hello.")) and not ClauseCache(voice, "", 1).get(Clause("Hello."))
    assert one.shared.bytes == 0


def say(tts: EspeakTts, *texts: str) -> list[Speech]:
    """Speak clauses in one call."""

    async def main() -> list[Speech]:
        emit = attach(tts)
        await tts.start()
        for text in texts:
            await tts.handle(Clause(text, final=True, turn=1), emit)
        await tts.stop()
        return emit.of(Speech)

    return run(main())


def test_a_clause_is_synthesised_once_with_the_same_words() -> None:
    first, again = say(EspeakTts(rate_wpm=170), PRIVATE, PRIVATE)
    assert again.samples is first.samples and again.words == first.words
    (later,) = say(EspeakTts(rate_wpm=170), PRIVATE)
    assert later.samples is not first.samples, "another call's"


def test_a_pause_follows_a_kept_clause_too() -> None:
    async def main() -> list[Speech]:
        tts = EspeakTts()
        emit = attach(tts)
        await tts.start()
        for final in (True, False):
            await tts.handle(Clause("Yes.", final=final, turn=1), emit)
        return emit.of(Speech)

    last, middle = run(main())
    assert len(middle.samples) - len(last.samples) == pytest.approx(0.18 * 16_000, abs=1)


def test_a_clause_that_is_cut_is_not_kept() -> None:
    async def main() -> tuple[object, int]:
        tts = EspeakTts()
        emit = attach(tts)
        await tts.start()
        clause = Clause("and so on " * 500, turn=1)
        speaking = asyncio.create_task(tts.handle(clause, emit))
        await asyncio.sleep(0)
        speaking.cancel()
        await asyncio.wait({speaking})
        return tts._cache.get(clause), len(emit)

    assert run(main()) == (None, 0)


# --- warming --------------------------------------------------------------------------------------


def test_the_vertical_s_clauses_are_ready_before_the_first_call_and_cost_no_synthesis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tts = EspeakTts(rate_wpm=180, vertical=SHOP)
    tts.prepare()
    texts = fixed_texts(SHOP, "en").clauses
    ready = tts._cached()
    assert all(ready.get(Clause(text)) for text in texts)
    assert all(ready.get(Clause(text, "zh")) for text in fixed_texts(SHOP, "zh").clauses)

    async def main() -> list[Speech]:
        emit = attach(tts)
        await tts.start()
        for text in texts:
            await tts.handle(Clause(text, turn=1), emit)
        return emit.of(Speech)

    monkeypatch.setattr(tts, "_speak", None)  # a synthesis would fail
    said = run(main())
    assert len(said) == len(texts) and all(len(speech.samples) and speech.words for speech in said)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Warming goes on behind the caller's back from the start."""
    monkeypatch.setattr(_cache, "WAIT_S", 0.0)
    yield
    for thread in threading.enumerate():
        if thread.name == "warm voice":
            thread.join(5)


@pytest.mark.usefixtures("patience")
def test_a_slow_voice_is_warmed_once_while_calls_come_and_they_go_first(voice: str) -> None:
    cache = ClauseCache(voice, SHOP, 1)
    rendered: list[str] = []
    held, more = threading.Event(), threading.Event()

    def render(clause: Clause) -> Rendered:
        rendered.append(clause.text)
        held.set()
        more.wait(5)
        return sound(1)

    cache.warm(render, ["en"])
    assert held.wait(5) and rendered == [GREETING], "`warm` has returned, its thread is at work"
    cache.warm(render, ["en"])
    with cache.shared.speaking():
        more.set()
        deadline = time.perf_counter() + 60
        while not cache.get(Clause(GREETING)):  # its thread needs the processor for a moment
            assert time.perf_counter() < deadline
        assert rendered == [GREETING], "a caller waits for the voice"
    for thread in threading.enumerate():
        if thread.name == "warm voice":
            thread.join(5)
    assert rendered == list(fixed_texts(SHOP, "en").clauses), "each once"


def test_warming_fills_the_shelf_and_throws_nothing_out(voice: str) -> None:
    cache = ClauseCache(voice, SHOP, 1)
    cache.warm(lambda clause: sound(100_000), ["en", "zh"])
    texts = [("en", text) for text in fixed_texts(SHOP, "en").clauses]
    kept = [text for language, text in texts if cache.get(Clause(text, language))]
    assert kept == [text for _, text in texts[: len(kept)]] and len(kept) in (2, 3)
    assert cache.get(Clause(fixed_texts(SHOP, "zh").clauses[0], "zh")), "languages take turns"


def test_a_voice_that_fails_stops_warming_and_not_the_server(
    voice: str, caplog: pytest.LogCaptureFixture
) -> None:
    def render(clause: Clause) -> Rendered:
        raise TurnError("no voice today")

    cache = ClauseCache(voice, SHOP, 1)
    cache.warm(render, ["en"])
    assert cache.shared.bytes == 0 and "no voice today" in caplog.text


def test_a_language_the_vertical_lacks_is_left_out(voice: str) -> None:
    cache = ClauseCache(voice, SHOP, 1)
    cache.warm(lambda clause: sound(), ["fr"])
    assert cache.shared.bytes == 0 and not cache.shared.warmed


def test_an_unknown_vertical_is_named_before_any_call(voice: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown vertical 'none'"):
        ClauseCache(voice, "none", 1).warm(lambda clause: sound(), ["en"])
