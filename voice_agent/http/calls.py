"""The calls under way, and the simulated network that they may pass through."""

import asyncio
import logging
from dataclasses import dataclass

from voice_agent.errors import InputError, VoiceAgentError
from voice_agent.graph import Graph
from voice_agent.http.refusal import CallRefused
from voice_agent.ice_servers import IceServers
from voice_agent.network.profile import Profile
from voice_agent.network.relay import Relay
from voice_agent.realtime import WebRtcEndpoint
from voice_agent.session import Session

log = logging.getLogger(__name__)


@dataclass
class Simulation:
    """The network that every call passes through; each has its own seed, by the order of their offers."""

    profile: Profile
    seed: int = 1
    calls: int = 0

    def relay(self) -> Relay:
        """For the next call."""
        self.calls += 1
        return Relay(self.profile, f"{self.seed}/{self.calls}")


class Calls:
    """The calls under way."""

    def __init__(
        self,
        graph: Graph,
        max_calls: int,
        simulation: Simulation | None = None,
        servers: IceServers | None = None,
    ) -> None:
        self.graph = graph
        self.max_calls = max_calls
        self.servers = servers or IceServers()
        self.sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._simulation = simulation
        self._relays: dict[str, Relay] = {}

    async def begin(self, offer: str, language: str) -> tuple[str, str]:
        """Answer an offer; returns the call's id and the SDP answer. Raises CallRefused."""
        if len(self.sessions) >= self.max_calls:
            raise CallRefused(503, f"all {self.max_calls} lines are busy, call again later", "busy")
        session = Session(self.graph, language=language)
        self.sessions[session.session_id] = session
        try:
            answer = await self._answer(session, offer)
        except BaseException:
            self._forget(session)
            await session.stop()
            raise
        log.info("call %s begins, language %s", session.session_id, language)
        task = asyncio.create_task(self._run(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session.session_id, answer

    async def _answer(self, session: Session, offer: str) -> str:
        client = endpoint_of(session)
        if client is None:
            message = f"graph '{self.graph.name}' has no client that answers WebRTC calls (client.webrtc)"
            raise CallRefused(501, message, "no_webrtc_client")
        try:
            await session.start()
            if self._simulation is None:
                return await client.answer(offer, self.servers)
            relay = self._relays[session.session_id] = self._simulation.relay()
            return relay.rewrite_answer(await client.answer(relay.rewrite_offer(offer), self.servers))
        except InputError as error:
            raise CallRefused(400, str(error), "invalid_offer") from error
        except VoiceAgentError as error:
            raise CallRefused(503, f"the call cannot start: {error}", "session_failed") from error

    async def _run(self, session: Session) -> None:
        """A call to its end; what breaks in it stays in it."""
        try:
            await session.run()
        except VoiceAgentError as error:
            log.error("call %s ended: %s", session.session_id, error)
        except Exception:
            log.exception("call %s ended", session.session_id)
        else:
            log.info("call %s ended: %s", session.session_id, session.closed_because)
        finally:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self.sessions.pop(session.session_id, None)
        if relay := self._relays.pop(session.session_id, None):
            relay.close()

    async def patch(self, call_id: str, fragment: str) -> str | None:
        """Take trickled candidates, or restart ICE and return the server's fragment. Raises CallRefused."""
        client = self.endpoint(call_id)
        relay = self._relays.get(call_id)
        try:
            answer = await client.patch(relay.rewrite_fragment(fragment) if relay else fragment)
        except InputError as error:
            raise CallRefused(400, str(error), "invalid_fragment") from error
        return relay.rewrite_answer(answer) if relay and answer else answer

    def endpoint(self, call_id: str) -> WebRtcEndpoint:
        """The caller's end of a call. Raises CallRefused."""
        client = endpoint_of(self.find(call_id))
        assert client is not None, "calls begin by its answer"
        return client

    def find(self, call_id: str) -> Session:
        """The call. Raises CallRefused."""
        if session := self.sessions.get(call_id):
            return session
        raise CallRefused(404, f"there is no call '{call_id[:60]}'", "no_such_call")

    async def end_all(self) -> None:
        """Hang up everywhere and wait for it."""
        for session in list(self.sessions.values()):
            session.close("the server is shutting down")
        await self.idle()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def endpoint_of(session: Session) -> WebRtcEndpoint | None:
    """The node that is the caller's end of the call."""
    return next((item for item in session.extensions if isinstance(item, WebRtcEndpoint)), None)
