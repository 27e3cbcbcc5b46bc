"""The ASGI scope of a request that is rejected before it is passed to the application."""

from typing import Any
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def error_scope(connection: HttpToolsProtocol, *, has_head: bool) -> dict[str, Any]:
    """Return a scope with as much of the request as is known.

    has_head: whether the connection holds a part of its head, and not that of an earlier request.
    """
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
