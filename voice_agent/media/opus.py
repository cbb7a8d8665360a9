"""Opus at 16 kHz mono, by the libopus that PyAV's wheel carries.

Used directly because PyAV's own codec classes decode to 48 kHz only and offer neither concealment nor
in-band FEC. Constants are those of opus_defines.h (RFC 6716 names them).
"""

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import av
import numpy as np

from voice_agent.audio import SAMPLE_RATE
from voice_agent.errors import ModelError
from voice_agent.message import Samples

APPLICATION_VOIP = 2048
SET_BITRATE = 4002
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
RTP_TICKS = 3
"""RTP ticks in a sample: Opus counts 48 kHz always (RFC 7587, 4.1)."""
DTX_BYTES = 2
"""A packet this short says that the sender pauses (RFC 7587, 3.1.3; opus_encode)."""
MAX_PACKET = 1275
"""Bytes: the longest Opus frame (RFC 6716, 3.2.1)."""
MAX_SAMPLES = SAMPLE_RATE * 120 // 1000
"""The longest packet is 120 ms."""


@cache
def _library() -> ctypes.CDLL:
    """libopus, from PyAV's wheel or else from the system."""
    bundled = sorted(Path(av.__file__).parent.parent.glob("av.libs/libopus*"))
    path = str(bundled[0]) if bundled else ctypes.util.find_library("opus")
    if path is None:
        raise ModelError("libopus was not found: install PyAV from its wheel (pip install av) or libopus0")
    library = ctypes.CDLL(path)
    library.opus_encoder_create.restype = ctypes.c_void_p
    library.opus_decoder_create.restype = ctypes.c_void_p
    return library


def has_copy(packet: bytes) -> bool:
    """Whether a packet carries a copy of its predecessor (in-band FEC); never with libopus before 1.5, which
    cannot tell."""
    asked = getattr(_library(), "opus_packet_has_lbrr", None)
    return asked is not None and asked(packet, len(packet)) == 1


class OpusDecoder:
    """Packets of one stream to 16 kHz mono."""

    def __init__(self) -> None:
        self._opus = _library()
        error = ctypes.c_int()
        self._state = ctypes.c_void_p(self._opus.opus_decoder_create(SAMPLE_RATE, 1, ctypes.byref(error)))
        self._check(error.value)
        self._pcm: Samples = np.zeros(MAX_SAMPLES, np.int16)
        self._address = self._pcm.ctypes.data_as(ctypes.c_void_p)

    def decode(self, packet: bytes) -> Samples:
        """The sound of a packet. Raises ValueError if it is no Opus packet."""
        return self._decode(packet, MAX_SAMPLES, fec=False)

    def recover(self, next_packet: bytes, length: int) -> Samples:
        """A lost packet's `length` samples, from the copy in its successor where there is one (in-band
        FEC), else concealed."""
        return self._decode(next_packet, length, fec=True)

    def conceal(self, length: int) -> Samples:
        """A lost packet's `length` samples, made from what came before it."""
        return self._decode(None, length, fec=False)

    def _decode(self, packet: bytes | None, length: int, fec: bool) -> Samples:
        size = 0 if packet is None else len(packet)
        count = self._opus.opus_decode(self._state, packet, size, self._address, length, int(fec))
        self._check(count)
        return self._pcm[:count].copy()

    def _check(self, code: int) -> None:
        if code < 0:
            self._opus.opus_strerror.restype = ctypes.c_char_p
            raise ValueError(f"Opus: {self._opus.opus_strerror(code).decode()}")

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_decoder_destroy(self._state)


class OpusEncoder:
    """16 kHz mono voice to Opus, each packet carrying a low-rate copy of its predecessor (FEC)."""

    def __init__(
        self, bitrate: int = 32_000, loss_percent: int = 10, complexity: int = 5, dtx: bool = False
    ) -> None:
        """With `dtx` most packets of a silence have no more than DTX_BYTES."""
        self._opus = _library()
        error = ctypes.c_int()
        self._state = ctypes.c_void_p(
            self._opus.opus_encoder_create(SAMPLE_RATE, 1, APPLICATION_VOIP, ctypes.byref(error))
        )
        if error.value:
            raise ValueError(f"Opus encoder: error {error.value}")
        for request, value in ((SET_COMPLEXITY, complexity), (SET_INBAND_FEC, 1), (SET_DTX, int(dtx))):
            self._set(request, value)
        self.adapt(bitrate, loss_percent)
        self._packet = ctypes.create_string_buffer(MAX_PACKET)

    def adapt(self, bitrate: int, loss_percent: int) -> None:
        """From the next frame on: bits a second, and the loss that the copies are to make good, 0..100."""
        self._set(SET_BITRATE, bitrate)
        self._set(SET_PACKET_LOSS_PERC, loss_percent)

    def _set(self, request: int, value: int) -> None:
        self._opus.opus_encoder_ctl(self._state, request, ctypes.c_int(value))

    def encode(self, samples: Samples) -> bytes:
        """A packet for a frame of 10, 20, 40 or 60 ms. Raises ValueError for another length."""
        size = self._opus.opus_encode(self._state, samples.tobytes(), len(samples), self._packet, MAX_PACKET)
        if size < 0:
            raise ValueError(f"Opus: cannot encode {len(samples)} samples (error {size})")
        return ctypes.string_at(self._packet, size)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_encoder_destroy(self._state)
