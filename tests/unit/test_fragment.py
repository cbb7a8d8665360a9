"""Fragments of SDP: what is written can be read, and no text breaks the reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.errors import InputError
from voice_agent.media import fragment
from voice_agent.media.fragment import IceFragment

BROWSER = """a=ice-ufrag:ysXw
a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k
m=audio 9 UDP/TLS/RTP/SAVPF 0
a=mid:1
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag ysXw network-id 1
a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ srflx raddr 192.0.2.1 rport 61764
a=candidate:3471623853 2 udp 2122194686 198.51.100.2 61766 typ srflx raddr 192.0.2.1 rport 61764
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active
a=candidate:9 1 udp 2122260223 0b0e9d2c.local 50001 typ host
a=end-of-candidates
"""
OFFER = f"""v=0
a=group:BUNDLE 1 2
{BROWSER}m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
a=candidate:9 1 udp 2122260223 0b0e9d2c.local 50001 typ host
a=setup:actpass
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_browsers_fragment(ending: str) -> None:
    found = fragment.read(BROWSER.replace("\n", ending))
    assert (found.ufrag, found.password, found.mid) == ("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k", "1")
    hosts = [(candidate.ip, candidate.port) for candidate in found.candidates]
    assert hosts == [
        ("192.0.2.1", 61764),
        ("198.51.100.2", 61765),
        ("192.0.2.1", 9),
        ("0b0e9d2c.local", 50001),
    ]
    assert found.complete


def test_what_is_written_can_be_read() -> None:
    found = fragment.read(BROWSER)
    assert fragment.read(str(found)) == found
    assert str(IceFragment("abcd", complete=True)).splitlines() == [
        "a=ice-ufrag:abcd", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", "a=end-of-candidates",
    ]  # fmt: skip


def test_an_offer_without_its_candidates() -> None:
    rest, found = fragment.without_candidates(OFFER)
    assert "candidate" not in rest and rest.splitlines()[-1] == "a=setup:actpass"
    assert len(found.candidates) == 4, "those of bundled sections are the same"
    assert (found.ufrag, found.complete) == ("ysXw", True)


def test_sections_that_are_not_bundled_keep_theirs() -> None:
    alone = OFFER.replace("a=group:BUNDLE 1 2\n", "")
    assert fragment.without_candidates(alone) == (alone, IceFragment("ysXw"))


pieces = st.sampled_from(
    [
        "a=candidate:", "a=ice-ufrag:", "a=ice-pwd:", "a=end-of-candidates", "a=mid:", "abcd", "p" * 22, "1 ",
        "udp ", "127.0.0.1 ", "typ ", "host", "9" * 30, "٣ ", "::1 ", "a=group:BUNDLE 0\n", "\r\n",
    ]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=5), max_size=40).map("".join))
def test_no_text_breaks_the_reading(text: str) -> None:
    for read in (fragment.read, fragment.without_candidates):
        try:
            read(text)
        except InputError as error:
            assert str(error).startswith("expected")
