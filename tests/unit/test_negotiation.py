"""What an offer of a browser becomes in the answer: in-band FEC, copies, the length of packets."""

import pytest

from voice_agent.media.negotiation import completed_answer, completed_offer, payload_types

AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF"
BROWSER = f"""v=0\r
{AUDIO} 111 63 9 0 8 13 110 126\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=rtpmap:63 red/48000/2\r
a=fmtp:63 111/111\r
a=rtpmap:9 G722/8000\r
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r
"""
AIORTC = f"""v=0\r
{AUDIO} 111 9\r
a=rtpmap:111 opus/48000/2\r
a=rtpmap:9 G722/8000\r
m=application 9 DTLS/SCTP 5000\r
"""


def lines(sdp: str) -> list[str]:
    assert sdp.endswith("\r\n")
    return sdp.split("\r\n")


def test_the_answer_takes_fec_and_copies() -> None:
    answer = lines(completed_answer(BROWSER, AIORTC))
    assert answer[1:6] == [
        f"{AUDIO} 111 9 63",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;stereo=0",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
    ]
    assert answer[6:] == lines(AIORTC)[3:], "nothing else is touched"


@pytest.mark.parametrize(
    ("copies", "types"), [("always", "63 111 9"), ("auto", "111 9 63"), ("never", "111 9")]
)
def test_the_first_type_is_what_the_browser_sends(copies: str, types: str) -> None:
    answer = completed_answer(BROWSER, AIORTC, copies=copies)  # type: ignore[arg-type]
    assert f"{AUDIO} {types}\r\n" in answer
    assert ("red" in answer) == (copies != "never")


def test_short_packets_are_asked_for() -> None:
    assert "a=ptime:10\r\na=maxptime:10\r\n" in completed_answer(BROWSER, AIORTC, packet_ms=10)
    assert "ptime:" not in completed_answer(BROWSER, AIORTC)


@pytest.mark.parametrize(
    "offer",
    [
        BROWSER.replace("a=rtpmap:63 red/48000/2\r\n", ""),
        BROWSER.replace("a=fmtp:63 111/111", "a=fmtp:63 9/9"),
        BROWSER.replace("a=fmtp:63 111/111\r\n", ""),
    ],
)
def test_copies_of_something_else_are_not_taken(offer: str) -> None:
    assert "red" not in completed_answer(offer, AIORTC)


def test_another_browsers_numbers() -> None:
    offer = BROWSER.replace("111", "109").replace("63", "121")
    types = payload_types(completed_answer(offer, AIORTC.replace("111", "109")))
    assert (types.opus, types.red) == (109, 121)


def test_our_own_offer_has_copies() -> None:
    offer = completed_offer(AIORTC)
    assert (payload_types(offer).opus, payload_types(offer).red) == (111, 63)
    assert completed_offer("v=0\r\n") == "v=0\r\n"


def test_an_answer_without_opus_is_refused() -> None:
    with pytest.raises(ValueError, match="Opus"):
        payload_types("v=0\r\n")
