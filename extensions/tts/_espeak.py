"""espeak-ng's C library by ctypes, on the one thread that may touch it: its state is global.

espeak-ng is GPL-3. It comes in the wheel `espeakng-loader` and is loaded here and nowhere else.
The interface is that of its header `speak_lib.h`, version 1.52.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Event

import numpy as np

from voice_agent.errors import ModelError, requires
from voice_agent.message import Samples

with requires("espeak"):
    import espeakng_loader

SYNCHRONOUS = 2
NO_EXIT = 0x8000
"""espeak_Initialize must not end the process when its data is missing."""
UTF8 = 1
BY_CHARACTER = 1
RATE, VOLUME, PITCH = 1, 2, 3
QUIET = 60
"""Of espeak's volume, 100 being usual: some voices clip there, and loudness is set afterwards anyway."""
END_OF_EVENTS, WORD = 0, 1


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Voice:
    """How it sounds: a voice of espeak's, words a minute, and a pitch of 0..100."""

    name: str
    rate_wpm: int
    pitch: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text that has been spoken."""

    samples: Samples
    """Mono at `sample_rate`, shape (n,)."""
    sample_rate: int
    words: list[tuple[int, int]]
    """For words in order: the place of its first character in the text, and its first sample."""


class Engine:
    """The loaded library. Its work is queued and done one text after the other, by one thread."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")
        self.thread.submit(self._load).result()

    def has(self, voice: str) -> bool:
        """Whether there is a voice of this name; waits for its turn."""
        return self.thread.submit(self._set_voice, voice).result()

    def speak(self, text: str, voice: Voice, abandoned: Event) -> Utterance:
        """Synthesise a text; 1 ms for a second of speech. To be run on `thread`.

        Stops within 60 ms of sound when `abandoned` is set. Raises LookupError when the voice is missing.
        """
        if not self._set_voice(voice.name):
            raise LookupError(voice.name)
        for parameter, value in ((RATE, voice.rate_wpm), (PITCH, voice.pitch), (VOLUME, QUIET)):
            self._library.espeak_SetParameter(parameter, value, 0)
        pieces: list[bytes] = []
        words: list[tuple[int, int]] = []
        self._take = _collector(pieces, words, abandoned)
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, BY_CHARACTER, 0, UTF8, None, None)
        return Utterance(np.frombuffer(b"".join(pieces), np.int16), self._rate, words)

    def _load(self) -> None:
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = os.fsencode(espeakng_loader.get_data_path())
            self._rate = self._library.espeak_Initialize(SYNCHRONOUS, 60, data, NO_EXIT)
        except (OSError, RuntimeError) as error:
            raise ModelError(f"espeak-ng does not load ({error}); reinstall espeakng-loader") from error
        if self._rate <= 0:
            raise ModelError("espeak-ng does not find its voices; reinstall espeakng-loader")
        self._callback = _Callback(lambda wave, count, events: self._take(wave, count, events))
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def _set_voice(self, name: str) -> bool:
        if name != self._voice:
            self._voice = name if self._library.espeak_SetVoiceByName(name.encode()) == 0 else ""
        return self._voice == name


def _collector(pieces: list[bytes], words: list[tuple[int, int]], abandoned: Event) -> Callable[..., int]:
    """The function that espeak calls with each stretch of sound; non-zero stops it."""

    def take(wave: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        index = 0
        while events[index].type != END_OF_EVENTS:
            if events[index].type == WORD:
                words.append((events[index].text_position - 1, events[index].sample))
            index += 1
        if wave and count:
            pieces.append(ctypes.string_at(wave, count * 2))
        return int(abandoned.is_set())

    return take


@cache
def engine() -> Engine:
    """The library, loaded once per process. Raises ModelError."""
    return Engine()
