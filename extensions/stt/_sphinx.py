"""pocketsphinx's decoders with the state of one caller: a language model, and beside it a grammar.

The language model hears all that the vertical expects. When a number, a code or an address was asked for, the
grammar of it listens to the same sound; its text is taken if it fits the sound about as well.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pocketsphinx

from extensions.stt import _language_model
from extensions.stt._ear import Ear
from extensions.stt._grammar import is_answer, written
from extensions.stt._knowledge import Grammar, Knowledge
from voice_agent.message import Answer, Samples

NO_SOUND: Samples = np.zeros(0, np.int16)
TUNING = {
    "lw": 9.0,
    "bestpathlw": 12.0,
    "beam": 1e-60,
    "wbeam": 1e-48,
    "pbeam": 1e-60,
    "lpbeam": 1e-56,
    "lponlybeam": 1e-48,
}
"""Weights of the language model, above the package's 6.5 and 9.5: 16 against 19 % of words wrong. Beams wider
than its own, which lost the right word before the language model could speak for it: "one two three four"
ended in "color" in 11 of 40 calls with varied level, noise and timing, now in none, for a sixth more time."""
NUMBER_TUNING = {"lw": 6.5, "wip": 0.01, "bestpath": False}
SPELLING_TUNING = {"lw": 6.5, "wip": 1e-4, "bestpath": False, "beam": 1e-70, "pbeam": 1e-70, "wbeam": 1e-55}
"""For grammars. The penalty for each word is below the package's 0.65, without which digits are put in where
there are none: 3.8 against 6.7 % of them wrong. With its own beams, some codes had no end. No lattice: of a
grammar that holds many short words it takes minutes."""
CONFIDENCE = (94.0, 4.4, 3.2)
"""Logistic regression of "three words in four are right or more" against "fewer than two in five": weights
of the log10 probability of the words for each 10 ms of speech (nonsense is decoded as many short, unlikely
words), of the mean posterior of a word, and a constant. Fitted to 651 utterances of five synthetic voices and
of real recordings, each as the first of its call; area under the ROC curve 0.94. Below 0.4 lie 7 % of the
good ones among sentences of the vertical, 18 % among paraphrases of them, and of the wrong ones out of domain
86 % (synthetic) and 95 % (recordings)."""


@dataclass(frozen=True, slots=True)
class Understood:
    """The words of an utterance, and how far they can be trusted: 0..1."""

    text: str
    confidence: float


def join(pieces: Sequence[Understood]) -> Understood:
    """The parts of an utterance as one; its confidence is the mean over its words."""
    spoken = [(piece, len(piece.text.split())) for piece in pieces if piece.text]
    words = sum(count for _, count in spoken)
    confidence = sum(piece.confidence * count for piece, count in spoken) / words if words else 0.0
    return Understood(" ".join(piece.text for piece, _ in spoken), confidence)


def agreement(first: str, second: str) -> float:
    """How far two texts of one sound have the same words in the same order: 0..1."""
    return SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()


class Recogniser:
    """Decoders with the state of one caller: 8 MB, made in 25 ms, and as much again for a grammar when one is
    needed; the acoustic model is mapped once.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._expected: Answer = "free"
        self._active: Answer = "free"
        self._ear = Ear()
        with tempfile.TemporaryDirectory(prefix="voice-agent-") as name:  # it reads them now, and only now
            paths: dict[Answer, str] = {answer: str(Path(name, answer)) for answer in knowledge.arpas}
            for answer, arpa in knowledge.arpas.items():
                Path(paths[answer]).write_text(arpa, "utf-8")
            self._decoder = pocketsphinx.Decoder(
                lm=paths["free"],
                dict=_dictionary(knowledge.pronunciations, Path(name, "words.dict")),
                loglevel="FATAL",
                fwdflat=False,
                **TUNING,
            )
            self._searches: dict[Answer, str] = {"free": self._decoder.current_search()}
            for answer in paths.keys() - self._searches.keys():
                self._decoder.add_lm_file(answer, paths[answer])
                self._searches[answer] = answer
        self._grammars: dict[Answer, pocketsphinx.Decoder] = {}
        self._beside: pocketsphinx.Decoder | None = None
        """The grammar that listens to this utterance, if any."""

    def expect(self, answer: Answer) -> None:
        """From the next utterance on, listen for such an answer in the first place. Takes 25 ms the first
        time.
        """
        grammar = self._knowledge.grammars.get(answer)
        if grammar and answer not in self._grammars:
            self._grammars[answer] = _grammar_decoder(
                grammar, NUMBER_TUNING if answer == "digits" else SPELLING_TUNING
            )
        self._expected = answer if answer in self._searches else "free"

    def begin(self, opening: Samples = NO_SOUND) -> None:
        """Start an utterance, whose first sound is `opening`; it is to be fed as well."""
        if self._active != self._expected:
            self._active = self._expected
            self._decoder.activate_search(self._searches[self._active])
        self._beside = self._grammars.get(self._active)
        self._ear.listen(opening)
        for decoder in self._listening:
            decoder.set_cmn(self._ear.cepstral_mean())
            decoder.start_utt()

    def feed(self, samples: Samples) -> None:
        sound = samples.tobytes()
        for decoder in self._listening:
            decoder.process_raw(sound, False, False)

    def interim(self) -> str:
        """The best guess up to now."""
        guess = self._decoder.hyp()
        return guess.hypstr if guess else ""

    def end(self) -> Understood:
        """Close the utterance and settle what was said."""
        for decoder in self._listening:
            decoder.end_utt()
        best = self._decoder.hyp()
        if not best or not best.hypstr:
            return Understood("", 0.0)
        understood = Understood(best.hypstr, self._confidence())
        answer = self._beside.hyp() if self._beside else None
        if answer and answer.hypstr and is_answer(self._active, understood.text):
            text = written(answer.hypstr)
            return Understood(text, max(understood.confidence, agreement(text, understood.text)))
        return understood

    @property
    def _listening(self) -> list[pocketsphinx.Decoder]:
        return [self._decoder, self._beside] if self._beside else [self._decoder]

    def _confidence(self) -> float:
        """How probable it is that most words are right; see CONFIDENCE."""
        segments = [segment for segment in self._decoder.seg() if segment.word[0] not in "<[+"]
        words = [segment.word.partition("(")[0] for segment in segments]
        frames = sum(segment.end_frame - segment.start_frame + 1 for segment in segments)
        language_model = self._knowledge.language_models[self._active]
        said = [_language_model.START, *words, _language_model.END]
        likelihood = sum(language_model.score(said[i], tuple(said[:i])) for i in range(1, len(said)))
        posterior = sum(segment.prob for segment in segments) / len(segments)
        features = (likelihood / frames, posterior, 1.0)
        evidence = sum(weight * feature for weight, feature in zip(CONFIDENCE, features, strict=True))
        return 1 / (1 + math.exp(-evidence))


def _grammar_decoder(grammar: Grammar, tuning: Mapping[str, float | bool]) -> pocketsphinx.Decoder:
    with tempfile.TemporaryDirectory(prefix="voice-agent-") as name:
        dictionary = _dictionary(grammar.pronunciations, Path(name, "words.dict"))
        decoder = pocketsphinx.Decoder(lm=None, dict=dictionary, loglevel="FATAL", **tuning)
    decoder.add_jsgf_string("answer", grammar.jsgf)
    decoder.activate_search("answer")
    return decoder


def _dictionary(pronunciations: Mapping[str, str], path: Path) -> str:
    """Write them as pocketsphinx reads them; the path."""
    path.write_text("".join(f"{word} {phones}\n" for word, phones in pronunciations.items()), "utf-8")
    return str(path)
