"""The process that runs queries: its sandbox, its limits and its end."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from storage.analytics.limits import Limits
from storage.analytics.process import NoQueries, QueryProcess
from storage.analytics.request import Format, Place, Query
from storage.errors import Invalid, NotInstalled, TooExpensive, Unavailable
from storage.tables.sqlite import SqliteEngine
from tests.analytics.small_catalogue import NOW, fill
from tests.conformance.kit.polling import wait_until

SLOW = f"SELECT count(*) FROM {', '.join(f'segments AS {name}' for name in 'abcdefgh')}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    engine = SqliteEngine(tmp_path / "catalog.db")
    engine.create()
    fill(engine)
    engine.close()
    return tmp_path / "catalog.db"


def process_for(file: Path, timeout_s: float = 30, idle_s: float = 60) -> QueryProcess:
    return QueryProcess(Place(str(file), is_file=True), Limits(256 * 2**20, timeout_s, 1000, 1), idle_s)


@pytest.fixture
def process(file: Path) -> Iterator[QueryProcess]:
    process = process_for(file)
    yield process
    process.close()


def value(process: QueryProcess, sql: str) -> object:
    [row] = json.loads(process.run(Query(sql=sql)).body)["rows"]
    [found] = row.values()
    return found


def pid_of(process: QueryProcess) -> int:
    assert process._process is not None
    return process._process.pid


def test_formats_tell_the_same_rows_exactly(process: QueryProcess) -> None:
    sql = (
        "SELECT 9007199254740993 AS whole, CAST(1 AS DOUBLE) AS one, NULL AS nothing, true AS yes, 'ä,\"' AS text"
        ", sum(bytes) * 8 AS big, timestamp_us(1800000000123456) AS at, CAST(1.5 AS DECIMAL(5, 2)) AS part"
        " FROM instances"
    )
    document = json.loads(process.run(Query(sql=sql)).body)
    assert document["rows"] == [
        {
            "whole": 9007199254740993,
            "one": 1.0,
            "nothing": None,
            "yes": True,
            "text": 'ä,"',
            "big": 2**65 + 88_000,
            "at": "2027-01-15T08:00:00.123456Z",
            "part": "1.50",
        }
    ]
    assert {each["name"]: each["type"] for each in document["columns"]}["at"] == "timestamp"
    text = process.run(Query(sql=sql, format="csv")).body.decode()
    assert (
        text.split("\r\n")[1] == f'9007199254740993,1.0,,true,"ä,""",{2**65 + 88_000},2027-01-15T08:00:00.123456Z,1.50'
    )
    table = pa.ipc.open_stream(process.run(Query(sql=sql, format="arrow")).body).read_all()
    assert table.column("big").to_pylist() == [Decimal(2**65 + 88_000)]


def test_rows_are_bounded(process: QueryProcess) -> None:
    answer = process.run(Query(sql="SELECT flow_id FROM segments", rows=3))
    assert (answer.rows, answer.truncated, len(json.loads(answer.body)["rows"])) == (3, True, 3)
    answer = process.run(Query(sql="SELECT flow_id FROM segments", rows=14))
    assert (answer.rows, answer.truncated) == (14, False)


@pytest.mark.parametrize("format_", ["json", "arrow"])
def test_bytes_are_bounded(process: QueryProcess, format_: Format) -> None:
    """A server holds the whole answer: one text may be as long as the memory of a query."""
    sql = "SELECT repeat('x', 10000000) AS text"
    assert len(process.run(Query(sql=sql, format=format_)).body) > 10_000_000
    with pytest.raises(TooExpensive, match="more than 9 MiB"):
        process.run(Query(sql=sql, format=format_, max_bytes=9 * 2**20))
    sql = "SELECT repeat('x', 10000) AS text FROM segments a, segments b, segments c"
    many = process.run(Query(sql=sql, rows=3, format=format_, max_bytes=2**20))
    assert (many.rows, many.truncated) == (3, True), "only what is returned counts"


@pytest.mark.parametrize("value", ["'infinity'::TIMESTAMP", "'-infinity'::DATE", "DATE '0044-03-15 (BC)'"])
def test_a_time_that_cannot_be_written_is_an_error_of_the_query(process: QueryProcess, value: str) -> None:
    with pytest.raises(Invalid, match="column 'moment'"):
        process.run(Query(sql=f"SELECT {value} AS moment"))


def test_an_answer_shows_what_was_committed_just_before(process: QueryProcess, file: Path) -> None:
    assert value(process, "SELECT count(*) FROM flows") == 4
    engine = SqliteEngine(file)
    with engine.write() as tx:
        row = tx.select("flows", limit=1)[0]
        tx.insert("flows", [{**row, "id": "another"}])
    engine.close()
    assert value(process, "SELECT count(*) FROM flows") == 5


def test_errors_are_told_and_the_process_goes_on(process: QueryProcess) -> None:
    with pytest.raises(Invalid, match="nowhere"):
        process.run(Query(sql="SELECT nowhere FROM flows"))
    first = pid_of(process)
    with pytest.raises(TooExpensive, match="memory"):
        process.run(Query(sql="SELECT max(repeat(timerange, 100000000)) FROM segments"))
    assert value(process, "SELECT 1") == 1
    assert pid_of(process) == first


def test_long_queries_are_interrupted(file: Path) -> None:
    process = process_for(file, timeout_s=0.3)
    with pytest.raises((TooExpensive, Unavailable)):
        process.run(Query(sql=SLOW))
    process.close()


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE is a policy of Linux")
def test_every_thread_of_a_query_gives_way_to_requests(file: Path) -> None:
    process = QueryProcess(Place(str(file), is_file=True), Limits(256 * 2**20, 20, 1000, threads=3))
    assert value(process, "SELECT 1") == 1
    tasks = Path(f"/proc/{pid_of(process)}/task")
    idle = len(os.listdir(tasks))

    def ask() -> None:
        with pytest.raises(TooExpensive):
            process.run(Query(sql=SLOW))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_until(lambda: len(os.listdir(tasks)) > idle + 1, "the threads of DuckDB", 20)
        threads = [int(name) for name in os.listdir(tasks)]
        assert {os.sched_getscheduler(each) for each in threads} == {os.SCHED_IDLE}
        assert os.getpriority(os.PRIO_PROCESS, pid_of(process)) == 19
        assert os.getsid(pid_of(process)) == pid_of(process)
        weight = Path(f"/proc/{pid_of(process)}/autogroup")
        assert not weight.exists() or weight.read_text().split()[-1:] in ([], ["19"])
    finally:
        os.kill(pid_of(process), signal.SIGKILL)
        asking.join()
        process.close()


def test_sql_cannot_leave_the_sandbox(process: QueryProcess) -> None:
    """Behind the check of names, DuckDB itself knows no file, no setting and no network."""
    for function in ("getenv('HOME')", "current_setting('home_directory') || read_text('/etc/passwd')"):
        with pytest.raises(Invalid):
            process.run(Query(sql=f"SELECT {function} AS x"))


def test_a_killed_process_is_an_error_and_then_replaced(process: QueryProcess) -> None:
    assert value(process, "SELECT 1") == 1
    os.kill(pid_of(process), signal.SIGKILL)
    psutil.Process(pid_of(process)).wait(10)
    assert value(process, "SELECT 2") == 2


def test_an_idle_process_ends(file: Path) -> None:
    process = process_for(file, idle_s=0.05)
    assert value(process, "SELECT 1") == 1
    deadline = time.monotonic() + 30
    while process._process is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process._process is None
    assert value(process, "SELECT 2") == 2
    process.close()


def test_another_file_in_its_place_is_not_read(file: Path) -> None:
    process = process_for(file)
    process.hold((0, 0))
    with pytest.raises(Unavailable, match="not the one"):
        process.run(Query(sql="SELECT count(*) FROM flows"))
    process.close()


def test_a_missing_catalogue_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    process = process_for(tmp_path / "none.db")
    with pytest.raises(Unavailable):
        process.run(Query(question="usage-by-flow", now=NOW))
    assert not (tmp_path / "none.db").exists()
    process.close()


def test_missing_packages_and_a_switch_are_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.analytics.process._PACKAGES", ("duckdb", "no_such_package"))
    with pytest.raises(NotInstalled, match=r"tams-server\[analytics\]"):
        process_for(file).run(Query(sql="SELECT 1"))
    with pytest.raises(NotInstalled, match="TAMS_ANALYTICS"):
        NoQueries().run(Query(sql="SELECT 1"))
