"""An OpenAI-compatible service over HTTP: where it is, the connections to it, its errors in words.

Plain httpx and not the `openai` package: it takes less than half of the CPU for a reply, and a connection
that breaks in mid-answer raises one family of errors.
"""

import asyncio
import functools
import ipaddress
import json
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from voice_agent.errors import ModelError, TurnError

log = logging.getLogger(__name__)
OFFICIAL_URL = "https://api.openai.com/v1"
CONNECT_TIMEOUT_S = 3.0
CHECK_TIMEOUT_S = 2.0
WARM_TIMEOUT_S = 1.0
KEEP_ALIVE_S = 120.0
"""How long an unused connection stays open; a caller may talk for a minute between two requests."""
DRAIN_TIMEOUT_S = 0.2
"""How long an answer may take to end after it said that it is done."""
MAX_LINE_BYTES = 1_000_000

_Kept = tuple[AsyncGenerator[httpx.AsyncClient], httpx.AsyncClient]
_clients: dict[tuple[asyncio.AbstractEventLoop, "Service"], _Kept] = {}


@dataclass(frozen=True)
class Service:
    """A base_url and its key."""

    base_url: str
    api_key: str = field(repr=False)

    @classmethod
    def find(cls, base_url: str, api_key: str) -> "Service":
        """An empty base_url is OPENAI_BASE_URL, else OpenAI's own. An empty api_key is OPENAI_API_KEY, but
        only for these two: a key is not sent to a service that it was not given for.
        """
        usual = (os.environ.get("OPENAI_BASE_URL") or OFFICIAL_URL).strip().rstrip("/")
        url = base_url.strip().rstrip("/") or usual
        if not api_key and url in (usual, OFFICIAL_URL):
            api_key = os.environ.get("OPENAI_API_KEY", "")
        return cls(url, api_key.strip())

    @property
    def is_official(self) -> bool:
        """Whether this is OpenAI's own service."""
        return self._host == "api.openai.com"

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine or in this network."""
        if ("." not in self._host and ":" not in self._host) or self._host.endswith((".local", ".localhost")):
            return True
        try:
            address = ipaddress.ip_address(self._host)
        except ValueError:
            return False
        return address.is_private or address.is_loopback

    @property
    def _host(self) -> str:
        return httpx.URL(self.base_url).host

    def check(self) -> None:
        """Raises ModelError, with what to do: a bad URL, no key, a local server that does not run.

        Blocks for up to CHECK_TIMEOUT_S; a service outside this network is not asked.
        """
        try:
            usable = httpx.URL(self.base_url).scheme in ("http", "https") and bool(self._host)
        except httpx.InvalidURL:
            usable = False
        if "@" in self.base_url:  # it is shown in logs and errors
            raise ModelError("base_url: expected no user and password in it: give the key as api_key")
        if not usable:
            raise ModelError(f"base_url: expected http://host:port/v1, not '{self.base_url}'")
        if self.is_official and not self.api_key:
            raise ModelError(
                "no key for api.openai.com: set OPENAI_API_KEY, or OPENAI_BASE_URL to another server"
            )
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ModelError(f"the key for {self.base_url} holds characters that no key has")
        if self.base_url.startswith("https"):
            _ssl_context()
        if self.is_local:
            self._check_reachable()

    def _check_reachable(self) -> None:
        try:
            with httpx.Client(verify=self._verify, trust_env=False, timeout=CHECK_TIMEOUT_S) as client:
                answer = client.get(f"{self.base_url}/models", headers=self._headers)
        except httpx.HTTPError as error:
            raise ModelError(
                f"cannot reach {self.base_url} ({_words(error)}): start it, "
                "or set the node's base_url (OPENAI_BASE_URL; in the graph `local`: LOCAL_LLM_URL)"
            ) from error
        if answer.status_code in (401, 403):
            raise ModelError(f"{self.base_url} refuses the key: set OPENAI_API_KEY or the node's api_key")

    async def keep_warm(self, cut: asyncio.Event) -> None:
        """Open a connection ahead of the first request, so that no caller waits for it, and again whenever
        `cut` is set: a request that is interrupted takes its connection with it. Never returns.
        """
        while True:
            await self.warm()
            await cut.wait()
            cut.clear()

    async def warm(self) -> None:
        """Open a connection unless one is free. Never fails."""
        try:
            async with asyncio.timeout(WARM_TIMEOUT_S):
                await (await self._client()).head(f"{self.base_url}/models")
        except (httpx.HTTPError, TimeoutError) as error:
            log.debug("%s does not answer yet: %s", self.base_url, _words(error))

    @asynccontextmanager
    async def post(
        self, path: str, *, first_s: float, idle_s: float, **content: Any
    ) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Send a request; gives the body of the answer, in pieces as they arrive.

        content: `json`, or `data` and `files`, as httpx has them. Leaving early closes the connection.
        Raises TurnError: not reachable, refused (status and the service's own message), nothing within
        `first_s` of the request, a pause longer than `idle_s`, a connection that breaks.
        """
        url = f"{self.base_url}/{path}"
        deadline_s = asyncio.get_running_loop().time() + first_s
        client = await self._client()
        with _worded(url, first_s):
            async with asyncio.timeout_at(deadline_s):
                response = await _send(client, client.build_request("POST", url, **content))
        try:
            if response.is_error:
                reason = await _complaint(response)
                if self.api_key:
                    reason = reason.replace(self.api_key, "[key]")
                raise TurnError(f"{url}: HTTP {response.status_code}: {reason}")
            async with aclosing(_pieces(response, url, deadline_s, first_s, idle_s)) as pieces:
                yield pieces
        finally:
            await response.aclose()

    async def _client(self) -> httpx.AsyncClient:
        """This process's connections to the service on this event loop: opened once, closed with the loop."""
        key = asyncio.get_running_loop(), self
        if key not in _clients:
            keeper = self._keep_client()
            _clients[key] = keeper, await anext(keeper)
        return _clients[key][1]

    async def _keep_client(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A loop ends every open generator before it closes: that is what closes the connections."""
        client = httpx.AsyncClient(
            verify=self._verify,
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
            trust_env=not self.is_local,
        )
        try:
            yield client
        finally:
            del _clients[asyncio.get_running_loop(), self]
            await client.aclose()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def _verify(self) -> ssl.SSLContext | bool:
        return _ssl_context() if self.base_url.startswith("https") else False


async def read_events(pieces: AsyncIterator[bytes], url: str) -> AsyncGenerator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events, until "[DONE]".

    Raises TurnError when something else comes, or an error object.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                await _drain(pieces)
                return
            yield _parse_event(data, url)
        if len(rest) > MAX_LINE_BYTES:
            raise TurnError(f"{url}: a line of over {MAX_LINE_BYTES} bytes")


def _parse_event(data: bytes, url: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise TurnError(f"{url}: expected events in JSON, got something else")
    if error := event.get("error"):
        raise TurnError(f"{url}: {_message(error)}")
    return event


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read to the end, without which the connection cannot be used again."""
    with suppress(TimeoutError, TurnError):
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            async for _ in pieces:
                pass


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send; once more when a kept connection turns out to have been closed by the other side meanwhile."""
    try:
        return await client.send(request, stream=True)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        return await client.send(request, stream=True)


async def _pieces(
    response: httpx.Response, url: str, deadline_s: float, first_s: float, idle_s: float
) -> AsyncGenerator[bytes]:
    """The body as it arrives. The clock stands while the receiver is busy with a piece."""
    async with aclosing(response.aiter_bytes()) as body:  # type: ignore[type-var]
        allowed_s = first_s
        while True:
            with _worded(url, allowed_s):
                async with asyncio.timeout_at(deadline_s):
                    piece = await anext(body, b"")
            if not piece:
                return
            yield piece
            allowed_s = idle_s
            deadline_s = asyncio.get_running_loop().time() + idle_s


@contextmanager
def _worded(url: str, allowed_s: float) -> Iterator[None]:
    """Turn what httpx raises, and a timeout of `allowed_s`, into a TurnError that names the URL."""
    try:
        yield
    except TimeoutError as error:
        raise TurnError(f"{url}: nothing came for {allowed_s:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TurnError(f"{url}: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    if isinstance(error, httpx.ConnectError):
        return f"cannot connect: {error}"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "no answer in time"
    return f"the connection broke: {error or type(error).__name__}"


async def _complaint(response: httpx.Response) -> str:
    """The service's own words for a refusal, in short."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            body = await response.aread()
    except (httpx.HTTPError, TimeoutError):
        return response.reason_phrase
    try:
        answer = json.loads(body)
        error = answer["detail"][0]["msg"] if "detail" in answer else answer["error"]  # FastAPI's, OpenAI's
    except (ValueError, RecursionError, LookupError, TypeError):
        error = body.decode(errors="replace")
    return _message(error) or response.reason_phrase


def _message(error: object) -> str:
    """One short line of an error object, or of a body that is none."""
    text = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(text).split())[:200]


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Takes some 20 ms to make: once per process, in `check`, off the event loop."""
    return httpx.create_ssl_context()
