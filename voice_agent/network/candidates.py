"""The ICE candidates in SDP, in an offer, an answer or a trickled fragment (RFC 8839, 5.1), rewritten.

Only UDP over IPv4 goes through the relay; other candidates are taken out, so that nothing can go around it.
"""

import ipaddress
from collections.abc import Callable

Address = tuple[str, int]
PREFIX = "a=candidate:"
HOST_PRIORITY = 2130706431
"""The highest that a candidate of type host can have (RFC 8445, 5.1.2)."""


def replace_all(sdp: str, address: Address) -> str:
    """An offer or a fragment whose only candidate is `address`, in every section that has a port."""
    line = f"{PREFIX}1 1 udp {HOST_PRIORITY} {address[0]} {address[1]} typ host"
    out: list[str] = []
    waiting = False
    for text in [*sdp.splitlines(), "m="]:
        if waiting and text.startswith(("m=", "a=end-of-candidates")):
            out.append(line)
            waiting = False
        if text.startswith("m="):
            waiting = text.split(" ")[1:2] != ["0"]
        if not _is_candidate(text):
            out.append(text)
    return _joined(out[:-1])


def replace_each(sdp: str, rename: Callable[[Address], Address | None]) -> str:
    """An answer or a fragment with every candidate at the address that `rename` gives; taken out if None."""
    out = []
    for text in sdp.splitlines():
        if not _is_candidate(text):
            out.append(text)
            continue
        words = text.split()
        address = _address(words)
        renamed = rename(address) if address is not None else None
        if renamed is not None:
            # The related address of a reflexive candidate tells where it comes from: left out.
            out.append(" ".join([*words[:4], renamed[0], str(renamed[1]), "typ", "host"]))
    return _joined(out)


def _is_candidate(text: str) -> bool:
    """A broken line is none: it stays, for the peer to refuse."""
    words = text.split()
    return text.startswith(PREFIX) and len(words) >= 8 and words[6] == "typ" and words[5].isdecimal()


def _address(words: list[str]) -> Address | None:
    """Where a candidate is, None if the relay does not speak its language."""
    if words[1] != "1" or words[2].lower() != "udp" or not 0 < int(words[5]) < 65536:
        return None
    try:
        return str(ipaddress.IPv4Address(words[4])), int(words[5])
    except ValueError:
        return None


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
