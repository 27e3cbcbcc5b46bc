"""A request that is rejected before it is passed to the application: uvicorn's cycle for the error response."""

import asyncio
from typing import Any
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tams_server.errors import HttpError
from tams_server.http.rejection import reject


def rejected_cycle(
    connection: HttpToolsProtocol, transport: asyncio.Transport, error: HttpError, *, has_head: bool
) -> RequestResponseCycle:
    """Return the cycle that responds with an error, after which the connection is closed.

    has_head: whether the connection holds a part of the request's head, and not that of an earlier request.
    """
    scope = _scope(connection, has_head=has_head)
    reject(scope, error)
    return RequestResponseCycle(
        scope=scope,  # type: ignore[arg-type]
        transport=transport,
        flow=connection.flow,
        logger=connection.logger,
        access_logger=connection.access_logger,
        access_log=False,
        default_headers=connection.server_state.default_headers,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=False,
        on_response=connection.on_response_complete,
    )


def _scope(connection: HttpToolsProtocol, *, has_head: bool) -> dict[str, Any]:
    """Return an ASGI scope with as much of the request as is known."""
    url = connection.url if has_head else b""
    target = url if url.startswith(b"/") else b"/"
    path = quote(target.partition(b"?")[0][:1000], safe="/%:@!$&'()*+,;=~")
    return {
        "type": "http",
        "asgi": {"version": connection.asgi_version, "spec_version": "2.3"},
        "http_version": "1.1",
        "server": connection.server,
        "client": connection.client,
        "scheme": connection.scheme,
        "method": connection.parser.get_method().decode("ascii") if url else "GET",
        "root_path": connection.root_path,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(connection.headers) if has_head else [],
        "state": {},
    }
