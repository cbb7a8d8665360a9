"""Candidates rewritten in SDP, and the relay between two plain UDP sockets, on the virtual clock."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.network import candidates
from voice_agent.network.profile import Handover, LinkSettings, Profile
from voice_agent.network.relay import MAX_ADDRESSES, MAX_EARLY, Relay
from voice_agent.testing import run

OFFER = """v=0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=candidate:1 1 udp 2122260223 3c54ff5b-7d3e.local 50001 typ host generation 0 ufrag abcd
a=candidate:2 1 tcp 1518280447 10.0.0.5 9 typ host tcptype active
a=candidate:3 1 udp 1686052607 203.0.113.7 50001 typ srflx raddr 10.0.0.5 rport 50001
a=end-of-candidates
a=sendrecv
m=video 0 UDP/TLS/RTP/SAVPF 96
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:1
"""


def found(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith("a=candidate:")]


def test_an_offer_has_the_relay_as_its_only_candidate_in_every_section_in_use() -> None:
    out = candidates.replace_all(OFFER, ("127.0.0.1", 4000))
    line = "a=candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host"
    assert found(out) == [line, line]
    lines = out.splitlines()
    assert lines[lines.index(line) + 1] == "a=end-of-candidates"
    assert lines[-1] == line
    assert [text for text in lines if text != line] == [
        text for text in OFFER.splitlines() if not text.startswith("a=candidate")
    ]


def test_an_answer_keeps_the_order_of_its_candidates_and_tells_no_address() -> None:
    out = candidates.replace_each(OFFER, lambda address: ("127.0.0.1", address[1] + 1))
    assert found(out) == ["a=candidate:3 1 udp 1686052607 127.0.0.1 50002 typ host"]


def test_a_broken_candidate_stays_for_the_peer_to_refuse() -> None:
    assert candidates.replace_each("a=candidate:x\r\n", lambda _: None) == "a=candidate:x\r\n"


pieces = st.sampled_from(
    ["a=candidate:", "1 ", "udp ", "typ ", "host", "\r\n", "\n", "m=", "m=audio 0", "::1 ", "1.2.3.4 ", "٣ "]
)


@given(st.lists(pieces | st.text(max_size=5), max_size=40).map("".join))
def test_no_text_breaks_the_rewriting(text: str) -> None:
    once = candidates.replace_all(text, ("127.0.0.1", 4000))
    assert candidates.replace_all(once, ("127.0.0.1", 4000)) == once
    assert candidates.replace_each(once, lambda _: ("127.0.0.1", 4000)) == once
    assert found(candidates.replace_each(once, lambda _: None)) == [
        line for line in found(text) if line in found(candidates.replace_each(text, lambda _: None))
    ]


def test_recorded_offers_keep_all_else(data_folder: Path) -> None:
    offers = [path for path in (data_folder / "rtc" / "sdp").rglob("*") if path.is_file()]
    assert offers
    for path in offers:
        text = path.read_text("utf-8")
        out = candidates.replace_all(text, ("127.0.0.1", 4000))
        kept = [line for line in text.splitlines() if not line.startswith("a=candidate:")]
        assert [line for line in out.splitlines() if not line.startswith("a=candidate:")] == kept


# --- the relay ---


def profile(handover: Handover | None = None, **both_ways: Any) -> Profile:
    link = LinkSettings.model_validate(both_ways)
    return Profile("test", "", (), link, link, handover)


class Socket:
    """One end: what came, from where and when."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.came: list[tuple[bytes, tuple[str, int], float]] = []
        self._loop.add_reader(self.socket, self._read)

    @property
    def candidate(self) -> str:
        return f"a=candidate:1 1 udp 1 127.0.0.1 {self.socket.getsockname()[1]} typ host\r\n"

    @property
    def data(self) -> list[bytes]:
        return [data for data, _, _ in self.came]

    def _read(self) -> None:
        data, source = self.socket.recvfrom(2000)
        self.came.append((data, source, round(self._loop.time(), 6)))

    def close(self) -> None:
        self._loop.remove_reader(self.socket)
        self.socket.close()


def address_in(sdp: str) -> tuple[str, int]:
    words = found(sdp)[0].split()
    return words[4], int(words[5])


class Ends:
    """A caller, a server and the relay between them, and where each believes the other to be."""

    def __init__(self, chosen: Profile) -> None:
        self.caller, self.server = Socket(), Socket()
        self.relay = Relay(chosen)
        self.caller_seen = address_in(self.relay.rewrite_offer("m=audio 9\r\n"))
        self.server_seen = address_in(self.relay.rewrite_answer(self.server.candidate))

    def up(self, *data: bytes) -> None:
        for item in data:
            self.caller.socket.sendto(item, self.server_seen)

    def down(self, *data: bytes) -> None:
        for item in data:
            self.server.socket.sendto(item, self.caller_seen)


@asynccontextmanager
async def ends(chosen: Profile) -> AsyncIterator[Ends]:
    both = Ends(chosen)
    try:
        yield both
    finally:
        both.relay.close()
        both.caller.close()
        both.server.close()


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """These sockets talk on 127.0.0.1, whatever else the machine has."""
    monkeypatch.setattr("voice_agent.network.relay.local_host", lambda: "127.0.0.1")


def test_both_ways_are_delayed_and_keep_their_order() -> None:
    async def main() -> None:
        async with ends(profile(delay_ms=50)) as both:
            sent = [b"%d" % number for number in range(100)]
            both.up(*sent)
            await asyncio.sleep(0.2)
            assert both.server.data == sent
            both.down(*sent)
            await asyncio.sleep(0.2)
            assert both.caller.data == sent
            assert {when for _, _, when in both.server.came} == {0.05}
            assert {when for _, _, when in both.caller.came} == {0.25}
            assert {source for _, source, _ in both.server.came} == {both.caller_seen}
            assert {source for _, source, _ in both.caller.came} == {both.server_seen}
            assert (both.relay.up.delivered, both.relay.down.delivered, both.relay.dropped) == (100, 100, 0)

    run(main())


def test_each_address_of_the_caller_gets_one_of_its_own() -> None:
    async def main() -> None:
        async with ends(profile()) as both:
            second = Socket()
            both.up(b"a")
            second.socket.sendto(b"b", both.server_seen)
            await asyncio.sleep(0.1)
            sources = {data: source for data, source, _ in both.server.came}
            assert sources[b"a"] == both.caller_seen != sources[b"b"]
            both.server.socket.sendto(b"to b", sources[b"b"])
            await asyncio.sleep(0.1)
            assert (both.caller.data, second.data) == ([], [b"to b"])
            second.close()

    run(main())


def test_what_the_server_sends_first_waits_for_the_caller_to_be_known() -> None:
    async def main() -> None:
        async with ends(profile()) as both:
            sent = [b"%d" % number for number in range(MAX_EARLY + 5)]
            both.down(*sent)
            await asyncio.sleep(0.1)
            assert both.caller.came == []
            both.up(b"here")
            await asyncio.sleep(0.1)
            assert both.caller.data == sent[:MAX_EARLY]
            assert both.relay.dropped == 5

    run(main())


def test_strangers_and_too_many_callers_are_not_passed_on() -> None:
    async def main() -> None:
        async with ends(profile()) as both:
            both.up(b"here")
            strangers = [Socket() for _ in range(MAX_ADDRESSES + 3)]
            strangers[0].socket.sendto(b"I am no server", both.caller_seen)
            for stranger in strangers:
                stranger.socket.sendto(b"I am a caller", both.server_seen)
            await asyncio.sleep(0.1)
            assert both.caller.came == []
            assert len(both.server.came) == MAX_ADDRESSES
            assert both.relay.dropped == 1 + len(strangers) - (MAX_ADDRESSES - 1)
            for stranger in strangers:
                stranger.close()

    run(main())


def test_after_a_handover_the_caller_has_another_address_and_the_old_one_is_dead() -> None:
    async def main() -> None:
        async with ends(profile(Handover(at_s=10, hole_ms=1000, to="test"))) as both:
            both.up(b"before")
            await asyncio.sleep(10.5)
            both.up(b"within")
            await asyncio.sleep(1)
            both.up(b"after")
            await asyncio.sleep(0.1)
            assert both.server.data == [b"before", b"after"]
            old, new = (source for _, source, _ in both.server.came)
            assert old == both.caller_seen != new
            both.down(b"to the old")
            both.server.socket.sendto(b"to the new", new)
            await asyncio.sleep(0.1)
            assert both.caller.data == [b"to the new"]

    run(main())


def test_losses_and_copies_are_those_of_the_profile() -> None:
    async def main() -> None:
        async with ends(profile(loss=0.2, duplicate=0.1)) as both:
            for number in range(500):
                both.up(b"%d" % number)
                await asyncio.sleep(0.02)
            counts = both.relay.up
            assert len(both.server.came) == counts.delivered + counts.duplicated
            assert counts.lost == pytest.approx(100, rel=0.3)
            assert counts.duplicated == pytest.approx(40, rel=0.5)

    run(main())


def test_closing_frees_the_ports_and_may_be_done_twice() -> None:
    async def main() -> None:
        async with ends(profile(delay_ms=100)) as both:
            both.up(b"in flight")
            await asyncio.sleep(0.05)
            both.relay.close()
            both.relay.close()
            await asyncio.sleep(0.2)
            assert both.server.came == []
            for address in (both.caller_seen, both.server_seen):
                again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                again.bind(address)
                again.close()

    run(main())
