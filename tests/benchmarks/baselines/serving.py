"""How baselines are served: as the server serves itself, in one process and without a log."""

from typing import Any

import uvicorn


def serve(app: Any, port: int) -> None:
    """Serve an ASGI application on the loopback address until a signal ends the process."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
    )
