"""The transport of a connection, as responses use it."""

from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tams_server.processes.client_connection import ClientConnection

_LINGER_S = 2.0
"""Time for which a connection is read after its last response. Closing it with unread data would reset it, and the
client could lose the response."""


class ResponseTransport:
    """The transport for responses. `close` reads on for a while if the client may still be sending.

    What is written between `hold` and `release` is written at once. What is written after the client has gone, or the
    connection was ended for other reasons, is discarded.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._closed = False
        self._held: list[bytes] | None = None

    def hold(self) -> None:
        self._held = self._held or []

    def release(self) -> None:
        held, self._held = self._held, None
        if held and not self._transport.is_closing():
            self._transport.writelines(held)

    def write(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self.release()
        if not self._connection.expects_more or self._transport.is_closing():
            self._transport.close()
        elif not self._closed:
            self._closed = True
            self._connection.discard()
            if self._transport.can_write_eof():  # TLS cannot close one direction alone
                self._transport.write_eof()
            self._connection.loop.call_later(_LINGER_S, self._transport.close)


def join_head_and_body(cycle: RequestResponseCycle, transport: ResponseTransport) -> None:
    """Send the head of the response to this request only together with the body, or its first part, that follows it.

    A short response then is one packet, and wakes its client up once.
    """
    cycle.send = _joining(cycle.send, transport)  # type: ignore[method-assign,assignment]


def _joining(send: Callable[[Any], Awaitable[None]], transport: ResponseTransport) -> Callable[[Any], Awaitable[None]]:
    head: Any = None

    async def send_message(message: Any) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            head = message  # in place of an earlier one, if the application has failed since
            return
        if head is None:
            await send(message)
            return
        first, head = head, None
        if message["type"] == "http.response.body":
            transport.hold()
        try:
            await send(first)
            await send(message)
        finally:
            transport.release()

    return send_message
