"""P7: many flows that are ingested at once."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from tests.benchmarks.client import Task, expect_success, request, run
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.frame import Options, Outcome, Sample, Target, plain
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.served import Served, own_server
from tests.conformance.kit.documents import flow
from tests.servers.postgres import PostgresServer

_FLOWS = 64
_SEGMENTS = 5
_BYTES = 200_000
_ROUNDS = 6
_RATE = 400
_CPU_MS = 2.5
_JSON = {"Content-Type": "application/json"}
_PROCESSES = 2


def measure_ingest(options: Options) -> Iterator[Outcome]:
    """P7: allocate, PUT 200 kB and register, for each segment of 64 flows, one connection each."""
    for store in options.stores:
        if store.startswith("vast"):
            continue
        with _serving(store, options) as server, precedence(STRONG):
            ids = [str(flow()["id"]) for _ in range(_FLOWS)]
            for id_ in ids:
                server.send("PUT", f"/flows/{id_}", flow(id=id_))
            found = [_round(server, ids, n * _SEGMENTS) for n in range(_ROUNDS + 1)][1:]
        rates, cpu = (Sample(values) for values in zip(*found, strict=True))
        yield plain("P7", f"{_FLOWS} flows, {store}, segments", "/s", rates, Target(_RATE, at_least=True))
        yield plain("P7", f"{_FLOWS} flows, {store}, CPU of the server", "ms", cpu, Target(_CPU_MS))


def _round(server: Served, flow_ids: list[str], first: int) -> tuple[float, float]:
    """Segments a second, and CPU milliseconds of the serving processes for each."""
    before = cpu_seconds(server.pids)
    tasks = [_ingest(server.token, flow_id, first) for flow_id in flow_ids]
    seconds = run(server.connections(len(flow_ids)), tasks, expect_success)
    count = len(flow_ids) * _SEGMENTS
    return count / seconds, (cpu_seconds(server.pids) - before) * 1000 / count


def _ingest(token: str, flow_id: str, first: int) -> Task:
    """Ingest a few segments, one after another."""
    media = bytes(_BYTES)
    for n in range(first, first + _SEGMENTS):
        allocated = yield request("POST", f"/flows/{flow_id}/storage", token, b'{"limit":1}', _JSON)
        [media_object] = orjson.loads(allocated.body)["media_objects"]
        put = media_object["put_url"]
        url = urlsplit(put["url"])
        yield request("PUT", f"{url.path}?{url.query}", "", media, {"Content-Type": put["content-type"]})
        segment = {"object_id": media_object["object_id"], "timerange": f"[{n}:0_{n + 1}:0)"}
        yield request("POST", f"/flows/{flow_id}/segments", token, orjson.dumps(segment), _JSON)


@contextmanager
def _serving(store: str, options: Options) -> Iterator[Served]:
    """A server with two processes. PostgreSQL writes through to the disk, as in production."""
    with ExitStack() as stack:
        settings = {"TAMS_WORKERS": str(_PROCESSES)}
        if store == "postgresql":
            postgres = PostgresServer.create(durable=True)
            stack.callback(postgres.remove)
            settings["TAMS_DATABASE_URL"] = postgres.url(postgres.new_database())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tams-bench-")))
        yield stack.enter_context(own_server(options.checkout, folder, settings))
