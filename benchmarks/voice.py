"""The voice: how soon a clause is heard, kept or new, and how well the times of its words are known.

    python -m benchmarks.voice [PIPER_VOICE.onnx]

From handing a clause to the node to its first sound, on one event loop with nothing else on it; a new
clause is one that the node has not spoken yet.
"""

import asyncio
import sys
import time
from statistics import median

import numpy as np

from extensions.tts._timing import spread
from extensions.tts.espeak import EspeakTts
from voice_agent import registry
from voice_agent.dialogue.fixed import fixed_texts
from voice_agent.extension import Extension
from voice_agent.message import Clause, Speech
from voice_agent.speakable import speakable
from voice_agent.spoken import spread_words
from voice_agent.testing import attach

SHOP = "customer_service"
LANGUAGES = ("en", "zh")


def clauses() -> list[Clause]:
    """Every fixed clause of the vertical."""
    return [Clause(text, lang, turn=1) for lang in LANGUAGES for text in fixed_texts(SHOP, lang).clauses]


async def first_sound_ms(tts: Extension, texts: list[Clause]) -> tuple[list[float], list[Speech]]:
    """For each clause the time to its first sound."""
    emit = attach(tts)
    await tts.start()
    took = []
    for clause in texts:
        began = time.perf_counter()
        await tts.handle(clause, emit)
        took.append((time.perf_counter() - began) * 1000)
    await tts.stop()
    return took, emit.of(Speech)


def told(name: str, values: list[float], unit: str) -> str:
    p50, p95 = median(values), float(np.percentile(values, 95))
    return f"{name:58} {p50:8.2f} {p95:8.2f} {max(values):8.2f} {unit}, n = {len(values)}"


def lines() -> list[str]:
    """The report."""
    report = [f"{'':58} {'P50':>8} {'P95':>8} {'most':>8}"]
    began = time.perf_counter()
    kept = EspeakTts(vertical=SHOP)
    kept.prepare()
    warming_s = time.perf_counter() - began
    texts = clauses()
    new_ms, speech = asyncio.run(first_sound_ms(EspeakTts(rate_wpm=166), texts))
    kept_ms, _ = asyncio.run(first_sound_ms(kept, texts))
    report.append(told("tts.espeak, first sound of a new clause", new_ms, "ms"))
    report.append(told("tts.espeak, first sound of a kept clause", kept_ms, "ms"))
    shelf = kept._cached().shared
    report.append(f"warmed {len(texts)} clauses in {warming_s:.2f} s: {shelf.bytes / 2**20:.1f} MiB")

    for name, guess in (("what is said", True), ("what is written, as before", False)):
        errors = []
        for clause, each in zip(texts, speech, strict=True):
            length_s = each.words[-1].end_s
            said = speakable(clause.text, clause.language)
            words = spread(clause.text, said, length_s) if guess else spread_words(clause.text, length_s)
            pairs = zip(words, each.words, strict=True)
            errors += [abs(a.start_s - b.start_s) * 1000 for a, b in pairs]
        report.append(told(f"word starts guessed by {name}, error", errors, "ms"))

    cost = []
    for clause in texts * 5:
        began = time.perf_counter()
        speakable(clause.text, clause.language)
        cost.append((time.perf_counter() - began) * 1e6)
    report.append(told("speakable, a clause", cost, "us"))
    return report


def piper_lines(path: str) -> list[str]:
    """The same of a Piper voice in English, with its real-time factor."""
    tts = registry.find("tts.piper")(voices={"en": path})  # type: ignore[call-arg]
    tts.prepare()
    texts = [clause for clause in clauses() if clause.language == "en"][:40]
    new_ms, speech = asyncio.run(first_sound_ms(tts, texts))
    seconds = sum(len(each.samples) for each in speech) / 16_000
    report = [told("tts.piper, first sound of a new clause", new_ms, "ms")]
    return [*report, f"real-time factor {sum(new_ms) / 1000 / seconds:.3f}"]


if __name__ == "__main__":
    written = lines() + (piper_lines(sys.argv[1]) if len(sys.argv) > 1 else [])
    sys.stdout.write("\n".join(written) + "\n")
