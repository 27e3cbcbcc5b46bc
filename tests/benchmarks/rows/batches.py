"""P15: flows that are created in requests of 1,000, against one by one."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.frame import Options, Outcome, Sample, interleave, ratio
from tests.benchmarks.served import Served, own_server
from tests.conformance.kit.documents import flow
from tests.servers.postgres import PostgresServer

_BATCH = 1000
_ONE_BY_ONE = 50
_ROUNDS = 5
_AT_MOST = 0.05
"""Of the time of one by one: 20 times the rate."""


class _Creator:
    """Creates flows. cpu_ms: of the server, for each flow, one value for each call."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self.cpu_ms: list[float] = []

    def create(self, count: int, *, at_once: bool) -> float:
        """Create `count` flows, and return the milliseconds of one."""
        flows = [flow(label="Camera", tags={"studio": ["A"]}) for _ in range(count)]
        cpu, began = cpu_seconds(self._server.pids), time.perf_counter()
        if at_once:
            self._server.send("POST", "/flows", flows)
        else:
            for each in flows:
                self._server.send("PUT", f"/flows/{each['id']}", each)
        wall = time.perf_counter() - began
        self.cpu_ms.append((cpu_seconds(self._server.pids) - cpu) * 1000 / count)
        return wall * 1000 / count


def measure_batches(options: Options) -> Iterator[Outcome]:
    """P15. A slow disk makes one by one slower, so CPU times are shown too. They alone count in the short form."""
    for store in options.stores:
        if store not in ("sqlite", "postgresql"):
            continue
        with _serving(store, options) as server:
            batches, single = _Creator(server), _Creator(server)
            batches.create(_BATCH, at_once=True)
            single.create(_ONE_BY_ONE, at_once=False)
            for each in (batches, single):
                each.cpu_ms.clear()
            found = interleave(
                {
                    "batch": partial(batches.create, _BATCH, at_once=True),
                    "one": partial(single.create, _ONE_BY_ONE, at_once=False),
                },
                _ROUNDS,
            )
        case = f"{store}, a flow in a batch of {_BATCH}, one by one"
        wall_target = None if options.short else options.target(_AT_MOST, 1)
        yield ratio("P15", case, "ms", found["batch"], found["one"], wall_target)
        cpu = Sample(tuple(batches.cpu_ms)), Sample(tuple(single.cpu_ms))
        cpu_target = options.target(_AT_MOST, 2) if options.short else None
        yield ratio("P15", f"{case}, CPU time", "ms", *cpu, cpu_target)


@contextmanager
def _serving(store: str, options: Options) -> Iterator[Served]:
    """A server with one process. PostgreSQL writes through to the disk, as in production."""
    with ExitStack() as stack:
        settings = {}
        if store == "postgresql":
            postgres = PostgresServer.create(durable=True)
            stack.callback(postgres.remove)
            settings["TAMS_DATABASE_URL"] = postgres.url(postgres.new_database())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tams-bench-")))
        yield stack.enter_context(own_server(options.checkout, folder, settings))
