"""ICE in pieces of SDP: fragments with candidates or new credentials (RFC 8840), offers without theirs."""

import ipaddress
import re
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp

from voice_agent.errors import InputError

TYPE = "application/trickle-ice-sdpfrag"
"""Its media type."""
CANDIDATE = "a=candidate:"
END = "a=end-of-candidates"
MAX_CANDIDATES = 100
"""In one fragment; a browser has about ten. More checks than that make no ICE agent (RFC 8445, 19.5.1)."""
UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")


@dataclass(frozen=True)
class IceFragment:
    """What one side tells about its ICE agent."""

    ufrag: str
    password: str = ""
    """"" where only candidates follow."""
    candidates: tuple[RTCIceCandidate, ...] = ()
    complete: bool = False
    """No more candidates will come."""
    mid: str = "0"
    """The section that they belong to; all others are bundled with it."""

    def __str__(self) -> str:
        password = [f"a=ice-pwd:{self.password}"] if self.password else []
        candidates = [CANDIDATE + candidate_to_sdp(candidate) for candidate in self.candidates]
        section = ["m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{self.mid}"]
        end = [END] if self.complete else []
        return "\r\n".join([f"a=ice-ufrag:{self.ufrag}", *password, *section, *candidates, *end, ""])


def read(text: str) -> IceFragment:
    """A fragment from its text. Raises InputError that says what it lacks."""
    lines = [line.strip() for line in text.splitlines()]
    ufrag, password = _value(lines, "a=ice-ufrag:"), _value(lines, "a=ice-pwd:")
    candidates = _candidates(lines)
    if not candidates and END not in lines and not password:
        said = "with a=candidate lines, or with a new a=ice-ufrag and a=ice-pwd"
        raise InputError(f"expected an SDP fragment {said}, got {_quoted(text)}")
    if not UFRAG.fullmatch(ufrag):
        raise InputError(f"expected a line a=ice-ufrag of 4 to 256 ice-chars, got {_quoted(ufrag)}")
    if password and not PASSWORD.fullmatch(password):
        raise InputError(f"expected a line a=ice-pwd of 22 to 256 ice-chars, got {len(password)} characters")
    return IceFragment(ufrag, password, candidates, END in lines, _value(lines, "a=mid:")[:32] or "0")


def without_candidates(offer: str) -> tuple[str, IceFragment]:
    """An offer that can be answered at once, and its candidates, whose names may take a while to look up.

    Where the sections are not bundled, each needs its own: then all stay where they are.
    """
    lines = offer.splitlines()
    if not any(line.startswith("a=group:BUNDLE ") for line in lines):
        return offer, IceFragment(_value(lines, "a=ice-ufrag:"))
    rest = [line for line in lines if not line.startswith((CANDIDATE, END))]
    fragment = IceFragment(_value(lines, "a=ice-ufrag:"), "", _candidates(lines), END in lines)
    return "".join(f"{line}\r\n" for line in rest), fragment


def _value(lines: list[str], prefix: str) -> str:
    """Of the first line that begins so: bundled sections all have the same; "" where there is none."""
    return next((line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)), "")


def _candidates(lines: list[str]) -> tuple[RTCIceCandidate, ...]:
    """Those of RTP; with RTCP on the same port there are no others. Raises InputError."""
    found = dict.fromkeys(line for line in lines if line.startswith(CANDIDATE))
    if len(found) > MAX_CANDIDATES:
        raise InputError(f"expected at most {MAX_CANDIDATES} ICE candidates, got {len(found)}")
    candidates = [_candidate(line) for line in found]
    return tuple(candidate for candidate in candidates if candidate.component == 1)


def _candidate(line: str) -> RTCIceCandidate:
    try:
        candidate = candidate_from_sdp(line.removeprefix(CANDIDATE))
        if not 0 < candidate.port < 65536:
            raise ValueError("no port")
        if not candidate.ip.endswith(".local"):  # a name of mDNS, behind which a browser hides its address
            ipaddress.ip_address(candidate.ip)
    except (ValueError, IndexError, AssertionError) as error:
        raise InputError(f"expected an ICE candidate, got {_quoted(line)}") from error
    return candidate


def _quoted(text: str) -> str:
    return repr(text[:80]) if text else "none"
