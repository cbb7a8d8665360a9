"""A UDP relay between the two peers of a WebRTC call, which does to their packets what a profile says.

It works like a NAT in the path, and stands wherever the SDP passes, at the caller's or at the server's:

    caller ──> near socket ──[ up ]──> far socket ──> server
    caller <── near socket <──[ down ]── far socket <── server

There is a near socket for each address of the server, which takes that address's place in the answer, and a
far socket for each address that the caller sends from, the first of which takes the place of all candidates
in the offer. So ICE, DTLS and SRTP go through untouched, and peers behind mDNS names or NATs are found.
"""

import asyncio
import heapq
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import NamedTuple

from voice_agent.network import candidates
from voice_agent.network.candidates import Address
from voice_agent.network.model import Counts, Path
from voice_agent.network.profile import Profile

log = logging.getLogger(__name__)
UDP_IP_BYTES = 28
"""Headers that a real link carries too: 20 of IPv4, 8 of UDP."""
DATAGRAM_BYTES = 4096
"""More than any that WebRTC sends."""
MAX_READS = 64
"""Datagrams taken from a socket before the loop's other work has its turn."""
MAX_IN_FLIGHT = 4096
MAX_EARLY = 16
MAX_ADDRESSES = 64
"""Of either side; every restart of ICE brings new ones."""


class _Due(NamedTuple):
    """A packet on its way. `number` keeps the order of those that arrive at the same moment."""

    arrives_s: float
    number: int
    deliver: Callable[[bytes], None]
    data: bytes


@dataclass
class _Caller:
    """One address that the caller sends from; `None` while it is not known."""

    address: Address | None
    far: socket.socket


class Relay:
    """For one call. Made and used on a running loop; `close` it in any case."""

    def __init__(self, profile: Profile, seed: int | str = 1) -> None:
        self.dropped = 0
        """Datagrams that were not passed on for other reasons than the profile's: nobody to send them to, or
        too many.
        """
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._up, self._down = Path(profile, "up", seed), Path(profile, "down", seed)
        self._host = local_host()
        self._near: dict[Address, socket.socket] = {}
        """By the server's address."""
        self._callers: list[_Caller] = []
        self._early: list[tuple[bytes, Address]] = []
        """What the server sent before the caller's first packet told its address: were its first ICE check
        lost here, the second would come half a second later.
        """
        self._in_flight: list[_Due] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._handover: asyncio.TimerHandle | None = None
        self._add_caller(None)
        if handover := profile.handover:
            delay_s = handover.at_s + handover.hole_ms / 1000
            self._handover = self._loop.call_later(delay_s, self._change_addresses)

    @property
    def up(self) -> Counts:
        """What has become of the caller's packets."""
        return self._up.counts

    @property
    def down(self) -> Counts:
        """What has become of the server's packets."""
        return self._down.counts

    def rewrite_offer(self, sdp: str) -> str:
        """The caller's SDP as the server is to see it."""
        return candidates.replace_all(sdp, self._callers[0].far.getsockname())

    def rewrite_answer(self, sdp: str) -> str:
        """The server's SDP as the caller is to see it."""
        return candidates.replace_each(sdp, self._near_address)

    def rewrite_fragment(self, sdp: str) -> str:
        """The caller's trickled candidates as the server is to see them."""
        far: Address = self._callers[0].far.getsockname()
        return candidates.replace_each(sdp, lambda _: far)

    def close(self) -> None:
        """Forget what is in flight and free the ports. May be called again."""
        for timer in (self._timer, self._handover):
            if timer is not None:
                timer.cancel()
        self._in_flight.clear()
        for near in self._near.values():
            self._shut(near)
        for caller in self._callers:
            self._shut(caller.far)
        if self._callers:
            log.debug("relay closed: up %s, down %s, %d dropped", self.up, self.down, self.dropped)
        self._near, self._callers, self._early = {}, [], []

    # --- addresses ---

    def _near_address(self, server: Address) -> Address | None:
        if server not in self._near:
            if len(self._near) >= MAX_ADDRESSES:
                return None
            near = self._near[server] = self._open()
            self._listen(near, partial(self._from_caller, server))
        address: Address = self._near[server].getsockname()
        return address

    def _add_caller(self, address: Address | None) -> _Caller:
        caller = _Caller(address, self._open())
        self._callers.append(caller)
        self._listen(caller.far, partial(self._from_server, caller))
        return caller

    def _caller_at(self, address: Address) -> _Caller | None:
        for caller in self._callers:
            if caller.address == address:
                return caller
            if caller.address is None:
                caller.address = address
                early, self._early = self._early, []
                for data, server in early:
                    self._from_server(caller, data, server)
                return caller
        return self._add_caller(address) if len(self._callers) < MAX_ADDRESSES else None

    def _change_addresses(self) -> None:
        """The caller is in another network now: its old addresses are dead."""
        for caller in self._callers:
            self._shut(caller.far)
            caller.far = self._open()
            self._listen(caller.far, partial(self._from_server, caller))

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((self._host, 0))
        return opened

    def _shut(self, opened: socket.socket) -> None:
        self._loop.remove_reader(opened)
        opened.close()

    # --- packets ---

    def _listen(self, opened: socket.socket, take: Callable[[bytes, Address], None]) -> None:
        self._loop.add_reader(opened, self._read, opened, take)

    def _read(self, opened: socket.socket, take: Callable[[bytes, Address], None]) -> None:
        for _ in range(MAX_READS):
            try:
                data, source = opened.recvfrom(DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP message about an earlier datagram
                log.debug("relay: %s", error)
                continue
            take(data, source)

    def _from_caller(self, server: Address, data: bytes, source: Address) -> None:
        caller = self._caller_at(source)
        if caller is None:
            self.dropped += 1
            return
        self._send(self._up, data, lambda data: self._pass_on(caller.far, data, server))

    def _from_server(self, caller: _Caller, data: bytes, source: Address) -> None:
        near, address = self._near.get(source), caller.address
        if address is None and len(self._early) < MAX_EARLY:
            self._early.append((data, source))
            return
        if near is None or address is None:
            self.dropped += 1
            return
        self._send(self._down, data, lambda data: self._pass_on(near, data, address))

    def _pass_on(self, opened: socket.socket, data: bytes, address: Address) -> None:
        try:
            opened.sendto(data, address)
        except OSError as error:
            self.dropped += 1
            log.debug("relay: %s", error)

    def _send(self, path: Path, data: bytes, deliver: Callable[[bytes], None]) -> None:
        now_s = self._loop.time() - self._began_s
        for arrives_s in path.push(len(data) + UDP_IP_BYTES, now_s):
            if len(self._in_flight) >= MAX_IN_FLIGHT:
                self.dropped += 1
                return
            heapq.heappush(self._in_flight, _Due(arrives_s, next(self._numbers), deliver, data))
        self._deliver()

    def _deliver(self) -> None:
        """Pass on what has arrived, and set the clock for what comes next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self._loop.time() - self._began_s
        while self._in_flight and self._in_flight[0].arrives_s <= now_s:
            due = heapq.heappop(self._in_flight)
            due.deliver(due.data)
        if self._in_flight:
            self._timer = self._loop.call_at(self._began_s + self._in_flight[0].arrives_s, self._deliver)


def local_host() -> str:
    """This machine's IPv4 address for others, 127.0.0.1 if it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that is nobody's
        except OSError:
            return "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host
