"""`python -m tests.benchmarks.baselines.bare_asgi PORT FILE`: an ASGI application without any framework.

It answers two requests from the SQLite file of a server that is running, under uvicorn with uvloop and httptools.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from tests.benchmarks.baselines.catalogue import Catalogue
from tests.benchmarks.baselines.serving import serve
from tests.benchmarks.client import HOST

Send = Callable[[dict[str, Any]], Awaitable[None]]


def main() -> None:
    port, file = sys.argv[1:]
    catalogue = Catalogue(file, f"http://{HOST}")

    async def app(scope: dict[str, Any], _receive: object, send: Send) -> None:
        if scope["type"] != "http":
            return
        limit = int(parse_qs(scope["query_string"])[b"limit"][0])
        parts = scope["path"].split("/")
        body, headers = catalogue.flows(limit) if len(parts) == 2 else catalogue.segments(parts[2], limit)
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        encoded += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    serve(app, int(port))


if __name__ == "__main__":
    main()
