"""When words are spoken: guesses by length against espeak's own events; no written word is left out."""

from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.tts._timing import Pace, spread
from extensions.tts.espeak import EspeakTts
from voice_agent.message import Clause, Speech
from voice_agent.speakable import speakable
from voice_agent.spoken import spread_words, word_spans
from voice_agent.testing import collect, run

CLAUSES = [
    "Your order number 4072 has been shipped and should arrive in 3 days.",
    "It costs $20.50, or $35 with express delivery.",
    "We are open from 9:00 to 18:30, Monday to Saturday.",
    "Please call 555-123-4567 before May 3, 2025.",
    "A refund takes five working days after your parcel is back with us.",
]


def errors_ms(guess: object) -> list[float]:
    """For each word of the clauses how far a guess lies from where espeak says that it begins."""
    found = []
    for text in CLAUSES:
        (speech,) = run(collect(EspeakTts(), Clause(text, final=True, turn=1))).of(Speech)
        duration_s = len(speech.samples) / 16_000
        words = guess(text, duration_s)  # type: ignore[operator]
        found += [abs(a.start_s - b.start_s) * 1000 for a, b in zip(words, speech.words, strict=True)]
    return found


def test_a_guess_goes_by_what_is_said_not_by_what_is_written() -> None:
    by_said = errors_ms(lambda text, duration_s: spread(text, speakable(text), duration_s))
    by_written = errors_ms(spread_words)
    assert median(by_said) < 0.5 * median(by_written)
    assert float(np.percentile(by_said, 90)) < 0.5 * float(np.percentile(by_written, 90))


PIECES = [
    "Pay ",
    "$20.50",
    " now",
    ", ",
    "May 3, 2025",
    "call 555-123-4567",
    "订单号1234",
    "你好",
    "。",
    "**",
    "😀",
    " x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sampled_from(["en", "zh"]))
def test_every_written_word_has_its_time_in_order(text: str, language: str) -> None:
    words = spread(text, speakable(text, language), 2.0)
    assert [word.text for word in words] == [text[start:end] for start, end in word_spans(text)]
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0 <= time <= 2.0 for time in times)


def test_a_pace_is_learned() -> None:
    pace = Pace()
    usual_s = pace.guess_s("a b c d")
    for _ in range(20):
        pace.learn("a b c d", 2 * usual_s)
    assert pace.guess_s("a b c d") == pytest.approx(2 * usual_s, rel=0.01)
    pace.learn("", 1.0)
    assert pace.guess_s("") == 0
