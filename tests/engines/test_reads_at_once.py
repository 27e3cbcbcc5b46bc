"""Reads in a thread that must not wait: answered at once, or not at all."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.tables import open_engine
from storage.tables.conditions import Compare, equals
from storage.tables.engine import Engine
from storage.tables.transaction import Reader
from storage.waiting import WouldWait, answer_at_once
from tests.engines.rows import flow_row, insert_segments, segment_row

ROWS = 200_000


def _flow(tx: Reader) -> str | None:
    row = tx.get("flows", id="f")
    return row["id"] if row else None


def test_engines_that_wait_for_a_network_do_not_read_at_once(engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f")])
    with answer_at_once():
        if engine.reads_at_once:
            assert engine.read_under("flow:f", _flow) == "f"
        else:
            for read in (engine.read, engine.read_once):
                with pytest.raises(WouldWait), read():
                    pass
            with pytest.raises(WouldWait):
                engine.read_under("flow:f", _flow)
    assert engine.read_under("flow:f", _flow) == "f"


def test_no_engine_writes_at_once(engine: Engine) -> None:
    with answer_at_once(), pytest.raises(WouldWait), engine.write():
        pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def sqlite(file: Path) -> Iterator[Engine]:
    engine = open_engine(file)
    engine.create()
    yield engine
    engine.close()


def test_a_writer_does_not_keep_readers_from_reading_at_once(sqlite: Engine) -> None:
    with sqlite.write() as tx:
        tx.insert("flows", [flow_row("f")])
        with answer_at_once(), sqlite.read() as reader:
            assert _flow(reader) is None
    with answer_at_once(), sqlite.read() as reader:
        assert _flow(reader) == "f"


def test_reads_at_once_see_one_moment(sqlite: Engine) -> None:
    with answer_at_once():
        with sqlite.read() as reader:
            assert _flow(reader) is None
            connection = sqlite3.connect(sqlite._path)  # type: ignore[attr-defined]
            connection.execute("INSERT INTO service (key, value) VALUES ('k', '1')")
            connection.commit()
            connection.close()
            assert reader.get("service", key="k") is None
        with sqlite.read_once() as reader:
            assert reader.get("service", key="k")


def test_a_read_that_takes_long_is_given_up(sqlite: Engine, file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc)"
            " SELECT 'f', i, i + 1, 'o', '', 0, '{}' FROM n",
            [ROWS],
        )
    connection.close()
    scan = [Compare("timerange", "==", "none has it")]
    with answer_at_once():
        with pytest.raises(WouldWait), sqlite.read_once() as reader:
            reader.select("segments", scan)
        with sqlite.read_once() as reader:
            assert len(reader.select("segments", equals(flow_id="f"), order=("start_ns",), limit=3)) == 3
    with sqlite.read_once() as reader:
        assert reader.select("segments", scan) == []


def test_a_read_of_a_locked_file_is_given_up(sqlite: Engine, file: Path) -> None:
    insert_segments(sqlite, segment_row(0, 10))
    sqlite.close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    try:
        with answer_at_once(), pytest.raises(WouldWait), sqlite.read_once() as reader:
            reader.select("segments")
    finally:
        other.execute("ROLLBACK")
        other.close()
    with answer_at_once(), sqlite.read_once() as reader:
        assert len(reader.select("segments")) == 1
