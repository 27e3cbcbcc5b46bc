"""The cost of request metrics relative to a whole request, in one process and one run.

This overstates the ratio: the request goes through the ASGI application without a network, so that it is cheaper than
in practice, and the counters are shared between processes, which is more expensive than not sharing them.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tams_server.metrics.shared_counters import share_counters

_ROUNDS = 15
_REQUESTS = 100
_COUNTINGS = 2000
_TOKEN = b"a-token-of-the-benchmark"


def measure() -> tuple[float, float]:
    """CPU seconds of a request, and of its metrics."""
    logging.disable(logging.INFO)
    try:
        with tempfile.TemporaryDirectory() as folder, share_counters():
            return asyncio.run(_measured(Path(folder)))
    finally:
        logging.disable(logging.NOTSET)


async def _measured(folder: Path) -> tuple[float, float]:
    """CPU seconds of a request, and of its metrics. Each is the minimum of several rounds."""
    from tams_server.app import create_app
    from tams_server.http.exchange import Exchange
    from tams_server.settings import Settings
    from tams_server.wiring import prepare

    settings = Settings(data_dir=folder, bootstrap_token=_TOKEN.decode())
    prepare(settings)
    app = create_app(settings)
    operation = next(each for each in app.specification.operations if each.id == "GET_flows")
    exchange = Exchange("id", "/flows", "", operation=operation, label=operation.id)

    async def request() -> None:
        statuses: list[int] = []

        async def send(message: dict[str, object]) -> None:
            statuses.append(int(str(message.get("status", 200))))

        await app(_scope(), _receive, send)  # type: ignore[arg-type]
        assert statuses == [200, 200]

    async def count() -> None:
        app.metrics.start_request()
        app.metrics.end_request(exchange.label, "GET", 200, 0.0012)

    async def nothing() -> None:
        pass

    await request()
    seconds = [(await _cpu_seconds(request, _REQUESTS), await _metrics_cost(count, nothing)) for _ in range(_ROUNDS)]
    app.process.stop()
    return min(whole for whole, _ in seconds), min(counting for _, counting in seconds)


async def _metrics_cost(count: Callable[[], Awaitable[None]], nothing: Callable[[], Awaitable[None]]) -> float:
    return await _cpu_seconds(count, _COUNTINGS) - await _cpu_seconds(nothing, _COUNTINGS)


async def _cpu_seconds(work: Callable[[], Awaitable[None]], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - started) / times


async def _receive() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _scope() -> dict[str, object]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/flows",
        "raw_path": b"/flows",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer " + _TOKEN), (b"host", b"tams.test")],
    }
