"""P11: the CPU time of requests whose responses are validated, in relation to requests whose responses are not."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.benchmarks.baselines import unvalidated
from tests.benchmarks.flow_seeding import Filled
from tests.benchmarks.frame import Options, Outcome, Sample, Target, ratio
from tests.benchmarks.probe import TOKEN, import_only_from
from tests.benchmarks.seeding import seeding
from tests.benchmarks.served import Served, own_server, running_server
from tests.benchmarks.slowdown import compare_loads
from tests.conformance.kit.server import free_port

_LIMIT = 1.05
_PATHS = {"page of 300": ("/segments?presigned=true&limit=300", 40), "one flow": ("", 600)}
"""Below a flow, and the number of requests in a round."""


def measure_validation(options: Options) -> Iterator[Outcome]:
    """P11: two servers over one catalogue, of which one takes every response to be valid."""
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        own_server(options.checkout, Path(folder)) as server,
    ):
        flow = Filled(1, 1000)
        flow.create(server)
        with seeding(server.database) as seeder:
            flow.fill(seeder, lambda _: None)
        with _unvalidated(options.checkout, Path(folder)) as other:
            for case, (path, requests) in _PATHS.items():
                servers = {"validated": server, "not": other}
                loads = compare_loads(servers, [f"/flows/{flow.id}{path}"], requests, options)
                cpu = {name: Sample(tuple(each.cpu_ms for each in found)) for name, found in loads.items()}
                yield ratio("P11", f"{case}, validated to not", "ms", cpu["validated"], cpu["not"], Target(_LIMIT))


@contextmanager
def _unvalidated(checkout: Path, folder: Path) -> Iterator[Served]:
    """A server over the catalogue of another whose responses are not validated."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "data")]
    settings = {
        **import_only_from(checkout),
        "TAMS_WORKERS": "1",
        "TAMS_LOG_LEVEL": "WARNING",
        "TAMS_BOOTSTRAP_TOKEN": TOKEN,
    }
    with running_server([sys.executable, unvalidated.__file__, "serve", *options], port, settings) as served:
        served.token = TOKEN
        served.get("/readyz")
        served.pids = [child.pid for child in psutil.Process(served.pids[0]).children()]
        yield served
