"""docker/compose.yaml without docker: it can be read, its parts agree, and it holds no secret of its own."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from voice_agent.ice_servers import configured

PATH = Path(__file__).parents[2] / "docker" / "compose.yaml"
VALUES = {"VOICE_AGENT_HOST": "voice.example.org", "VOICE_AGENT_TURN_SECRET": "s3cret"}


def composed() -> Any:
    """As docker compose reads it: variables replaced, those that are needed and missing refused."""
    return yaml.safe_load(
        re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda match: VALUES[match[1]], PATH.read_text("utf-8"))
    )


def turnserver_configuration() -> str:
    return str(composed()["configs"]["turnserver"]["content"])


def test_the_server_takes_its_environment() -> None:
    servers = configured(environment=composed()["services"]["agent"]["environment"])
    assert servers.stun == ("stun:voice.example.org:3478",)
    assert servers.turn[0] == "turn:voice.example.org:3478?transport=udp"
    assert servers.secret == "s3cret"


def test_coturn_shares_the_secret_and_the_port() -> None:
    lines = turnserver_configuration().splitlines()
    assert {"use-auth-secret", "static-auth-secret=s3cret", "listening-port=3478"} <= set(lines)
    assert composed()["services"]["coturn"]["configs"][0]["source"] == "turnserver"


def test_the_files_that_are_named_are_there() -> None:
    build = composed()["services"]["agent"]["build"]
    assert (PATH.parent / build["context"] / build["dockerfile"]).is_file()


def test_what_must_be_given_is_asked_for() -> None:
    asked = dict(re.findall(r"\$\{(\w+):\?([^}]+)\}", PATH.read_text("utf-8")))
    assert asked.keys() == VALUES.keys()
