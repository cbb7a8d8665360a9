"""STUN and TURN servers, for the server itself and for its callers.

A caller behind a NAT learns its outer address from a STUN server; where UDP cannot pass at all, a TURN server
relays. coturn takes credentials that anyone who shares its secret can make and that soon expire ("TURN REST
API", its option `use-auth-secret`): so the secret stays here, and what a browser is given is soon worthless.
"""

import base64
import hashlib
import hmac
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voice_agent.errors import InputError

ICE_PATH = "/v1/realtime/ice"
"""Where a server tells them to its callers."""
STUN = re.compile(r"stun:[^\s:?/@\[\]]+(:\d{1,5})?")
TURN = re.compile(r"turns?:[^\s:?/@\[\]]+(:\d{1,5})?(\?transport=(udp|tcp))?")
SERVERS_VARIABLE = "VOICE_AGENT_ICE_SERVERS"
TURN_VARIABLE = "VOICE_AGENT_TURN_URL"
SECRET_VARIABLE = "VOICE_AGENT_TURN_SECRET"
TIME_TO_LIVE_S = 3600
"""Of credentials: coturn checks them when a relay is asked for and every 10 minutes after, so a call can last
as long, and goes on with new ones after a restart of ICE."""


@dataclass(frozen=True)
class IceServers:
    """None of them by default: then a call connects where both ends are in one network, or one is public."""

    stun: tuple[str, ...] = ()
    """URLs such as `stun:stun.example.org:3478`."""
    turn: tuple[str, ...] = ()
    """URLs such as `turn:turn.example.org:3478?transport=udp`, all of one operator."""
    secret: str = field(default="", repr=False)
    relay_only: bool = False
    """All sound goes through the TURN server: hides addresses, and shows whether it works."""

    def for_session(self, name: str) -> list[dict[str, Any]]:
        """As RTCPeerConnection takes them, with credentials of their own for a session."""
        servers: list[dict[str, Any]] = [{"urls": list(self.stun)}] if self.stun else []
        if self.turn:
            username, credential = credentials(self.secret, name, int(time.time()) + TIME_TO_LIVE_S)
            servers.append({"urls": list(self.turn), "username": username, "credential": credential})
        return servers

    def links(self, name: str) -> list[str]:
        """As values of the HTTP header `Link`, one for each URL (RFC 9725, 4.6)."""
        links = []
        for server in self.for_session(name):
            about = "".join(f'; {key}="{server[key]}"' for key in ("username", "credential") if key in server)
            kind = '; credential-type="password"' if about else ""
            links += [f'<{url}>; rel="ice-server"{about}{kind}' for url in server["urls"]]
        return links


def credentials(secret: str, name: str, expires_s: int) -> tuple[str, str]:
    """User name and password that coturn accepts until a time of the Unix clock."""
    username = f"{expires_s}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def configured(
    urls: Sequence[str] = (), relay_only: bool = False, environment: Mapping[str, str] = os.environ
) -> IceServers:
    """Those named by the command line, else by the environment. Raises InputError."""
    stun = tuple(urls) or _words(environment.get(SERVERS_VARIABLE, ""))
    turn, secret = _words(environment.get(TURN_VARIABLE, "")), environment.get(SECRET_VARIABLE, "")
    for url in stun:
        _check_stun(url)
    for url in turn:
        if not TURN.fullmatch(url) or not _has_port(url):
            said = "turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT]"
            raise InputError(f"{TURN_VARIABLE}: expected {said}, got '{url[:100]}'")
    if bool(turn) != bool(secret):
        given, missing = (TURN_VARIABLE, SECRET_VARIABLE) if turn else (SECRET_VARIABLE, TURN_VARIABLE)
        raise InputError(f"{given} is set and {missing} is not: a TURN server needs both")
    if relay_only and not turn:
        raise InputError(f"--relay-only: expected a TURN server in {TURN_VARIABLE}, got none")
    return IceServers(stun, turn, secret, relay_only)


def _check_stun(url: str) -> None:
    if url.startswith("turn"):
        said = f"{TURN_VARIABLE} and {SECRET_VARIABLE}"
        raise InputError(f"'{url[:100]}': a TURN server needs credentials: set {said} in the environment")
    if not STUN.fullmatch(url) or not _has_port(url):
        raise InputError(f"expected a STUN server as stun:HOST[:PORT], got '{url[:100]}'")


def _has_port(url: str) -> bool:
    """A port that can be, or none."""
    found = re.search(r":(\d+)(\?|$)", url)
    return found is None or 0 < int(found[1]) < 65536


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
