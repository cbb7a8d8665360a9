"""An embedded recogniser for English: pocketsphinx, with a language model made of the vertical's sentences.

It knows only the words callers are expected to say, so it needs no download and answers within milliseconds;
what is said outside them comes out as something else, with a low confidence. Good enough for a
demonstration; stt.faster_whisper and stt.openai are the better ones.

pocketsphinx holds Python's global lock while it works, so that no thread would hide what it costs: frames
are decoded inline, 0.7 ms each. Its second pass at the end of an utterance ("fwdflat") is off: it stops the
process for 20-60 ms for one or two words in a hundred; without it the end takes 3 ms.
"""

import asyncio
import logging
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pocketsphinx
from pydantic import Field

from extensions.stt import _language_model, _pronunciation
from extensions.stt._utterance import PreRoll
from voice_agent import audio
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import ModelError
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Expecting,
    Message,
    Samples,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)

log = logging.getLogger(__name__)
LANGUAGE = "en"
NO_SOUND: Samples = np.zeros(0, np.int16)
OPENING_S = 0.7
"""What is heard of an utterance before it is decoded, to get used to the voice and the line; see Ear."""
OPENING_LEAD_S = 0.1
"""Of that lies before the VAD's start."""
MIN_OPENING_S = 0.2
"""Less says nothing about a voice."""
BACKLOG_STEP = 5
"""Frames decoded for each one that arrives while what came before is caught up with: 3 ms at a time."""
Answer = Literal["free", "digits"]
NUMBER = re.compile(
    rf"\b(?:{'|'.join(_language_model.DIGITS)})(?: (?:{'|'.join(_language_model.DIGITS)}))+\b"
)
NUMBER_WEIGHT = 100
"""When digits are expected, sentences with a number in them count so many times; the others are still
there, for a caller who says something else. 12.5 to 8.6 % of the words of random numbers wrong
(benchmarks.embedded_recogniser)."""
INTERIM_S = 0.2
"""Interim texts are at least so far apart."""

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
CONFIDENCE = (94.0, 4.4, 3.2)
"""Logistic regression of "three words in four are right or more" against "fewer than two in five": weights
of the log10 probability of the words for each 10 ms of speech (nonsense is decoded as many short, unlikely
words), of the mean posterior of a word, and a constant. Fitted to 651 utterances of five synthetic voices and
of real recordings, each as the first of its call; area under the ROC curve 0.94. Below 0.4 lie 7 % of the
good ones among sentences of the vertical, 18 % among paraphrases of them, and of the wrong ones out of domain
86 % (synthetic) and 95 % (recordings)."""


@dataclass
class PocketsphinxStt(Extension):
    """Decodes while the caller speaks, so that the final text is there a few milliseconds after the end."""

    vertical: str = "customer_service"
    """The vertical whose sentences are expected."""
    pre_roll_s: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sound from before the start of speech, as a VAD hears a soft onset late."""
    max_utterance_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Longer speech is decoded in pieces of this length, so that memory stays bounded."""

    languages = (LANGUAGE,)
    inputs = (AudioFrame, SpeechStarted, SpeechEnded, Expecting)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        _load(self.vertical)
        _analyser()

    async def start(self) -> None:
        self._recogniser: Recogniser | None = None
        if self.session.language.split("-")[0] == LANGUAGE:
            self._recogniser = await asyncio.to_thread(Recogniser, _load(self.vertical))
        else:
            log.warning(
                "%s node '%s' understands English only, not '%s': the caller will not be understood; "
                "use stt.faster_whisper or stt.openai",
                self.session.session_id,
                self.node,
                self.session.language,
            )
        self._pre_roll = PreRoll(self.pre_roll_s)
        self._speaking = False
        self._ended_s = 0.0
        """Audio time at which the speech before ended."""
        self._decoding = False
        """The decoder has begun; before it has, it gets used to the voice."""
        self._opening_from_s = 0.0
        self._backlog: list[AudioFrame] = []
        """Frames of this utterance that are not yet decoded."""
        self._frames_fed = 0
        self._interim = ""
        """The latest interim text."""
        self._interim_due_s = 0.0
        self._pieces: list[Understood] = []
        """What was understood of the parts of an overlong utterance."""

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case AudioFrame() if self._speaking:
                await self._listen(message, emit)
            case AudioFrame():
                self._pre_roll.push(message)
            case SpeechStarted() if not self._speaking:
                self._begin(message)
            case SpeechEnded():
                await emit("asr_result", self._finish(message.time_s))
            case Expecting() if self._recogniser:
                self._recogniser.expect(message.answer)

    def _begin(self, started: SpeechStarted) -> None:
        self._speaking = True
        self._decoding = False
        self._interim = ""
        self._pieces = []
        self._opening_from_s = started.time_s - OPENING_LEAD_S
        self._backlog = self._pre_roll.take(started.time_s, self._ended_s)

    async def _listen(self, frame: AudioFrame, emit: Emit) -> None:
        if not self._recogniser:
            return
        self._backlog.append(frame)
        if not self._decoding:
            if frame.time_s < self._opening_from_s + OPENING_S - audio.FRAME_S:
                return
            self._begin_decoding(self._recogniser)
        self._feed(self._recogniser, BACKLOG_STEP)
        now_s = frame.time_s + audio.FRAME_S
        if now_s < self._interim_due_s:
            return
        text = " ".join([*(piece.text for piece in self._pieces), self._recogniser.interim()]).strip()
        if text and text != self._interim:
            self._interim = text
            self._interim_due_s = now_s + INTERIM_S
            await emit("asr_result", Transcript(text, False, LANGUAGE, end_s=now_s))

    def _begin_decoding(self, recogniser: "Recogniser") -> None:
        self._decoding = True
        self._frames_fed = 0
        opening = [frame.samples for frame in self._backlog if frame.time_s >= self._opening_from_s]
        recogniser.begin(np.concatenate(opening) if opening else NO_SOUND)

    def _feed(self, recogniser: "Recogniser", limit: int) -> None:
        """Decode up to so many frames of the backlog."""
        ready, self._backlog = self._backlog[:limit], self._backlog[limit:]
        for frame in ready:
            recogniser.feed(frame.samples)
            self._frames_fed += 1
            if self._frames_fed * audio.FRAME_S >= self.max_utterance_s:
                self._pieces.append(recogniser.end())
                recogniser.begin()
                self._frames_fed = 0

    def _finish(self, end_s: float) -> Transcript:
        self._ended_s = end_s
        speaking, self._speaking = self._speaking, False
        if not self._recogniser or not speaking:
            return Transcript("", True, self.session.language, 0.0, end_s)
        if not self._decoding:
            self._begin_decoding(self._recogniser)
        self._feed(self._recogniser, len(self._backlog))
        understood = join([*self._pieces, self._recogniser.end()])
        log.debug("%s understood %r", self.session.session_id, understood)
        return Transcript(understood.text, True, LANGUAGE, understood.confidence, end_s)

    async def stop(self) -> None:
        self._recogniser = None


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


@dataclass(frozen=True)
class Knowledge:
    """What a recogniser of one vertical knows; shared by all calls."""

    language_models: Mapping[Answer, _language_model.LanguageModel]
    """By what is expected; all have the same words."""
    pronunciations: dict[str, str]
    arpas: Mapping[Answer, str]


@cache
def _load(vertical: str) -> Knowledge:
    """Build the language model and the dictionary from the vertical's sentences, once per process."""
    sentences = load_vertical(vertical).sentences(LANGUAGE)
    if not sentences:
        raise ModelError(
            f"vertical '{vertical}' has no English sentences, and stt.pocketsphinx knows no others"
        )
    return know(sentences)


def know(sentences: Sequence[str]) -> Knowledge:
    """Learn sentences. Raises ModelError when the package came without its model."""
    dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    if not dictionary.exists():
        raise ModelError(f"{dictionary} is missing: reinstall pocketsphinx from its wheel")
    numbers = [
        sentence for sentence in sentences if NUMBER.search(" ".join(_language_model.words_of(sentence)))
    ]
    models: dict[Answer, _language_model.LanguageModel] = {
        "free": _language_model.train(sentences),
        "digits": _language_model.train([*sentences, *numbers * NUMBER_WEIGHT]),
    }
    pronunciations = _pronunciation.pronounce(models["free"].vocabulary, dictionary)
    return Knowledge(models, pronunciations, {answer: model.to_arpa() for answer, model in models.items()})


class Ear:
    """Gets used to a voice, a microphone and a line: they add a constant to the cepstrum, which is taken off.

    pocketsphinx estimates it while it decodes, from a fixed guess that weighs as much as 5 s of speech, so
    that the first sentence of a call suffers. Here the mean of each utterance's first 0.7 s is taken before
    it is decoded. That halves the words that are wrong in the first sentence of a call (35 to 18 % on six
    synthetic voices; on real recordings of known sentences 6.8 to 4.3 %).
    """

    NEUTRAL = np.array([50.0] + [0.0] * 12)
    """The cepstral mean of nobody in particular; weighs as much as half a second."""
    NEUTRAL_FRAMES = 50
    MEMORY_FRAMES = 500
    """What was heard more than about 5 s of speech ago fades."""

    def __init__(self) -> None:
        self._sum = self.NEUTRAL * self.NEUTRAL_FRAMES
        self._frames = float(self.NEUTRAL_FRAMES)

    def listen(self, samples: Samples) -> None:
        """Take in the opening of an utterance, shape (n,). Takes 4 ms for 0.7 s."""
        if len(samples) < MIN_OPENING_S * audio.SAMPLE_RATE:
            return
        analyser = _analyser()
        analyser.start_utt()
        analyser.process_raw(samples.tobytes(), True, True)
        mean = np.array([float(value) for value in analyser.get_cmn(True).split(",")])
        analyser.end_utt()
        frames = len(samples) * 100 / audio.SAMPLE_RATE
        fade = min(1.0, self.MEMORY_FRAMES / (self._frames + frames))
        self._sum = (self._sum + mean * frames) * fade
        self._frames = (self._frames + frames) * fade

    def cepstral_mean(self) -> str:
        """As pocketsphinx takes it."""
        return ",".join(f"{value:.3f}" for value in self._sum / self._frames)


@cache
def _analyser() -> pocketsphinx.Decoder:
    """A decoder that is only asked for the cepstral mean of a sound, as coarse as possible otherwise; used
    on one thread, between two awaits, so that all calls can share it.
    """
    with tempfile.NamedTemporaryFile("w", prefix="voice-agent-", suffix=".dict") as dictionary:
        dictionary.write("a AH\n")
        dictionary.flush()
        return pocketsphinx.Decoder(
            lm=None, dict=dictionary.name, keyphrase="a", kws_threshold=1.0, ds=4, topn=1, loglevel="FATAL"
        )


class Recogniser:
    """A decoder with the state of one caller: 8 MB, made in 25 ms; the acoustic model is mapped once."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._language_models = knowledge.language_models
        self._expected: Answer = "free"
        self._active: Answer = "free"
        self._ear = Ear()
        with tempfile.TemporaryDirectory(prefix="voice-agent-") as name:  # it reads them now, and only now
            dictionary = Path(name, "words.dict")
            entries = (f"{word} {phones}\n" for word, phones in knowledge.pronunciations.items())
            dictionary.write_text("".join(entries), "utf-8")
            paths: dict[Answer, str] = {answer: str(Path(name, answer)) for answer in knowledge.arpas}
            for answer, arpa in knowledge.arpas.items():
                Path(paths[answer]).write_text(arpa, "utf-8")
            self._decoder = pocketsphinx.Decoder(
                lm=paths["free"], dict=str(dictionary), loglevel="FATAL", fwdflat=False, **TUNING
            )
            self._searches: dict[Answer, str] = {"free": self._decoder.current_search()}
            for answer in paths.keys() - self._searches.keys():
                self._decoder.add_lm_file(answer, paths[answer])
                self._searches[answer] = answer

    def expect(self, answer: Answer) -> None:
        """From the next utterance on, listen for such an answer in the first place."""
        self._expected = answer

    def begin(self, opening: Samples = NO_SOUND) -> None:
        """Start an utterance, whose first sound is `opening`; it is to be fed as well."""
        if self._active != self._expected:
            self._active = self._expected
            self._decoder.activate_search(self._searches[self._active])
        self._ear.listen(opening)
        self._decoder.set_cmn(self._ear.cepstral_mean())
        self._decoder.start_utt()

    def feed(self, samples: Samples) -> None:
        self._decoder.process_raw(samples.tobytes(), False, False)

    def interim(self) -> str:
        """The best guess up to now."""
        guess = self._decoder.hyp()
        return guess.hypstr if guess else ""

    def end(self) -> Understood:
        """Close the utterance and settle what was said."""
        self._decoder.end_utt()
        best = self._decoder.hyp()
        if not best or not best.hypstr:
            return Understood("", 0.0)
        return Understood(best.hypstr, self._confidence())

    def _confidence(self) -> float:
        """How probable it is that most words are right; see CONFIDENCE."""
        segments = [segment for segment in self._decoder.seg() if segment.word[0] not in "<[+"]
        words = [segment.word.partition("(")[0] for segment in segments]
        frames = sum(segment.end_frame - segment.start_frame + 1 for segment in segments)
        language_model = self._language_models[self._active]
        said = [_language_model.START, *words, _language_model.END]
        likelihood = sum(language_model.score(said[i], tuple(said[:i])) for i in range(1, len(said)))
        posterior = sum(segment.prob for segment in segments) / len(segments)
        features = (likelihood / frames, posterior, 1.0)
        evidence = sum(weight * feature for weight, feature in zip(CONFIDENCE, features, strict=True))
        return 1 / (1 + math.exp(-evidence))
