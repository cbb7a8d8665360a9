"""What the two sides agree on about the sound, in SDP: in-band FEC, copies (RED), the length of packets.

aiortc says nothing of these in what it writes. Pure text: no other line is touched.
"""

import re
from collections.abc import Iterator
from typing import Literal

from voice_agent.media.send import PayloadTypes

Copies = Literal["auto", "always", "never"]
"""When packets carry a copy of the one before: when loss asks for it, always, never."""
OPUS = "opus/48000/2"
RED = "red/48000/2"
RED_TYPE = 63
"""What browsers use: types below 96 are free where nothing else has them (RFC 8851, 10 lists 35-63)."""
OPUS_SETTINGS = "minptime=10;useinbandfec=1;stereo=0"


def payload_types(answer: str) -> PayloadTypes:
    """The types of an answer's sound, as both sides are to send it. Raises ValueError without Opus."""
    opus = next(_types_of(answer, OPUS), None)
    if opus is None:
        raise ValueError("expected an SDP answer with the Opus codec, got one without")
    return PayloadTypes(opus, next(_types_of(answer, RED), None))


def completed_offer(offer: str) -> str:
    """An offer of aiortc's that also offers copies and asks for in-band FEC."""
    opus = next(_types_of(offer, OPUS), None)
    return offer if opus is None else _with_codecs(offer, opus, RED_TYPE, ())


def completed_answer(offer: str, answer: str, packet_ms: int = 20, copies: Copies = "auto") -> str:
    """An answer of aiortc's that takes what the offer has: without it browsers send neither FEC nor copies
    (RFC 7587, 7; RFC 2198, 5). A browser sends copies from the start if they are named first."""
    opus = next(_types_of(answer, OPUS), None)
    if opus is None:
        return answer
    red = next((red for red in _types_of(offer, RED) if _carries(offer, red, opus)), None)
    lengths = () if packet_ms == 20 else (f"a=ptime:{packet_ms}", f"a=maxptime:{packet_ms}")
    return _with_codecs(answer, opus, None if copies == "never" else red, lengths, copies == "always")


def _types_of(sdp: str, codec: str) -> Iterator[int]:
    for found in re.finditer(rf"^a=rtpmap:(\d{{1,3}}) {codec}\s*$", sdp, re.IGNORECASE | re.MULTILINE):
        yield int(found[1])


def _carries(sdp: str, red: int, opus: int) -> bool:
    """Whether these copies are Opus: `a=fmtp:63 111/111`."""
    return re.search(rf"^a=fmtp:{red} {opus}(/{opus})*\s*$", sdp, re.MULTILINE) is not None


def _with_codecs(
    sdp: str, opus: int, red: int | None, lengths: tuple[str, ...], red_first: bool = False
) -> str:
    lines = []
    for line in sdp.splitlines():
        if line.startswith("m=audio ") and red is not None:
            line = _with_type(line, red, red_first)
        lines.append(line)
        if line.lower() == f"a=rtpmap:{opus} {OPUS}":
            lines.append(f"a=fmtp:{opus} {OPUS_SETTINGS}")
            lines += lengths
            if red is not None:
                lines += [f"a=rtpmap:{red} {RED}", f"a=fmtp:{red} {opus}/{opus}"]
    return "\r\n".join(lines) + "\r\n"


def _with_type(line: str, red: int, first: bool) -> str:
    """`m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8` with one more type, in the first place or the last."""
    kind, port, protocol, *types = line.split()
    types = [str(red), *types] if first else [*types, str(red)]
    return " ".join([kind, port, protocol, *types])
