"""Recognition by Whisper on this machine, with CTranslate2: English, Chinese and some hundred languages more.

Whisper is no streaming model. It is made one by decoding all that was said so far again and again while the
caller speaks; what two decodes in a row agree on is settled (_agreement.py). The final decode starts at the
first hint of an end (`SpeechPaused`, the first silence; else `SpeechEnded`), so that it is done before the
silence that ends a turn is over, mostly before the end itself is known; when speech goes on it is thrown
away, and the sound is decoded together with what follows.
"""

import asyncio
import logging
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from extensions.stt._agreement import Agreement
from extensions.stt._made_up import DOUBTED, NOTHING, Understood, is_silent, judge
from extensions.stt._utterance import PreRoll, add
from voice_agent import audio
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import ModelError, requires
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Message,
    Samples,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
)
from voice_agent.spoken import join

with requires("whisper"):
    from extensions.stt._whisper import WINDOW_S, Hypothesis, Request, Whisper, load

log = logging.getLogger(__name__)
MIN_SPEECH_S = 0.1
MAX_WAITING = 4
"""More stretches of speech than this in the queue: new ones are given up, or answers would be ever later."""
MIN_INTERIM_S = 0.3
"""Of less sound than this no word is known."""
INTERIM_PAUSE = 4.0
"""After an interim decode comes so many times the time it took, queueing included, without one: interims take
a fifth of the model's time at most, and give way by themselves where many calls share it."""
PAUSE_DB = 20.0
"""A frame so far below the loudest of the speech may be the beginning of its end: no interim decode starts
then, so that the final one has the processor, and with `at_once` 1 the thread, to itself."""
RESUME_S = 1.0
"""Speech that goes on so soon may belong to the sentence before."""
PROMPT_CHARS = 400
"""About 100 tokens: a longer prompt costs more time than it helps."""


@dataclass(frozen=True)
class Early:
    """A final decode made ahead, at a pause that may turn out to be the end."""

    paused_s: float
    """Audio time just after the last voiced sample then."""
    guess: Hypothesis | None
    """None for silence."""


@dataclass
class Speech:
    """A stretch of speech, or a part of a long one."""

    frames: deque[AudioFrame] = field(default_factory=deque)
    agreement: Agreement = field(default_factory=Agreement)
    language: str = ""
    """As detected; "" while it is not known."""
    loudest_db: float = audio.SILENCE_DB
    """RMS level of its loudest frame."""
    end_s: float | None = None
    """Audio time of its end; None while it goes on, and for a part that is not the last."""
    paused_s: float | None = None
    """Audio time of the latest hint of an end; None before the first."""
    early: Early | None = None
    """What was decoded at that hint."""
    resumed: bool = False
    """It went on before it was transcribed: it is part of the next."""

    def samples(self) -> Samples:
        """Shape (n,)."""
        return np.concatenate([*(frame.samples for frame in self.frames), np.zeros(0, np.int16)])

    @property
    def seconds(self) -> float:
        return len(self.frames) * audio.FRAME_S


@dataclass
class FasterWhisperStt(Extension):
    """Transcribes in the model's own threads, which take turns between all calls (_worker.py)."""

    model: str = "base"
    """A name in `voice-agent models list` such as "base", a repository in the Hugging Face hub's cache, or a
    folder. Never downloaded here."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = ""
    """CTranslate2's number type; "" takes "int8" on a CPU and "float16" on a GPU."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads for one transcription; on short speech more make it slower."""
    at_once: Annotated[int, Field(ge=1, le=16)] = 2
    """Transcriptions at the same time, for all calls together; a final text waits for no interim one unless
    this is 1."""
    language: str = ""
    """As ISO 639-1; "" takes the language of the call, "auto" detects it in each stretch of speech."""
    beam_size: Annotated[int, Field(ge=1, le=10)] = 1
    vertical: str = ""
    """A vertical whose words are given to the model as a hint; "" for none."""
    prompt: str = ""
    """More words to expect, such as product names."""
    window: Literal["short", "full"] = "short"
    """ "short" gives the model the sound and `pad_s` of silence; "full" always 30 s, which is what it was
    trained on, and some ten times slower."""
    pad_s: Annotated[float, Field(ge=0, le=30)] = 1.0
    """Silence after the sound. Less is faster; without any the model is prone to invent an ending."""
    tokens_per_s: Annotated[float, Field(gt=0, le=50)] = 10.0
    """No more text than this for a second of speech: the fastest talkers reach about 7 tokens; more is the
    model repeating itself."""
    interim_s: Annotated[float, Field(ge=0, le=10)] = 0.4
    """Interim texts are at least so far apart; 0 for none."""
    pre_roll_s: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sound from before the start of speech, as a VAD hears a soft onset late."""

    inputs = (AudioFrame, SpeechStarted, SpeechPaused, SpeechEnded)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        self._load()

    def _load(self) -> Whisper:
        return load(self.model, self.device, self.compute_type, self.threads, self.at_once)

    async def start(self) -> None:
        self._whisper = self._load()
        self._pad_s = min(self.pad_s, WINDOW_S) if self.window == "short" else math.inf
        # Without room for the padding a part would lose its end.
        self._longest_s = WINDOW_S - min(self.pad_s, WINDOW_S / 2)
        self._language = self._fixed_language()
        self._hint = _hint(self.vertical, self._language, self.prompt)
        self._pre_roll = PreRoll(self.pre_roll_s)
        self._speech: Speech | None = None
        """What is being said."""
        self._ended_s = 0.0
        self._waiting: deque[Speech] = deque()
        """What has been said and is to be transcribed, the one under way among it."""
        self._wake = asyncio.Event()
        """There is something to do for `run`."""
        self._decoding: asyncio.Future[Hypothesis] | None = None
        self._parts: list[Understood] = []
        """What was understood of the parts of a long stretch of speech."""
        self._interim = ""
        self._interim_due_s = MIN_INTERIM_S
        """Length of the speech at which the next interim text is wanted."""

    def _fixed_language(self) -> str:
        if self.language == "auto":
            return ""
        language = (self.language or self.session.language).split("-")[0].lower()
        if language not in self._whisper.model.supported_languages:
            raise ModelError(f"model '{self.model}' does not know the language '{language}'")
        return language

    # --- what was said: frames must not wait for the model ---

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case AudioFrame() if self._speech:
                self._listen(self._speech, message)
            case AudioFrame():
                self._pre_roll.push(message)
            case SpeechStarted() if not self._speech:
                self._begin(message)
            case SpeechPaused() if self._speech:
                self._pause(self._speech, message.time_s)
            case SpeechEnded():
                speech, self._speech = self._speech or Speech(), None
                speech.end_s = self._ended_s = message.time_s
                self._queue(speech)

    def _listen(self, speech: Speech, frame: AudioFrame) -> None:
        add(speech.frames, frame)
        level_db = audio.level_db(frame.samples)
        speech.loudest_db = max(speech.loudest_db, level_db)
        if speech.seconds >= self._longest_s:
            self._speech = Speech(language=speech.language)
            self._interim_due_s = MIN_INTERIM_S
            self._queue(speech)
        elif self._wants_interim(speech) and level_db > speech.loudest_db - PAUSE_DB:
            self._wake.set()

    def _wants_interim(self, speech: Speech) -> bool:
        return self.interim_s > 0 and speech.seconds >= self._interim_due_s

    def _begin(self, started: SpeechStarted) -> None:
        frames = self._pre_roll.take(started.time_s, self._ended_s)
        self._speech = self._resume(started.time_s) or Speech()
        self._speech.frames.extend(frames)
        self._interim_due_s = MIN_INTERIM_S

    def _resume(self, start_s: float) -> Speech | None:
        """The speech before, if it goes on and its transcript has not been told: that one is given up."""
        last = self._waiting[-1] if self._waiting else None
        if last is None or last.end_s is None or start_s - last.end_s > RESUME_S:
            return None
        if last.seconds + RESUME_S > self._longest_s / 2:
            return None
        last.resumed = True
        if len(self._waiting) == 1 and self._decoding:
            self._decoding.cancel()
        return Speech(deque(last.frames), last.agreement, last.language)

    def _pause(self, speech: Speech, time_s: float) -> None:
        """Have it decoded as if this were the end."""
        speech.paused_s = time_s
        if self._decoding and not self._waiting:
            self._decoding.cancel()  # of less sound than there is now
        self._wake.set()

    def _queue(self, speech: Speech) -> None:
        if len(self._waiting) >= MAX_WAITING and not speech.resumed:
            log.warning("%s node '%s' is too slow: speech given up", self.session.session_id, self.node)
            speech.frames.clear()
        self._waiting.append(speech)
        ahead = speech.end_s is not None and speech.end_s == speech.paused_s
        if self._decoding and len(self._waiting) == 1 and not ahead:
            self._decoding.cancel()  # an interim one, which nobody will want
        self._wake.set()

    # --- what was understood ---

    async def run(self, emit: Emit) -> None:
        """Transcribe what has been said, in order; when there is nothing, what is being said."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                transcript = await self._transcribe(self._waiting[0])
                self._waiting.popleft()
                if transcript:
                    await emit("asr_result", transcript)
            if self._speech and self._is_paused_anew(self._speech):
                await self._decode_early(self._speech)
            elif self._speech and self._wants_interim(self._speech):
                interim = await self._guess(self._speech)
                if interim:
                    await emit("asr_result", interim)

    @staticmethod
    def _is_paused_anew(speech: Speech) -> bool:
        return speech.paused_s is not None and (
            speech.early is None or speech.early.paused_s < speech.paused_s
        )

    async def _decode_early(self, speech: Speech) -> None:
        """The final decode, ahead of the end; of no use if it is given up."""
        samples, paused_s = speech.samples(), speech.paused_s
        assert paused_s is not None
        worth_it = len(samples) >= MIN_SPEECH_S * audio.SAMPLE_RATE and not is_silent(samples)
        guess = await self._decode(speech, samples, final=True) if worth_it else None
        if paused_s == speech.paused_s:
            speech.early = Early(paused_s, guess)
        self._wake.set()  # an end may have come meanwhile, or another pause

    async def _transcribe(self, speech: Speech) -> Transcript | None:
        """The final transcript; None for a part of long speech."""
        understood = NOTHING
        samples = speech.samples()
        if not speech.resumed and len(samples) >= MIN_SPEECH_S * audio.SAMPLE_RATE and not is_silent(samples):
            early = speech.early if speech.early and speech.early.paused_s == speech.end_s else None
            guess = early.guess if early else None
            guess = guess or await self._decode(speech, samples, final=True)
            understood = self._judge(speech, guess) if guess and not speech.resumed else NOTHING
        if speech.end_s is None:
            self._parts.append(understood)
            return None
        if speech.resumed:
            return Transcript("", True, self._spoken(speech), 0.0, speech.end_s)
        understood = _together([*self._parts, understood])
        self._parts = []
        self._interim = ""
        log.debug("%s recognised %r", self.session.session_id, understood)
        return Transcript(understood.text, True, self._spoken(speech), understood.confidence, speech.end_s)

    async def _guess(self, speech: Speech) -> Transcript | None:
        """An interim transcript; None when it says nothing new, or has come too late."""
        samples = speech.samples()
        end_s = speech.frames[-1].time_s + audio.FRAME_S
        began_s = asyncio.get_running_loop().time()
        guess = None if is_silent(samples) else await self._decode(speech, samples, final=False)
        took_s = asyncio.get_running_loop().time() - began_s
        self._interim_due_s = speech.seconds + max(self.interim_s, took_s * INTERIM_PAUSE)
        if guess is None or self._speech is not speech:
            return None
        understood = self._judge(speech, guess)
        if understood.confidence > DOUBTED:
            self._settle(speech, guess)
        whole = _together([*self._parts, understood]).text
        stable = len(_together([*self._parts, Understood(self._settled(speech), 1.0)]).text)
        if not whole or whole == self._interim:
            return None
        self._interim = whole
        return Transcript(whole, False, guess.language, understood.confidence, end_s, stable)

    async def _decode(self, speech: Speech, samples: Samples, final: bool) -> Hypothesis | None:
        """In the model's thread; None when it was given up."""
        request = Request(
            samples,
            self._spoken(speech),
            self._hint,
            tuple(speech.agreement.settled),
            self._pad_s,
            self.beam_size,
            self.tokens_per_s,
        )
        lane = self._whisper.worker.final if final else self._whisper.worker.interim
        loop = asyncio.get_running_loop()
        self._decoding = decoding = loop.run_in_executor(lane, self._whisper.decode, request)
        try:
            await asyncio.wait([decoding])
        finally:
            decoding.cancel()  # the call has ended: nobody waits for it
            self._decoding = None
        if decoding.cancelled():
            return None
        guess = decoding.result()
        speech.language = guess.language
        return guess

    def _judge(self, speech: Speech, guess: Hypothesis) -> Understood:
        """The text of a decode. What has been told as settled stays, whatever is thought of the rest."""
        mean = (guess.log_probability + speech.agreement.log_probability) / (len(guess.tokens) + 1)
        text = self._whisper.text(guess.tokens, guess.language)
        understood = judge(text, mean, guess.no_speech_probability)
        settled = self._settled(speech)
        return understood if understood.text.startswith(settled) else Understood(settled, DOUBTED)

    def _settle(self, speech: Speech, guess: Hypothesis) -> None:
        """Compare with the decode before, and keep what both have."""
        new = len(guess.tokens) - len(speech.agreement.settled) + 1
        mean = guess.log_probability / max(1, new)
        speech.agreement.take(guess.tokens, mean, lambda tokens: self._whisper.text(tokens, guess.language))

    def _settled(self, speech: Speech) -> str:
        return self._whisper.text(speech.agreement.settled, speech.language or "en").strip()

    def _spoken(self, speech: Speech) -> str:
        """The language: the fixed one, or that of this stretch, "" while it is not known."""
        return self._language or speech.language


def _together(parts: list[Understood]) -> Understood:
    """The parts of long speech as one, as far to be trusted as the worst of them."""
    text = ""
    for part in parts:
        text = join(text, part.text)
    return Understood(text, min((part.confidence for part in parts if part.text), default=0.0))


def _hint(vertical: str, language: str, prompt: str) -> str:
    """Words to expect: those given, and some sentences of the vertical, as if they had been said before."""
    sentences = [prompt] if prompt else []
    if vertical and language in (loaded := load_vertical(vertical)).languages:
        examples = (intent.examples[language][0] for intent in loaded.intents)
        sentences += [example for example in examples if "{" not in example]
    return ". ".join(sentences)[:PROMPT_CHARS]
