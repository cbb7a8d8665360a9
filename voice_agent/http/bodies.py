"""Reading what clients send. Whatever cannot be read is answered by a CallRefused that says why."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from pydantic_core import from_json

from voice_agent.http.refusal import CallRefused
from voice_agent.realtime.commands import language_of

MAX_BODY = 256 * 1024
"""Bytes of an offer; a browser's has about 5 kB."""
DEFAULT_LANGUAGE = "en"


def kind_of(request: Request) -> str:
    """The body's media type, without parameters; "" where none is told."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def offer(request: Request) -> tuple[str, str]:
    """The SDP offer and the caller's language, from either form of the request. Raises CallRefused."""
    kind = kind_of(request)
    if kind == "application/sdp":
        return await text(request), _language(request.query_params.get("language", ""))
    if kind != "multipart/form-data":
        raise unexpected_kind("application/sdp or multipart/form-data", kind)
    async with Request(request.scope, _again(await _read(request))).form() as form:
        sdp, session = [await _field(form.get(name)) for name in ("sdp", "session")]
    if not sdp:
        raise CallRefused(400, "expected a form field 'sdp' with the offer", "invalid_offer")
    try:
        language = language_of(from_json(session)) if session else ""
    except ValueError as error:
        message = f"expected JSON in the form field 'session': {error}"
        raise CallRefused(400, message, "invalid_session") from error
    return sdp, _language(language)


async def text(request: Request) -> str:
    """The body as text. Raises CallRefused."""
    return (await _read(request)).decode("utf-8", "replace")


def unexpected_kind(expected: str, kind: str) -> CallRefused:
    """The answer to a body of another media type."""
    message = f"expected {expected}, got {kind[:60] or 'no content type'}"
    return CallRefused(415, message, "unsupported_media_type")


def _language(tag: str) -> str:
    """A language tag such as "en" or "zh-CN", else the default."""
    return tag if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", tag) else DEFAULT_LANGUAGE


async def _field(value: Any) -> str:
    """A form field, sent as text or as a file."""
    raw = await value.read() if hasattr(value, "read") else (value or "")
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


async def _read(request: Request) -> bytes:
    """The body, as far as it may be long. Raises CallRefused."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY:
            raise CallRefused(413, f"expected at most {MAX_BODY} bytes", "too_large")
    return bytes(raw)


def _again(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """An ASGI `receive` that gives a body which has been read."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
