"""A call as a resource of HTTP, in the manner of WHIP (RFC 9725) and of the OpenAI Realtime API."""

from typing import Any

from fastapi import APIRouter, Request, Response

from voice_agent.http import bodies
from voice_agent.http.calls import Calls
from voice_agent.http.refusal import CallRefused
from voice_agent.ice_servers import ICE_PATH
from voice_agent.media import fragment
from voice_agent.realtime.events import new_id

PATH = "/v1/realtime/calls"


def routes(calls: Calls) -> APIRouter:
    """The routes, for an application to include."""
    router = APIRouter()

    @router.get(ICE_PATH)
    async def ice(response: Response) -> dict[str, Any]:
        """What a caller needs before its offer, as RTCPeerConnection takes it."""
        response.headers["Cache-Control"] = "no-store"
        policy = "relay" if calls.servers.relay_only else "all"
        return {
            "iceServers": calls.servers.for_session(new_id("caller")),
            "iceTransportPolicy": policy,
        }

    @router.post(PATH)
    async def begin(request: Request) -> Response:
        offer, language = await bodies.offer(request)
        call_id, answer = await calls.begin(offer, language)
        headers = {"Location": f"{PATH}/{call_id}", "Accept-Patch": fragment.TYPE, **_tag(calls, call_id)}
        response = Response(answer, 201, headers, "application/sdp")
        for link in calls.servers.links(call_id):
            response.headers.append("Link", link)
        return response

    @router.patch(PATH + "/{call_id}")
    async def patch(call_id: str, request: Request) -> Response:
        _expect_session(request.headers.get("if-match", ""), calls.endpoint(call_id).ice_session())
        kind = bodies.kind_of(request)
        if kind != fragment.TYPE:
            raise bodies.unexpected_kind(fragment.TYPE, kind)
        answer = await calls.patch(call_id, await bodies.text(request))
        if answer is None:
            return Response(status_code=204)
        return Response(answer, 200, _tag(calls, call_id), fragment.TYPE)

    @router.delete(PATH + "/{call_id}")
    async def hang_up(call_id: str) -> Response:
        calls.find(call_id).close("the caller hung up")
        return Response(status_code=204)

    return router


def _tag(calls: Calls, call_id: str) -> dict[str, str]:
    """The header that names the ICE session which the response belongs to."""
    return {"ETag": f'"{calls.endpoint(call_id).ice_session()}"'}


def _expect_session(condition: str, session: str) -> None:
    """Refuse what was meant for an earlier ICE session; who does not say (`If-Match`) is not asked."""
    named = {tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")}
    if condition and not named & {"*", session}:
        message = f'expected If-Match: "{session}" or *, got {condition[:60]}: ICE was restarted since'
        raise CallRefused(412, message, "ice_restarted")
