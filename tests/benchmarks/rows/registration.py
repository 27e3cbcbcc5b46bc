"""P6 and P12: the registration of segments, one by one and in bulk, against bare transactions of SQLite."""

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.frame import Options, Outcome, Sample, Target, interleave, ratio
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.served import Served, own_server
from tests.conformance.kit.documents import flow

_OF_BARE = 3.0
_WAS_OF_ONE_BY_ONE = 54
_WAS_OF_BARE = 8.6
_BULK = 1000
_ONE_BY_ONE = 20
_ROUNDS = 12
_BULK_ROUNDS = 5
_ALLOCATION = 1000


class _Registrar:
    """Registers segments of a flow of its own. cpu_ms: of the server, for each segment, one value for each call."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._free: list[str] = []
        self.cpu_ms: list[float] = []
        document = flow()
        self._path = f"/flows/{document['id']}"
        server.send("PUT", self._path, document)

    def register(self, count: int, *, at_once: bool) -> float:
        """Register `count` segments, and return the milliseconds of one."""
        items = [self._item() for _ in range(count)]
        cpu, began = cpu_seconds(self._server.pids), time.perf_counter()
        for body in [items] if at_once else items:
            self._server.send("POST", f"{self._path}/segments", body)
        wall = time.perf_counter() - began
        self.cpu_ms.append((cpu_seconds(self._server.pids) - cpu) * 1000 / count)
        return wall * 1000 / count

    def _item(self) -> dict[str, str]:
        if not self._free:
            found = self._server.send("POST", f"{self._path}/storage", {"limit": _ALLOCATION})
            self._free = [each["object_id"] for each in found["media_objects"]]
        n = next(self._numbers)
        return {"object_id": self._free.pop(), "timerange": f"[{n}:0_{n + 1}:0)"}


class _BareTransactions:
    """Inserts and updates the same rows in a copy of the catalogue, each segment in a transaction that is synced.

    cpu_ms: of this process, for each segment, one value for each call.
    """

    def __init__(self, catalogue: str, file: Path) -> None:
        with closing(sqlite3.connect(catalogue)) as source:
            self.connection = sqlite3.connect(file, isolation_level=None)
            source.backup(self.connection)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        [self._flow] = self.connection.execute("SELECT id FROM flows LIMIT 1").fetchone()
        self._free = [row[0] for row in self.connection.execute("SELECT id FROM objects WHERE state = 'allocated'")]
        self._numbers = itertools.count(1_000_000)
        self.cpu_ms: list[float] = []

    def register(self, count: int) -> float:
        """Register `count` segments, and return the milliseconds of one."""
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(count):
            self._register(self._free.pop(), next(self._numbers))
        self.cpu_ms.append((time.process_time() - cpu) * 1000 / count)
        return (time.perf_counter() - began) * 1000 / count

    def _register(self, object_id: str, n: int) -> None:
        execute = self.connection.execute
        now = time.time_ns() // 1000
        timerange, start, end = f"[{n}:0_{n + 1}:0)", n * 10**9, (n + 1) * 10**9
        execute("BEGIN IMMEDIATE")
        execute(
            "UPDATE flows SET segments_updated = ?, content_start = 0, content_end = ? WHERE id = ?",
            (now, end, self._flow),
        )
        execute(
            "INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._flow, start, end, object_id, timerange, now, f'{{"object_timerange":"{timerange}"}}'),
        )
        execute(
            "UPDATE objects SET state = 'media', timerange = ?, start_ns = ?, end_ns = ?, expires = NULL WHERE id = ?",
            (timerange, start, end, object_id),
        )
        execute("INSERT INTO object_refs (object_id, flow_id, segments) VALUES (?, ?, 1)", (object_id, self._flow))
        execute("COMMIT")


def measure_registration(options: Options) -> Iterator[Outcome]:
    """P6: one segment a request, one client, in relation to bare transactions.

    A slow disk hides what the server does beside the sync, so that CPU times are shown too.
    """
    with _both(options) as (registrar, bare):
        registrar.cpu_ms.clear()
        found = interleave(
            {
                "server": partial(registrar.register, _ONE_BY_ONE, at_once=False),
                "bare": partial(bare.register, _ONE_BY_ONE),
            },
            _ROUNDS,
        )
        target = options.target(_OF_BARE, 2)
        yield ratio("P6", "one segment, bare transaction", "ms", found["server"], found["bare"], target)
        cpu = Sample(tuple(registrar.cpu_ms)), Sample(tuple(bare.cpu_ms))
        yield ratio("P6", "one segment, bare transaction, CPU time", "ms", *cpu)


def measure_bulk(options: Options) -> Iterator[Outcome]:
    """P12: segments in requests of 1,000.

    Registering one by one was 8.6 times slower than bare transactions, and 54 times slower than in bulk, when this row
    was made. So that it does not fail when one segment becomes cheaper, the target relates bulk to bare transactions.
    """
    with _both(options) as (registrar, bare):
        found = interleave(
            {
                "bulk": partial(registrar.register, _BULK, at_once=True),
                "one": partial(registrar.register, _ONE_BY_ONE, at_once=False),
                "bare": partial(bare.register, _ONE_BY_ONE),
            },
            _BULK_ROUNDS,
        )
        target = Target(round(_WAS_OF_ONE_BY_ONE / _WAS_OF_BARE, 1), at_least=True)
        rates = {name: Sample(tuple(1000 / each for each in sample.values)) for name, sample in found.items()}
        yield ratio("P12", f"bulk of {_BULK}, bare transactions of one", "/s", rates["bulk"], rates["bare"], target)
        yield ratio("P12", f"bulk of {_BULK}, one by one", "/s", rates["bulk"], rates["one"])


@contextmanager
def _both(options: Options) -> Iterator[tuple[_Registrar, _BareTransactions]]:
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        own_server(options.checkout, Path(folder, "server")) as server,
    ):
        registrar = _Registrar(server)
        registrar.register(1, at_once=True)
        bare = _BareTransactions(server.file, Path(folder, "bare.db"))
        with closing(bare.connection), precedence(STRONG):
            yield registrar, bare
