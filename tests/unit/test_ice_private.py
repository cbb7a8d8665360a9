"""What `voice_agent.media.ice` relies on inside aiortc and aioice. When this fails, one of them has changed:
look at what moved in `rtcicetransport.py`, `rtcdtlstransport.py` or aioice's `ice.py`, mend that module."""

import asyncio
import inspect

from aioice import Connection
from aioice.ice import StunProtocol
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport

from voice_agent.media import ice


def test_dtls_asks_the_transport_for_its_methods_each_time() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    assert "await self.transport._recv()" in source
    assert "await self.transport._send(data)" in source


def test_the_transport_asks_for_its_connection_each_time() -> None:
    source = inspect.getsource(RTCIceTransport)
    for line in (
        "self._recv = self._connection.recv",
        "self._send = self._connection.send",
        "event = await self._connection.get_event()",
        "await self._connection.close()",
    ):
        assert line in source, line


def test_a_connection_keeps_its_parts_where_we_look() -> None:
    async def main() -> None:
        connection = Connection(ice_controlling=True)
        for name in (
            "_queue", "_event_waiter", "_nominated", "_query_consent_task", "_transport_policy",
            "_local_username", "remote_username", "remote_password",
        ):  # fmt: skip
            assert name in vars(connection), name

    asyncio.run(main())


def test_a_connection_calls_what_is_replaced() -> None:
    for function, line in (
        (Connection.connect, "asyncio.create_task(self.query_consent())"),
        (Connection.gather_candidates, "self.get_component_candidates(component=component"),
        (Connection.sendto, "active_pair.protocol.send_data(data, active_pair.remote_addr)"),
        (Connection.recvfrom, "await self._queue.get()"),
        (Connection.data_received, "self._queue.put_nowait((data, component))"),
        (Connection.get_event, "self._event_waiter = loop.create_future()"),
        (StunProtocol.connection_lost, "self.receiver.protocol_lost(self)"),
        (StunProtocol.datagram_received, "self.receiver.data_received("),
    ):
        assert line in inspect.getsource(function), line
    assert "timeout" in inspect.signature(Connection.get_component_candidates).parameters


def test_what_is_replaced_is_the_connections_own() -> None:
    async def main() -> None:
        peer = RTCPeerConnection()
        transport = peer.addTransceiver("audio").receiver.transport.transport
        ice.RestartableIce(transport)
        connection = transport._connection
        assert connection is transport.iceGatherer._connection
        replaced = {"query_consent", "protocol_lost", "get_component_candidates"}
        assert replaced <= vars(connection).keys()
        await peer.close()

    asyncio.run(main())
