"""A wrapper of the application that introduces at most one fault at a time."""

from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conformance.selftest.exchange import Headers, Request, Response
from tests.conformance.selftest.faults import Fault
from tests.conformance.selftest.relay import Relay


class FaultyApplication:
    """Wraps an application. fault: applied to all further requests; None for none. relay: the relay of its events."""

    def __init__(self, app: ASGIApp, relay: Relay) -> None:
        self._app = app
        self._relay = relay
        self.fault: Fault | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.fault
        if scope["type"] != "http" or (fault is None and not scope["path"].startswith("/service/webhooks")):
            await self._app(scope, receive, send)
            return
        request = Request(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), await _whole_body(receive)
        )
        response = await self._respond(scope, receive, self._relay.before(fault.before(request) if fault else request))
        response = self._relay.after(request, response)
        await _send(fault.after(request, response) if fault else response, request.method, send)

    async def _respond(self, scope: Scope, receive_more: Receive, request: Request) -> Response:
        received = False
        status = 0
        headers: Headers = ()
        chunks: list[bytes] = []

        async def receive() -> Message:
            nonlocal received
            if received:
                return await receive_more()
            received = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in message["headers"])
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        await self._app(_scope(scope, request), receive, send)
        return Response(status, headers, b"".join(chunks))


async def _whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _scope(scope: Scope, request: Request) -> dict[str, Any]:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    if request.body:
        headers.append((b"content-length", str(len(request.body)).encode()))
    return {**scope, "method": request.method, "query_string": request.query.encode("latin-1"), "headers": headers}


async def _send(response: Response, method: str, send: Send) -> None:
    if method == "HEAD":
        response = replace(response, body=b"")
    else:
        response = response.without("content-length")
        if response.status != 204:
            response = response.adding("content-length", str(len(response.body)))
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
