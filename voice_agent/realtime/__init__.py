"""The wire protocol: the OpenAI Realtime API, whatever carries it."""

from typing import Protocol, runtime_checkable

from voice_agent.ice_servers import IceServers


@runtime_checkable
class WebRtcEndpoint(Protocol):
    """What the server needs of a graph's client node: the caller's end of a WebRTC call."""

    async def answer(self, offer: str, servers: IceServers | None = None) -> str:
        """The SDP answer to an SDP offer. Raises InputError that says what is wrong with the offer."""

    async def patch(self, fragment: str) -> str | None:
        """Take trickled ICE candidates, as an SDP fragment (RFC 8840), or its new credentials: they restart
        ICE, and the fragment that answers them is returned. Raises InputError."""

    def ice_session(self) -> str:
        """A name that changes with every restart of ICE."""
