"""Behaviour specific to PostgreSQL: constraints, error codes, connection pools, and lost servers."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from storage.catalog.environment import Environment
from storage.catalog.job_kinds import REMOVAL
from storage.catalog.jobs import Jobs, JobSelection
from storage.errors import Conflict, Contended, Unavailable
from storage.tables import open_engine, postgresql
from storage.tables.conditions import In, equals
from storage.tables.engine import Engine
from tests.engines.rows import flow_row
from tests.servers.postgres import PostgresServer

DEADLINE_S = 60.0


@pytest.fixture
def open_postgres(postgres_url: str) -> Iterator[Callable[[str], Engine]]:
    """Opens the database of the test with further parameters in its URL."""
    engines = []

    def open_(parameters: str = "") -> Engine:
        engines.append(open_engine(f"{postgres_url}?{parameters}"))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


@pytest.fixture
def plain_url(postgres: PostgresServer, new_postgres_url: Callable[[], str]) -> Iterator[str]:
    """The URL of an empty database for a role that may create tables, but no extensions."""
    name = new_postgres_url().rpartition("/")[2]
    role = f"plain_{name}"
    with postgres.connect(name) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        yield postgres.url(name, role, "secret")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def _segment(start: int, end: int, flow_id: str = "f") -> dict[str, Any]:
    plain = {"object_id": "o", "timerange": "", "created": 0, "doc": {}}
    return {**plain, "flow_id": flow_id, "start_ns": start, "end_ns": end}


def _insert(engine: Engine, *rows: dict[str, Any]) -> None:
    with engine.write() as tx:
        tx.insert("segments", rows)


def _starts(engine: Engine) -> list[int]:
    with engine.read() as tx:
        return [row["start_ns"] for row in tx.select("segments", order=("flow_id", "start_ns"))]


def test_the_database_itself_rejects_an_overlap(open_postgres: Callable[..., Engine]) -> None:
    """It is reported as contention: on the retry, the rules see the other segment and reject this one themselves."""
    engine = open_postgres()
    _insert(engine, _segment(0, 10), _segment(10, 20), _segment(5, 8, "g"))
    for start, end in ((5, 6), (-5, 1), (19, 30), (-1, 21)):
        with pytest.raises(Contended):
            _insert(engine, _segment(100, 110), _segment(start, end))
    with pytest.raises(Conflict):
        _insert(engine, _segment(10, 11))
    assert _starts(engine) == [0, 10, 5]


def test_without_the_extension_locks_alone_prevent_overlaps(
    postgres: PostgresServer, plain_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The constraint is added at the next start at which the extension is available."""
    engine = open_engine(plain_url)
    with caplog.at_level(logging.WARNING):
        engine.create()
    assert "overlaps of segments are prevented by locks alone" in caplog.text
    _insert(engine, _segment(0, 10))
    with postgres.connect(plain_url.rpartition("/")[2]) as connection:
        connection.execute("CREATE EXTENSION btree_gist")
    engine.create()
    with pytest.raises(Contended):
        _insert(engine, _segment(5, 6))
    engine.close()


def test_a_lock_timeout_is_contention(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("lock_timeout=0.1")
    with engine.write() as first:
        first.lock("flow:f")
        with pytest.raises(Contended), engine.write() as second:
            second.lock("flow:f")
        with pytest.raises(Contended), engine.write() as second:
            second.lock("flow:f", *(f"object:{n}" for n in range(5000)))
        with engine.write() as second:
            second.lock("flow:g")


def test_a_writer_of_many_names_excludes_all_others(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("lock_timeout=0.1")
    with engine.write() as first:
        first.lock(*(f"object:{n}" for n in range(5000)))
        with pytest.raises(Contended), engine.write() as second:
            second.lock("flow:f")


def test_a_deadlock_is_contention(open_postgres: Callable[..., Engine]) -> None:
    """Of two transactions that wait for each other's rows, one is rolled back."""
    engine = open_postgres()
    with engine.write() as tx:
        tx.insert("flows", [flow_row(id_, segments_updated=0) for id_ in "ab"])
    meet = threading.Barrier(2, timeout=DEADLINE_S)
    outcomes: list[str] = []

    def update(first: str, second: str) -> None:
        try:
            with engine.write() as tx:
                tx.update("flows", equals(id=first), {"segments_updated": 1})
                meet.wait()
                tx.update("flows", equals(id=second), {"segments_updated": 1})
            outcomes.append("done")
        except Contended:
            outcomes.append("lost")

    threads = [threading.Thread(target=update, args=pair) for pair in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert sorted(outcomes) == ["done", "lost"]


def test_an_update_sees_a_concurrent_change_of_its_row(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres()
    with engine.write() as tx:
        tx.insert("jobs", [{"kind": "k", "key": "k", "due": 1, "attempts": 0, "created": 0, "doc": {}}])
    changed: list[int] = []

    def claim() -> None:
        with engine.write() as tx:
            changed.append(tx.update("jobs", equals(kind="k", key="k", due=1), {"due": 2, "token": "second"}))

    thread = threading.Thread(target=claim)
    with engine.write() as tx:
        assert tx.update("jobs", equals(kind="k", key="k", due=1), {"due": 2, "token": "first"}) == 1
        thread.start()
        thread.join(0.2)
        assert changed == []
    thread.join(DEADLINE_S)
    assert changed == [0]


def _claims(jobs: Jobs, limit: int) -> list[str]:
    return [claim.key for claim in jobs.claim("a worker", [JobSelection(equals(kind=REMOVAL), limit)])]


@pytest.mark.parametrize("ending", ["commit", "rollback"])
@pytest.mark.parametrize("holding", ["claims them", "renews its lease of them"])
def test_jobs_that_another_worker_is_claiming_are_skipped_without_waiting(
    open_postgres: Callable[..., Engine], holding: str, ending: str
) -> None:
    """Waiting would fail after 0.1 s. Other jobs are claimed instead; these can be claimed once they are released."""
    engine = open_postgres("lock_timeout=0.1")
    jobs = Jobs(Environment(engine, {}))
    common = {"kind": REMOVAL, "token": "another's", "attempts": 0, "created": 0, "doc": {}}
    with engine.write() as tx:
        tx.insert("jobs", [{**common, "key": key, "due": due} for due, key in enumerate("abcdef")])
    first = In("key", ["a", "b"])
    with contextlib.suppress(KeyboardInterrupt), engine.write() as other:
        if holding == "claims them":
            assert len(other.select_unlocked("jobs", [], order=("due",), limit=2)) == 2
        else:
            assert other.update("jobs", [first], {"due": 2**62}) == 2
        assert _claims(jobs, 2) == ["c", "d"]
        assert _claims(jobs, 10) == ["e", "f"]
        assert _claims(jobs, 10) == []
        other.update("jobs", [first], {"due": 2**62})
        if ending == "rollback":
            raise KeyboardInterrupt
    assert _claims(jobs, 10) == ([] if ending == "commit" else ["a", "b"])


def test_rows_selected_for_update_can_be_read_but_not_changed_by_others(
    open_postgres: Callable[..., Engine],
) -> None:
    engine = open_postgres("lock_timeout=0.1")
    with engine.write() as tx:
        tx.insert("flows", [flow_row(id_) for id_ in "abc"])
    with engine.write() as first:
        rows = first.select_unlocked("flows", [], order=("id",), limit=2)
        assert [row["id"] for row in rows] == ["a", "b"]
        for id_ in "ab":
            with pytest.raises(Contended), engine.write() as second:
                second.update("flows", equals(id=id_), {"segments_updated": 1})
        with engine.write() as second:
            assert second.update("flows", equals(id="c"), {"segments_updated": 1}) == 1
        with engine.read() as reader:
            assert len(reader.select("flows")) == 3


def test_the_isolation_level_of_the_role_does_not_matter(postgres: PostgresServer, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'")
    engine = open_engine(postgres_url)
    shown = []
    for begin in (engine.read_once, engine.read, engine.write):
        with begin() as tx:
            found = tx._connection.exec_driver_sql("SHOW transaction_isolation").scalar()  # type: ignore[attr-defined]
            shown.append(found)
    engine.close()
    assert shown == ["read committed", "repeatable read", "read committed"]


def test_a_statement_that_takes_too_long_is_cancelled(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("statement_timeout=0.2&lock_timeout=30")
    with engine.write() as first:
        first.lock("flow:f")
        with pytest.raises(Unavailable) as raised, engine.write() as second:
            second.lock("flow:f")
    assert not isinstance(raised.value, Contended)


def test_an_idle_transaction_is_ended(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("idle_in_transaction_session_timeout=0.2")
    with pytest.raises(Unavailable), engine.write() as tx:
        tx.insert("segments", [_segment(0, 10)])
        time.sleep(1)
        tx.insert("segments", [_segment(10, 20)])
    assert _starts(engine) == []


def test_a_pool_timeout_is_an_outage(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("pool_size=1&pool_timeout=0.1")
    with engine.read(), pytest.raises(Unavailable), engine.read():
        pass
    assert _starts(engine) == []


def test_too_many_connections_are_an_outage(postgres: PostgresServer, plain_url: str) -> None:
    engine = open_engine(plain_url)
    role = plain_url.partition("://")[2].partition(":")[0]
    with postgres.connect() as connection:
        connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        for use in (engine.read(), engine.write()):
            with pytest.raises(Unavailable), use:
                pass
        connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
    engine.create()
    assert _starts(engine) == []
    engine.close()


def test_a_connection_ended_by_the_server_is_replaced(
    postgres: PostgresServer, postgres_url: str, open_postgres: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection used a moment ago is not tested: its next use fails, and all connections are replaced."""
    engine = open_postgres()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    _insert(engine, _segment(0, 10))
    with postgres.connect() as connection:
        monkeypatch.setattr(postgresql, "_PING_AFTER_S", 0)
        connection.execute(end, [postgres_url.rpartition("/")[2]])
        _insert(engine, _segment(10, 20))
        monkeypatch.setattr(postgresql, "_PING_AFTER_S", DEADLINE_S)
        connection.execute(end, [postgres_url.rpartition("/")[2]])
        with pytest.raises(Unavailable):
            _insert(engine, _segment(20, 30))
        with pytest.raises(Unavailable), engine.write() as tx:
            tx.insert("segments", [_segment(20, 30)])
            connection.execute(end, [postgres_url.rpartition("/")[2]])
            tx.insert("segments", [_segment(30, 40)])
    assert _starts(engine) == [0, 10]


def test_a_read_only_server_is_an_outage_for_writers(
    postgres: PostgresServer, postgres_url: str, open_postgres: Callable[..., Engine]
) -> None:
    """As after a failover: connections to the old primary are dropped."""
    engine = open_postgres()
    name = postgres_url.rpartition("/")[2]
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with pytest.raises(Unavailable):
            _insert(engine, _segment(0, 10))
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    _insert(engine, _segment(0, 10))
    assert _starts(engine) == [0]


def test_an_unreachable_server_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine("postgresql+psycopg://someone:hidden@127.0.0.1:1/nowhere?connect_timeout=2")
    for use in (engine.create, engine.read().__enter__, engine.write().__enter__):
        with pytest.raises(Unavailable) as raised:
            use()
        assert "hidden" not in str(raised.value) + caplog.text


@pytest.mark.parametrize("url", ["postgresql+psycopg://h/d?pool_size=many", "postgresql+psycopg://h:port/d"])
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="is invalid"):
        open_engine(url)
