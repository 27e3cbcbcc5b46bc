"""/healthz and /readyz, without credentials: is the process alive, and can it serve."""

import time
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from storage.errors import Unavailable
from tams_server.errors import MethodNotAllowed
from tams_server.exchange import exchange_of
from tams_server.runtime import Runtime

PATHS = ("/healthz", "/readyz")
_KEPT_S = 1.0


class Health:
    """The outcome of a readiness check is kept for a second, so that nobody makes work by asking often."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._checked_until = 0.0
        self._unavailable: Unavailable | None = None
        self._out_of_order: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 200, with the storage backends that are out of order, if any.

        Raises Unavailable where the catalogue cannot be written, or no storage backend can be used.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("only GET and HEAD are possible here", headers={"Allow": "GET, HEAD"})
        document: dict[str, Any] = {"status": "alive"}
        if exchange_of(scope).raw_path == "/readyz":
            await self._runtime.in_thread(self._check)
            document = {"status": "ready"}
            if self._out_of_order:
                document["unavailable_storage_backends"] = self._out_of_order
        body = orjson.dumps(document)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _check(self) -> None:
        if time.monotonic() >= self._checked_until:
            try:
                self._out_of_order = self._runtime.parts.check_writable()
                self._unavailable = None
            except Unavailable as error:
                self._unavailable = error
            self._checked_until = time.monotonic() + _KEPT_S
        if self._unavailable is not None:
            raise self._unavailable
