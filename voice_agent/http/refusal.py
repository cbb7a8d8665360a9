"""Answers other than 2xx, in the form of the OpenAI API's errors."""

from fastapi import Request
from fastapi.responses import JSONResponse


class CallRefused(Exception):
    """A request that cannot be done as it is: its HTTP status, what was expected and what came, a code."""

    def __init__(self, status: int, message: str, code: str) -> None:
        self.status, self.message, self.code = status, message, code


def answer(error: CallRefused) -> JSONResponse:
    """The response that tells of it."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body = {"error": {"message": error.message, "type": kind, "code": error.code, "param": None}}
    return JSONResponse(body, error.status, {"Retry-After": "5"} if error.status == 503 else None)


async def handle(_: Request, error: Exception) -> JSONResponse:
    """The application's handler for CallRefused."""
    assert isinstance(error, CallRefused)
    return answer(error)
