"""PostgreSQL is killed during writes and started again: no acknowledged write is lost, and the engine recovers."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from storage.errors import Unavailable
from storage.tables import open_engine
from storage.tables.engine import Engine
from tests.servers.postgres import PostgresServer

WRITERS = 4
KILLS = 3
DEADLINE_S = 60.0


class _Writer(threading.Thread):
    """Appends segments to its own flow until stopped, and remembers which were acknowledged."""

    def __init__(self, engine: Engine, flow_id: str, stop: threading.Event) -> None:
        super().__init__()
        self._engine = engine
        self._stop_asked = stop
        self.flow_id = flow_id
        self.acknowledged: list[int] = []
        self.failed: list[int] = []
        self.error: Exception | None = None

    @property
    def progress(self) -> tuple[int, int]:
        """The numbers of acknowledged and of failed segments."""
        return len(self.acknowledged), len(self.failed)

    def run(self) -> None:
        at = 0
        try:
            while not self._stop_asked.is_set():
                self._append(at)
                at += 1
        except Exception as error:
            self.error = error

    def _append(self, at: int) -> None:
        row = {"flow_id": self.flow_id, "start_ns": at, "end_ns": at + 1, "object_id": f"{self.flow_id}{at}"}
        try:
            with self._engine.write() as tx:
                tx.lock(f"flow:{self.flow_id}")
                tx.insert("segments", [{**row, "timerange": "", "created": 0, "doc": {}}])
        except Unavailable:
            self.failed.append(at)
            self._stop_asked.wait(0.01)
        else:
            self.acknowledged.append(at)


def _wait(writers: list[_Writer], *, acknowledged: int = 0, failed: int = 0) -> None:
    """Wait until each writer has that many more acknowledged and failed segments, or has raised an error."""
    deadline = time.monotonic() + DEADLINE_S
    goals = [(writer.progress[0] + acknowledged, writer.progress[1] + failed) for writer in writers]
    for writer, goal in zip(writers, goals, strict=True):
        while not writer.error and (writer.progress[0] < goal[0] or writer.progress[1] < goal[1]):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _stored(engine: Engine) -> dict[str, set[int]]:
    found = defaultdict(set)
    with engine.read() as tx:
        for row in tx.select("segments", columns=["flow_id", "start_ns"]):
            found[row["flow_id"]].add(row["start_ns"])
    return found


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server = PostgresServer.create(durable=True)
    yield server
    server.remove()


@pytest.mark.timeout(300)
def test_acknowledged_writes_survive_kills(server: PostgresServer) -> None:
    engine = open_engine(server.url(server.new_database()))
    engine.create()
    stop = threading.Event()
    writers = [_Writer(engine, f"flow-{n}", stop) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(KILLS):
            _wait(writers, acknowledged=20)
            server.kill()
            with pytest.raises(Unavailable):
                _stored(engine)
            _wait(writers, failed=1)
            server.start()
        _wait(writers, acknowledged=1)
    finally:
        stop.set()
        for writer in writers:
            writer.join(DEADLINE_S)
    assert [writer.error for writer in writers] == [None] * WRITERS
    stored = _stored(engine)
    engine.close()
    for writer in writers:
        assert stored[writer.flow_id] >= set(writer.acknowledged)
        # The acknowledgement can be lost, so that a segment that failed may exist; at most one for each kill.
        assert len(stored[writer.flow_id] - set(writer.acknowledged)) <= KILLS
