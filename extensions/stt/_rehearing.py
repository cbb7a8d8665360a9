"""Hears an answer that was asked for again when it is over, by the grammar of it.

A microphone, a room and a voice add a constant to the cepstrum. While the caller speaks, only the mean of the
opening can be taken off, which is of a digit or two; a grammar, which has nothing else to go by than the
sound, errs by it, in noise above all. When the utterance is over its own mean is known.

pocketsphinx also takes off the noise of the line, which it gets to know within seconds and keeps in mind from
one utterance to the next. So the first time it only listens, looking for nothing; and the mean is that of the
sound as it is with the same noise taken off. A mean of a sound with other noise taken off is worse than none:
5.0 instead of 1.7 % of espeak-ng's digits wrong, 12.5 instead of 2.5 % of flite's (50 numbers).
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pocketsphinx

from extensions.stt import _ear
from extensions.stt._grammar import grammar
from extensions.stt._knowledge import Asked
from extensions.stt._pronunciation import write_dictionary
from voice_agent import audio
from voice_agent.message import Answer, Samples

STEP = 10
"""Frames decoded at a time: 4 ms."""
MAX_S = 15.0
"""Whoever speaks longer does not just answer: the rest is not heard again."""
TUNING = {"bestpath": False, "silprob": 1.0, "topn": 8}
"""Silence between two words costs nothing, and more of the acoustic model's densities are looked at than its
own 4: 4.9 to 3.1 % of the digits of espeak-ng's voices wrong in noise, 6.2 to 5.9 % without. No lattice: of a
grammar that holds many short words it takes minutes."""
LISTENING = "listening"
"""The search for nothing: 0.14 ms for 10 ms of sound, a grammar's takes 0.21."""
NOTHING = "#JSGF V1.0;\ngrammar nothing;\npublic <nothing> = zero;\n"
NUMBER_TUNING = TUNING | {"lw": 6.5, "wip": 0.01}
SPELLING_TUNING = TUNING | {"lw": 6.5, "wip": 1e-4, "beam": 1e-70, "pbeam": 1e-70, "wbeam": 1e-55}
"""The penalty for each word is below the package's 0.65, without which digits are put in where there are
none: 3.8 against 6.7 % of them wrong. With its own beams, some codes had no end."""


class Rehearing:
    """A decoder for one kind of answer: 8 MB, made in 25 ms."""

    def __init__(self, answer: Answer, asked: Asked) -> None:
        self._answer = answer
        self._asked = asked
        with tempfile.TemporaryDirectory(prefix="voice-agent-") as name:
            dictionary = write_dictionary(asked.pronunciations, Path(name, "words.dict"))
            tuning: Mapping[str, float | bool] = NUMBER_TUNING if answer == "digits" else SPELLING_TUNING
            self._decoder = pocketsphinx.Decoder(lm=None, dict=dictionary, loglevel="FATAL", **tuning)
        self._decoder.add_jsgf_string(LISTENING, NOTHING)
        self._known: set[str] = set()
        self._expected = self._grammar = ""
        """The grammars of the next utterance and of this one."""
        self._started = False
        self._sound: list[Samples] = []
        self._decoded: int | None = None
        """So many frames of the sound have been heard again; None before it began."""

    def expect(self, min_length: int, max_length: int) -> None:
        """From the next utterance on, digits or letters of this number are the likely ones."""
        name = f"{min_length} to {max_length}"
        if name not in self._known:
            jsgf = grammar(self._answer, self._asked.said, min_length, max_length)
            self._decoder.add_jsgf_string(name, jsgf)
            self._known.add(name)
        self._expected = name

    def begin(self) -> None:
        """An utterance begins."""
        self._close()
        self._grammar, self._sound = self._expected, []
        self._decoder.reinit_feat()
        self._start(LISTENING)

    def hear(self, samples: Samples) -> None:
        """A frame of it, 0.3 ms."""
        if len(self._sound) * audio.FRAME_S >= MAX_S:
            return
        self._sound.append(samples)
        if self._decoded is None:
            self._decoder.process_raw(samples.tobytes(), False, False)

    def again(self) -> Iterator[None]:
        """Hear all that there is so far, from its beginning, STEP frames at a time."""
        self._close()
        if not self._sound:
            return
        self._decoder.set_cmn(_ear.as_text(_ear.mean_of(np.concatenate(self._sound))))
        self._start(self._grammar)
        self._decoded = 0
        while self._decoded < len(self._sound):
            self._decode(STEP)
            yield

    def text(self) -> str:
        """Its words; "" when it is no such answer. What came after the last `again` is heard as well."""
        if self._decoded is None:
            for _ in self.again():
                pass
        self._decode(len(self._sound))
        self._close()
        best = self._decoder.hyp() if self._sound else None
        return best.hypstr if best else ""

    def _decode(self, limit: int) -> None:
        if self._decoded is None:
            return
        for samples in self._sound[self._decoded : self._decoded + limit]:
            self._decoder.process_raw(samples.tobytes(), False, False)
            self._decoded += 1

    def _start(self, search: str) -> None:
        self._decoder.activate_search(search)
        self._decoder.start_utt()
        self._started = True

    def _close(self) -> None:
        if self._started:
            self._decoder.end_utt()
        self._started, self._decoded = False, None
