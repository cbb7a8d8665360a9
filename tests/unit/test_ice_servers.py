"""STUN and TURN by configuration: credentials as coturn computes them, mistakes told at the start."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

import pytest

from voice_agent import cli
from voice_agent.errors import InputError
from voice_agent.ice_servers import TIME_TO_LIVE_S, IceServers, configured, credentials

TURN = {"VOICE_AGENT_TURN_URL": "turn:turn.example.org:3478", "VOICE_AGENT_TURN_SECRET": "s3cret"}


def test_credentials_are_those_of_the_turn_rest_api() -> None:
    username, password = credentials("s3cret", "sess_1", 1_700_000_000)
    assert username == "1700000000:sess_1"
    digest = hmac.new(b"s3cret", b"1700000000:sess_1", hashlib.sha1).digest()
    assert base64.b64decode(password) == digest


def test_nothing_is_configured_by_default() -> None:
    servers = configured(environment={})
    assert servers == IceServers()
    assert not servers.for_session("x") and not servers.links("x")


def test_both_kinds_from_the_environment() -> None:
    stun = {"VOICE_AGENT_ICE_SERVERS": "stun:a.example.org, stun:b.example.org:19302"}
    servers = configured(environment=stun | TURN)
    first, second = servers.for_session("sess_1")
    assert first == {"urls": ["stun:a.example.org", "stun:b.example.org:19302"]}
    assert second["urls"] == ["turn:turn.example.org:3478"]
    expires_s, name = second["username"].split(":")
    assert name == "sess_1"
    assert abs(int(expires_s) - time.time() - TIME_TO_LIVE_S) < 5
    assert second["credential"] == credentials("s3cret", "sess_1", int(expires_s))[1]
    assert "s3cret" not in repr(servers)


def test_the_command_line_goes_before_the_environment() -> None:
    servers = configured(
        ["stun:c.example.org"], environment={"VOICE_AGENT_ICE_SERVERS": "stun:a.example.org"}
    )
    assert servers.stun == ("stun:c.example.org",)


def test_links_as_whip_has_them() -> None:
    servers = configured(["stun:c.example.org"], environment=TURN)
    stun, turn = servers.links("sess_1")
    assert stun == '<stun:c.example.org>; rel="ice-server"'
    assert turn.startswith('<turn:turn.example.org:3478>; rel="ice-server"; username="')
    assert turn.endswith('; credential-type="password"')


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: configured(["stun.example.org"], environment={}), "expected a STUN server as stun:HOST"),
        (lambda: configured(["stun:a:99999"], environment={}), "expected a STUN server as stun:HOST"),
        (lambda: configured(["turn:a.example.org"], environment={}), "a TURN server needs credentials"),
        (lambda: configured(environment={"VOICE_AGENT_ICE_SERVERS": "http://x"}), "expected a STUN server"),
        (
            lambda: configured(environment={"VOICE_AGENT_TURN_URL": "turn:a.example.org"}),
            "VOICE_AGENT_TURN_URL is set and VOICE_AGENT_TURN_SECRET is not",
        ),
        (
            lambda: configured(environment={"VOICE_AGENT_TURN_SECRET": "s3cret"}),
            "VOICE_AGENT_TURN_SECRET is set and VOICE_AGENT_TURN_URL is not",
        ),
        (
            lambda: configured(environment=TURN | {"VOICE_AGENT_TURN_URL": "turn:a.org?transport=x"}),
            "VOICE_AGENT_TURN_URL: expected turn:HOST",
        ),
        (lambda: configured(relay_only=True, environment={}), "--relay-only: expected a TURN server"),
    ],
)
def test_a_mistake_says_what_was_expected(make: Callable[[], IceServers], words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        make()
    assert "s3cret" not in str(raised.value)


def test_a_mistake_ends_the_start_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--ice-server", "http://x"]) == 2
    assert (
        capsys.readouterr().err == "voice-agent: expected a STUN server as stun:HOST[:PORT], got 'http://x'\n"
    )
