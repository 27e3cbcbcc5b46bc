"""P10: the start and the memory of a process."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.benchmarks import listing_seeding
from tests.benchmarks.client import request
from tests.benchmarks.frame import Options, Outcome, Sample, Target, plain
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.probe import import_only_from
from tests.benchmarks.seeding import seeding
from tests.benchmarks.served import own_server, running_server
from tests.conformance.kit.server import free_port

_READY_S = 1.3
_MAX_MB = 100
"""Of resident memory, of which other processes of the server share a part."""
_MAX_GROWTH_MB = 3
_REQUESTS = 37_000
_WARM_UP = 3_000
_STARTS = 5


def measure_processes(options: Options) -> Iterator[Outcome]:
    """P10: from the start of the command to its first successful /readyz, over an existing catalogue."""
    with tempfile.TemporaryDirectory(prefix="tams-bench-") as name:
        folder = Path(name)
        with precedence(STRONG):
            starts = [_start_to_ready(options.checkout, folder) for _ in range(_STARTS + 1)]
        yield plain("P10", "start to ready", "s", Sample(tuple(starts[1:])), Target(_READY_S))
        with own_server(options.checkout, folder) as server:
            listing_seeding.create(server)
            with seeding(server.database) as seeder:
                listing_seeding.fill(seeder, 1000)
            [pid] = server.pids
            targets = ["/flows?limit=20", "/sources?limit=20", "/service"]
            server.load(targets, 4, _WARM_UP)
            before = _resident_mb(pid)
            yield plain("P10", "memory of a process", "MB", Sample((before,)), Target(_MAX_MB))
            server.load(targets, 4, _REQUESTS)
            growth = _resident_mb(pid) - before
            yield plain("P10", f"growth over {_REQUESTS:,} requests", "MB", Sample((growth,)), Target(_MAX_GROWTH_MB))


def _start_to_ready(checkout: Path, folder: Path) -> float:
    """Start a server, in this session, and return the seconds until it was ready."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "data")]
    settings = {**import_only_from(checkout), "TAMS_WORKERS": "1", "TAMS_LOG_LEVEL": "WARNING"}
    began = time.monotonic()
    with running_server([sys.executable, "-m", "tams_server", "serve", *options], port, settings) as served:
        while served.connections(1)[0].exchange(request("GET", "/readyz")).status != 200:
            time.sleep(0.01)
        return time.monotonic() - began


def _resident_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 10**6
