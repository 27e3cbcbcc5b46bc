"""Behaviour specific to PostgreSQL: constraints, error codes, connection pools, and lost servers."""

import contextlib
import logging
import threading
from collections.abc import Callable

import pytest

from storage.catalog.environment import Environment
from storage.catalog.job_kinds import REMOVAL
from storage.catalog.jobs import Jobs, JobSelection
from storage.errors import Conflict, Contended, Unavailable
from storage.tables import open_engine
from storage.tables.conditions import In, equals
from storage.tables.engine import Engine
from storage.tables.sql.transaction import SqlTransaction
from tests.engines.rows import flow_row, insert_segments, segment_row, segment_starts
from tests.servers.postgres import PostgresServer

DEADLINE_S = 60.0


def test_the_database_itself_rejects_an_overlap(open_postgres: Callable[..., Engine]) -> None:
    """It is reported as contention: on the retry, the rules see the other segment and reject this one themselves."""
    engine = open_postgres()
    insert_segments(engine, segment_row(0, 10), segment_row(10, 20), segment_row(5, 8, "g"))
    for start, end in ((5, 6), (-5, 1), (19, 30), (-1, 21)):
        with pytest.raises(Contended):
            insert_segments(engine, segment_row(100, 110), segment_row(start, end))
    with pytest.raises(Conflict):
        insert_segments(engine, segment_row(10, 11))
    assert segment_starts(engine) == [0, 10, 5]


def test_without_the_extension_locks_alone_prevent_overlaps(
    postgres: PostgresServer, plain_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The constraint is added at the next start at which the extension is available."""
    engine = open_engine(plain_url)
    with caplog.at_level(logging.WARNING):
        engine.create()
    assert "overlaps of segments are prevented by locks alone" in caplog.text
    insert_segments(engine, segment_row(0, 10))
    with postgres.connect(plain_url.rpartition("/")[2]) as connection:
        connection.execute("CREATE EXTENSION btree_gist")
    engine.create()
    with pytest.raises(Contended):
        insert_segments(engine, segment_row(5, 6))
    engine.close()


@pytest.mark.parametrize("change", ["DROP TABLE service", "DROP SCHEMA public CASCADE"])
def test_a_database_that_was_replaced_by_an_empty_one_is_an_outage(
    postgres: PostgresServer, plain_url: str, change: str
) -> None:
    engine = open_engine(plain_url)
    engine.create()
    with postgres.connect(plain_url.rpartition("/")[2]) as connection:
        connection.execute(change)
    with pytest.raises(Unavailable, match="not the one of this server"), engine.read() as tx:
        tx.get("service", key="x")
    with pytest.raises(Unavailable, match="not the one of this server"), engine.write() as tx:
        tx.insert("service", [{"key": "x", "value": 1}])
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
            assert isinstance(tx, SqlTransaction)
            assert tx.select("flows") == []  # Which begins the transaction.
            shown.append(tx.connection.execute("SHOW transaction_isolation").fetchone()[0])
    engine.close()
    assert shown == ["read committed", "repeatable read", "read committed"]
