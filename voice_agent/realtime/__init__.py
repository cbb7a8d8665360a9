"""The wire protocol: the OpenAI Realtime API, whatever carries it."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class WebRtcEndpoint(Protocol):
    """What the server needs of a graph's client node: the caller's end of a WebRTC call."""

    async def answer(self, offer: str) -> str:
        """The SDP answer to an SDP offer. Raises InputError that says what is wrong with the offer."""

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled ICE candidates, as an SDP fragment (RFC 8840). Raises InputError."""
