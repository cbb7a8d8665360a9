"""ICE that survives its path: restarts, and a loss that ends nothing. aiortc 1.16 has neither.

The only place that touches what aiortc and aioice keep private about ICE. A restart makes a second aioice
connection beside the one in use, with credentials and sockets of its own. Both hand what they receive to the
queue that DTLS reads, so that it notices nothing when the new one, once connected, takes the old one's place.
`tests/unit/test_ice_private.py` fails clearly when a new aiortc or aioice moves these parts.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from aioice import Connection, stun
from aiortc import RTCIceServer
from aiortc.rtcicetransport import (
    RTCIceTransport,
    candidate_from_aioice,
    candidate_to_aioice,
    connection_kwargs,
)

from voice_agent.media.fragment import IceFragment

log = logging.getLogger(__name__)
GATHER_TIMEOUT_S = 1
"""STUN and TURN servers that have not answered by then are done without: their first retransmission comes
after 0.5 s, and meanwhile a caller waits. aioice waits for 5 s."""
RESTART_TIMEOUT_S = 15.0
"""A restart has failed by then; the old path stays in use."""
LINGER_S = 3.0
"""The old path still takes what is on its way (RFC 8445, 8.3.1)."""
CONSENT_INTERVAL_S = 5.0
CONSENT_EXPIRES_S = 30.0
"""Without an answer for so long, nothing is sent any more until one comes (RFC 7675, 5.1)."""
CONSENT_RETRIES = 2
"""An answer may take 3.5 s; aioice gives up after 0.5 s, which a slow network never keeps."""


class RestartableIce:
    """The ICE side of an RTCPeerConnection, all of whose sections share one transport."""

    def __init__(
        self,
        transport: RTCIceTransport,
        servers: Callable[[], Sequence[RTCIceServer]] = tuple,
    ) -> None:
        """`servers` gives STUN and TURN servers, with credentials that are valid now."""
        self._transport = transport
        self._servers = servers
        self._next: Connection | None = None
        """The path that a restart under way would put in place."""
        self._retired: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarting: asyncio.Task[None] | None = None
        self._gathering = asyncio.Lock()
        _prepare(transport._connection)

    @property
    def connected(self) -> bool:
        """There is a path, working or not: from here on it can be replaced."""
        return bool(self._transport.state == "completed")

    @property
    def ufrag(self) -> str:
        """This side's latest name, which changes with every restart."""
        return str(self._latest.local_username)

    def knows(self, remote_ufrag: str) -> bool:
        """Whether the other side goes by this name, in the path in use or the one being made."""
        paths = (self._transport._connection, self._next)
        return any(path is not None and path.remote_username == remote_ufrag for path in paths)

    def add(self, remote: IceFragment) -> None:
        """Take candidates of the other side. Their names are looked up while everything goes on."""
        for path in (self._next, self._transport._connection):
            if path is not None and path.remote_username in (remote.ufrag, None):
                self._spawn(_add(path, remote))
                return

    async def begin(self) -> IceFragment:
        """Begin a restart, in place of one that may be under way; returns what the other side needs."""
        async with self._gathering:
            await self._abandon()
            old = self._transport._connection
            new = Connection(
                ice_controlling=old.ice_controlling,
                transport_policy=old._transport_policy,
                **connection_kwargs(list(self._servers())),
            )
            _prepare(new)
            new._queue = old._queue
            if "data_received" in vars(old):  # packets that are taken before the queue: aiortc_private
                vars(new)["data_received"] = old.data_received
            self._next = new
            await new.gather_candidates()
            candidates = tuple(map(candidate_from_aioice, new.local_candidates))
            return IceFragment(new.local_username, new.local_password, candidates, complete=True)

    def connect(self, remote: IceFragment) -> None:
        """The other side has answered, or asked for, the restart that was begun: look for a path."""
        if self._next is not None:
            self._restarting = self._spawn(self._connect(self._next, remote))

    async def close(self) -> None:
        """End what is beside the path in use, which belongs to the RTCPeerConnection."""
        for task in list(self._tasks):
            task.cancel()
        await self._abandon()
        for old in list(self._retired):
            await self._end(old)

    @property
    def _latest(self) -> Connection:
        return self._next or self._transport._connection

    async def _connect(self, new: Connection, remote: IceFragment) -> None:
        new.remote_username, new.remote_password = remote.ufrag, remote.password
        self._spawn(_add(new, remote))
        try:
            async with asyncio.timeout(RESTART_TIMEOUT_S):
                await new.connect()
        except (ConnectionError, TimeoutError) as error:
            log.info("no new path was found, the old one stays: %s", error or "not in time")
            self._next = None
            await self._end(new)
            return
        old = self._swap(new)
        await asyncio.sleep(LINGER_S)
        await self._end(old)

    def _swap(self, new: Connection) -> Connection:
        """Put a new path in place of the old one, in one step; returns the old one."""
        transport, old = self._transport, self._transport._connection
        transport._connection = transport.iceGatherer._connection = new
        vars(transport).update(_recv=new.recv, _send=new.send)
        new._event_waiter, old._event_waiter = old._event_waiter, None
        self._retired.add(old)
        self._next = self._restarting = None
        log.info("the call goes on over another path")
        return old

    async def _abandon(self) -> None:
        """Give up the restart under way, if any."""
        task, self._restarting = self._restarting, None
        path, self._next = self._next, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if path is not None:
            await self._end(path)

    async def _end(self, path: Connection) -> None:
        """Close a path that is not in use, without DTLS being told of it."""
        self._retired.discard(path)
        path._queue = asyncio.Queue()
        vars(path).pop("data_received", None)
        await path.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _prepare(connection: Connection) -> None:
    """Make a connection that does not end by itself, and does not wait long for STUN and TURN servers."""
    vars(connection).update(
        get_component_candidates=partial(connection.get_component_candidates, timeout=GATHER_TIMEOUT_S),
        query_consent=partial(_ask_consent, connection),
        protocol_lost=partial(_socket_lost, connection),
    )


async def _add(path: Connection, remote: IceFragment) -> None:
    candidates = map(candidate_to_aioice, remote.candidates)
    try:
        await asyncio.gather(*map(path.add_remote_candidate, candidates))
        if remote.complete:
            await path.add_remote_candidate(None)
    except (ValueError, OSError) as error:  # after the end of candidates; or mDNS cannot be used here
        log.debug("a candidate was not taken: %s", error)


async def _ask_consent(connection: Connection) -> None:
    """Ask the other side every 5 s whether packets are welcome; where it does not answer, sending pauses."""
    loop = asyncio.get_running_loop()
    answered_s = loop.time()
    pair: Any = None
    while nominated := connection._nominated.get(1):
        pair = pair if nominated is NOWHERE else nominated
        await asyncio.sleep(CONSENT_INTERVAL_S * random.uniform(0.8, 1.2))
        try:
            await pair.protocol.request(
                connection.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=str(connection.remote_password).encode(),
                retransmissions=CONSENT_RETRIES,
            )
        except stun.TransactionError:
            if loop.time() - answered_s >= CONSENT_EXPIRES_S:
                connection._nominated[1] = NOWHERE
        else:
            answered_s = loop.time()
            if connection._nominated.get(1) is NOWHERE:
                connection._nominated[1] = pair


def _socket_lost(connection: Connection, protocol: Any) -> None:
    """A socket has gone, that of a TURN server over TCP for instance: the call waits for another path."""
    if any(pair.protocol is protocol for pair in connection._nominated.values()):
        connection._nominated[1] = NOWHERE
        if connection._query_consent_task is not None:
            connection._query_consent_task.cancel()


class _Nowhere:
    """Stands in for the pair of addresses in use while nothing may be sent; packets that come are taken."""

    remote_addr = ("", 0)

    @property
    def protocol(self) -> "_Nowhere":
        return self

    @property
    def transport(self) -> "_Nowhere":
        return self

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        pass

    async def send_data(self, data: bytes, address: tuple[str, int]) -> None:
        pass


NOWHERE: Any = _Nowhere()
