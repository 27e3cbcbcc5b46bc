"""`python -m tests.benchmarks.baselines.bare_flask PORT FILE`: `GET /flows` in bare Flask, under a2wsgi and uvicorn.

Flask does what tests.benchmarks.baselines.bare_asgi does, with as many threads as a serving process of the server has
by default, each with a connection of its own.
"""

import sys
import threading

from a2wsgi import WSGIMiddleware
from flask import Flask, Response, request

from tests.benchmarks.baselines.catalogue import Catalogue
from tests.benchmarks.baselines.serving import serve
from tests.benchmarks.client import HOST

_THREADS = 8


def main() -> None:
    port, file = sys.argv[1:]
    app = Flask(__name__)
    local = threading.local()

    @app.get("/flows")
    def flows() -> Response:
        if not hasattr(local, "catalogue"):
            local.catalogue = Catalogue(file, f"http://{HOST}")
        body, headers = local.catalogue.flows(int(request.args["limit"]))
        return Response(body, 200, headers, content_type="application/json")

    serve(WSGIMiddleware(app, workers=_THREADS), int(port))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
