"""P14: the questions of analytics over many segments, and what they cost other requests."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from storage.analytics.questions import QUESTIONS
from tests.benchmarks.client import Connection, expect_success, request
from tests.benchmarks.flow_seeding import Filled
from tests.benchmarks.frame import Options, Outcome, Target, interleave, plain, ratio
from tests.benchmarks.seeding import seeding
from tests.benchmarks.served import Served, own_server
from tests.servers.stores import running

_FLOWS = 200
_ROUNDS = 5
_QUESTION_S = 2
_P95_RATIO = 1.2
_WATCHED = "/flows?limit=20"
_WATCHED_COUNT = 500
_INTERVAL_S = 0.005
_HEAVIEST = "usage-by-source"


def measure_analytics(options: Options) -> Iterator[Outcome]:
    """Each question over as many segments as the longest flow of P1 has, then the latency of a listing beside one."""
    for store in options.stores:
        if store.startswith("vast"):
            continue
        with _catalogue(store, options) as server:
            server.get(f"/analytics/questions/{_HEAVIEST}")  # Starts the process that runs queries.
            questions = {name: f"/analytics/questions/{name}" for name in QUESTIONS}
            cases = {name: lambda path=path: _seconds(server, path) for name, path in questions.items()}
            size = f"{options.sizes[-1]:,} segments, {store}"
            for name, sample in interleave(cases, min(_ROUNDS, options.rounds)).items():
                yield plain("P14", f"{name}, {size}", "s", sample, Target(_QUESTION_S))
            latencies = interleave(
                {True: lambda: _p95_ms_beside_questions(server), False: lambda: _p95_ms(server)},
                min(_ROUNDS, options.rounds),
            )
            case = f"p95 of {_WATCHED} beside {_HEAVIEST}, {size}"
            yield ratio("P14", case, "ms", latencies[True], latencies[False], Target(_P95_RATIO))


@contextmanager
def _catalogue(store: str, options: Options) -> Iterator[Served]:
    """A server over flows that have the segments in equal parts, each with an object of its own but for a few."""
    with ExitStack() as stack:
        stores = stack.enter_context(running(store, "files"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tams-bench-")))
        settings = stores.settings(folder)
        flows = [Filled(kind, options.sizes[-1] // _FLOWS) for kind in range(1, _FLOWS + 1)]
        with own_server(options.checkout, folder, settings) as server:
            for flow in flows:
                flow.create(server)
        with seeding(server.database) as seeder, seeder.unconstrained("segments"):  # Once, not for each flow.
            for flow in flows:
                flow.fill(seeder, lambda _: None)
        options.say(f"{store}: {sum(flow.count for flow in flows):,} segments in {_FLOWS} flows")
        yield stack.enter_context(own_server(options.checkout, folder, settings))


def _seconds(server: Served, path: str) -> float:
    began = time.perf_counter()
    server.get(path)
    return time.perf_counter() - began


def _p95_ms(server: Served) -> float:
    """The 95th percentile of a listing's latency, of requests that are sent at a steady pace."""
    [connection] = server.connections(1)
    sent = request("GET", _WATCHED, server.token)
    found = []
    due = time.perf_counter()
    for _ in range(_WATCHED_COUNT):
        due += _INTERVAL_S
        time.sleep(max(0, due - time.perf_counter()))
        began = time.perf_counter()
        expect_success(connection.exchange(sent))
        found.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(found, n=20)[-1]


def _p95_ms_beside_questions(server: Served) -> float:
    """The same while another client asks the heaviest question again and again."""
    stop = threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        connection = Connection(server.port)
        try:
            while not stop.is_set():
                expect_success(connection.exchange(request("GET", f"/analytics/questions/{_HEAVIEST}", server.token)))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        return _p95_ms(server)
    finally:
        stop.set()
        asking.join()
        if failures:
            raise failures[0]
