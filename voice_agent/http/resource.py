"""A call as a resource of HTTP, in the manner of WHIP (RFC 9725) and of the OpenAI Realtime API."""

from fastapi import APIRouter, Request, Response

from voice_agent.errors import InputError
from voice_agent.http import bodies
from voice_agent.http.calls import Calls, endpoint_of
from voice_agent.http.refusal import CallRefused

PATH = "/v1/realtime/calls"


def routes(calls: Calls) -> APIRouter:
    """The routes, for an application to include."""
    router = APIRouter()

    @router.post(PATH)
    async def begin(request: Request) -> Response:
        offer, language = await bodies.offer(request)
        call_id, answer = await calls.begin(offer, language)
        return Response(answer, 201, {"Location": f"{PATH}/{call_id}"}, "application/sdp")

    @router.patch(PATH + "/{call_id}")
    async def trickle(call_id: str, request: Request) -> Response:
        client = endpoint_of(calls.find(call_id))
        assert client is not None
        try:
            await client.add_candidates(calls.trickled(call_id, await bodies.text(request)))
        except InputError as error:
            raise CallRefused(400, str(error), "invalid_candidate") from error
        return Response(status_code=204)

    @router.delete(PATH + "/{call_id}")
    async def hang_up(call_id: str) -> Response:
        calls.find(call_id).close("the caller hung up")
        return Response(status_code=204)

    return router
