"""PostgreSQL that is slow, full, restarting or out of reach: what transactions and connections do then."""

import time
from collections.abc import Callable

import pytest

from storage.errors import Contended, Unavailable
from storage.tables import open_engine, postgresql
from storage.tables.engine import Engine
from tests.engines.rows import insert_segments, segment_row, segment_starts
from tests.servers.postgres import PostgresServer

DEADLINE_S = 60.0


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
        tx.insert("segments", [segment_row(0, 10)])
        time.sleep(1)
        tx.insert("segments", [segment_row(10, 20)])
    assert segment_starts(engine) == []


def test_a_pool_timeout_is_an_outage(open_postgres: Callable[..., Engine]) -> None:
    engine = open_postgres("pool_size=1&pool_timeout=0.1")
    with engine.read(), pytest.raises(Unavailable), engine.read():
        pass
    assert segment_starts(engine) == []


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
    assert segment_starts(engine) == []
    engine.close()


def test_a_connection_ended_by_the_server_is_replaced(
    postgres: PostgresServer, postgres_url: str, open_postgres: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection used a moment ago is not tested: its next use fails, and all connections are replaced."""
    engine = open_postgres()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    insert_segments(engine, segment_row(0, 10))
    with postgres.connect() as connection:
        monkeypatch.setattr(postgresql, "_PING_AFTER_S", 0)
        connection.execute(end, [postgres_url.rpartition("/")[2]])
        insert_segments(engine, segment_row(10, 20))
        monkeypatch.setattr(postgresql, "_PING_AFTER_S", DEADLINE_S)
        connection.execute(end, [postgres_url.rpartition("/")[2]])
        with pytest.raises(Unavailable):
            insert_segments(engine, segment_row(20, 30))
        with pytest.raises(Unavailable), engine.write() as tx:
            tx.insert("segments", [segment_row(20, 30)])
            connection.execute(end, [postgres_url.rpartition("/")[2]])
            tx.insert("segments", [segment_row(30, 40)])
    assert segment_starts(engine) == [0, 10]


def test_a_read_only_server_is_an_outage_for_writers(
    postgres: PostgresServer, postgres_url: str, open_postgres: Callable[..., Engine]
) -> None:
    """As after a failover: connections to the old primary are dropped."""
    engine = open_postgres()
    name = postgres_url.rpartition("/")[2]
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with pytest.raises(Unavailable):
            insert_segments(engine, segment_row(0, 10))
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    insert_segments(engine, segment_row(0, 10))
    assert segment_starts(engine) == [0]


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
