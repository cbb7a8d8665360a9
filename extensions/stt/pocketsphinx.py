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
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from extensions.stt._ear import analyser
from extensions.stt._knowledge import LANGUAGE, load
from extensions.stt._sphinx import NO_SOUND, Recogniser, Understood, join
from extensions.stt._utterance import PreRoll
from voice_agent import audio
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    Expecting,
    Message,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Transcript,
)

log = logging.getLogger(__name__)
OPENING_S = 0.7
"""What is heard of an utterance before it is decoded, to get used to the voice and the line; see Ear."""
OPENING_LEAD_S = 0.1
"""Of that lies before the VAD's start."""
BACKLOG_STEP = 5
"""Frames decoded at a time while what came before is caught up with: 3 ms."""
INTERIM_S = 0.2
"""Interim texts are at least so far apart."""


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
    inputs = (AudioFrame, SpeechStarted, SpeechPaused, SpeechEnded, Expecting)
    outputs = {"asr_result": Transcript}

    def prepare(self) -> None:
        load(self.vertical)
        analyser()

    async def start(self) -> None:
        self._recogniser: Recogniser | None = None
        if self.session.language.split("-")[0] == LANGUAGE:
            self._recogniser = await asyncio.to_thread(Recogniser, load(self.vertical))
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
            case SpeechPaused() if self._speaking and self._recogniser:
                await self._get_ready(self._recogniser)
            case SpeechEnded():
                await emit("asr_result", self._finish(message.time_s))
            case Expecting() if self._recogniser:
                await self.session.confirmed(message.turn)
                asked_for = message.answer, message.min_length, message.max_length
                await asyncio.to_thread(self._recogniser.expect, *asked_for)

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

    async def _get_ready(self, recogniser: Recogniser) -> None:
        """At the first hint of an end: do what takes long, so that the text is there when the end is known.
        Other calls have their turn every 3 or 4 ms.
        """
        if not self._decoding:  # a short answer: nothing more is to be heard before it ends
            self._begin_decoding(recogniser)
        while self._backlog:
            self._feed(recogniser, BACKLOG_STEP)
            await asyncio.sleep(0)
        for _ in recogniser.hear_again():
            await asyncio.sleep(0)

    def _begin_decoding(self, recogniser: Recogniser) -> None:
        self._decoding = True
        self._frames_fed = 0
        opening = [frame.samples for frame in self._backlog if frame.time_s >= self._opening_from_s]
        recogniser.begin(np.concatenate(opening) if opening else NO_SOUND)

    def _feed(self, recogniser: Recogniser, limit: int) -> None:
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
