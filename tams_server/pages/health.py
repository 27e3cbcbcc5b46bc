"""/healthz and /readyz, without credentials: is the process alive, and can it serve."""

import asyncio
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from tams_server.deadline import CallWithDeadline
from tams_server.errors import MethodNotAllowed
from tams_server.http.exchange import exchange_of
from tams_server.http.runtime import Runtime

PATHS = ("/healthz", "/readyz")


class Health:
    """Never waits for a thread that answers requests, which all may be waiting for the catalogue."""

    def __init__(self, runtime: Runtime) -> None:
        self._readiness = CallWithDeadline(lambda: runtime.parts.check_writable())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 200, with the storage backends that are out of order, if any.

        Raises Unavailable where the catalogue cannot be written in time, or no storage backend can be used.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("only GET and HEAD are possible here", headers={"Allow": "GET, HEAD"})
        document: dict[str, Any] = {"status": "alive"}
        if exchange_of(scope).raw_path == "/readyz":
            out_of_order = await asyncio.to_thread(self._readiness.get)
            document = {"status": "ready"}
            if out_of_order:
                document["unavailable_storage_backends"] = out_of_order
        body = orjson.dumps(document)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
