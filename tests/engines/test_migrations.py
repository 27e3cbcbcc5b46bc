"""Migrations: every database, empty or of an earlier release, gets exactly the current tables."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.tags import TagFilter
from storage.tables import migrations, open_engine
from storage.tables.migrations import NEWEST, run_steps
from storage.tables.outline import outline_columns
from storage.timerange import EMPTY, parse_timerange
from tests.engines.rows import flow_row, segment_row

_RELEASES = tuple(f"{number:04}" for number in range(1, 16))
"""The first release did not record a version."""

_IN_POSTGRES = {
    "columns": "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attcollation::regcollation,"
    " attnotnull FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid <> 0",
}
_IN_SQLITE = {
    "tables": "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'",
    "columns": 'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk'
    " FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    "indexes": 'SELECT t.name, l.name, l."unique", i.seqno, i.name'
    " FROM sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) i WHERE t.type = 'table'",
}


_on_sql = pytest.mark.parametrize("new_url", ["sqlite", "postgresql"], indirect=True)


@contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _described(url: str) -> dict[str, set[Any]]:
    """A comparable description of the schema, without the order of columns, on which nothing depends."""
    with _connected(url) as connection:
        queries = _IN_SQLITE if connection.dialect.name == "sqlite" else _IN_POSTGRES
        described = {part: {tuple(row) for row in connection.exec_driver_sql(query)} for part, query in queries.items()}
        assert all(described.values())
        return described


def _create(url: str) -> None:
    engine = open_engine(url)
    try:
        engine.create()
    finally:
        engine.close()


def _make_release(url: str, version: str) -> None:
    with _connected(url) as connection:
        run_steps(connection, version)
        if version == _RELEASES[0]:
            migrations.VERSIONS.drop(connection)


@_on_sql
@pytest.mark.parametrize("version", [None, *_RELEASES])
def test_a_database_of_any_release_is_migrated(new_url: Callable[[], str], version: str | None) -> None:
    """All migrations together result in the same schema as creating the tables in an empty database."""
    old, fresh = new_url(), new_url()
    _create(fresh)
    if version is None:
        with _connected(old) as connection:
            run_steps(connection)
    else:
        _make_release(old, version)
    _create(old)
    assert _described(old) == _described(fresh)
    with _connected(old) as connection:
        assert migrations.stored_version(connection) == NEWEST
    _create(old)
    assert _described(old) == _described(fresh)


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    from alembic.script import ScriptDirectory

    folder = next(iter(migrations.__path__))
    scripts = ScriptDirectory(folder, version_locations=[folder])
    assert scripts.get_heads() == [NEWEST]
    assert sorted(script.revision for script in scripts.walk_revisions()) == list(_RELEASES)


@_on_sql
def test_unfinished_work_is_migrated_to_jobs(new_url: Callable[[], str]) -> None:
    url = new_url()
    _make_release(url, "0001")
    request = {"flow_id": "f", "expiry": 9, "doc": {"a": 1}}
    rows = [
        {**request, "id": "one", "status": "created", "created": 1},
        {**request, "id": "two", "status": "started", "created": 2},
        {**request, "id": "three", "status": "done", "created": 3},
    ]
    left = [{"storage_id": "s" if n else "t", "object_id": f"o{n}", "due": n} for n in range(3)]
    with _connected(url) as connection:
        old = sa.Table("deletion_requests", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(old), [{**row, "leased_until": 5} for row in rows])
        garbage = sa.Table("garbage", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(garbage), left)
    _create(url)
    engine = open_engine(url)
    with engine.read() as tx:
        jobs = tx.select("jobs", order=("kind", "key"))
        assert tx.select("garbage", order=("object_id",)) == [{**row, "extension": None} for row in left]
        assert tx.select("deletion_requests", order=("created",)) == rows
    engine.close()
    assert all(job.pop("due") > 1_700_000_000_000_000 for job in jobs)
    plain = {"token": None, "worker": None, "attempts": 0, "error": None, "doc": {}}
    assert [job.pop("created") for job in jobs[:2]] == [1, 2]
    assert all(job.pop("created") > 1_700_000_000_000_000 for job in jobs[2:])
    assert jobs == [
        {**plain, "kind": "flow-deletion", "key": "one"},
        {**plain, "kind": "flow-deletion", "key": "two"},
        {**plain, "kind": "removal", "key": "s"},
        {**plain, "kind": "removal", "key": "t"},
    ]


@_on_sql
def test_segments_updated_survives_the_migration(new_url: Callable[[], str]) -> None:
    """The content range, which early releases did not record, is measured: there are no segments here."""
    url = new_url()
    _make_release(url, "0002")
    rows = [flow_row("one"), flow_row("two"), flow_row("three")]
    states = [{"flow_id": "one", "version": 3, "segments_updated": 7}, {"flow_id": "two", "version": 0}]
    with _connected(url) as connection:
        for table, there in (("flows", rows), ("flow_state", states)):
            old = sa.Table(table, sa.MetaData(), autoload_with=connection)
            for row in there:
                connection.execute(sa.insert(old), row)
    _create(url)
    engine = open_engine(url)
    with engine.read() as tx:
        flows = {row["id"]: row for row in tx.select("flows")}
    engine.close()
    assert {id_: row["segments_updated"] for id_, row in flows.items()} == {"one": 7, "two": None, "three": None}
    assert {row["content_start"] for row in flows.values()} == {row["content_end"] for row in flows.values()} == {0}


@_on_sql
def test_listings_find_flows_of_earlier_releases(new_url: Callable[[], str]) -> None:
    """Tags get the creation of their owners, and flows an outline of their content, which is measured if necessary."""
    url = new_url()
    _make_release(url, "0006")
    flows = [
        flow_row("recorded", created=1, content_start=0, content_end=20 * 10**9),
        flow_row("unknown", created=2, content_start=None, content_end=None),
        flow_row("emptied", created=3, content_start=0, content_end=20 * 10**9),
    ]
    rows = {
        "flows": flows,
        "segments": [segment_row(0, 10**9, "recorded"), segment_row(5 * 10**9, 9 * 10**9, "unknown")],
        "tags": [{"kind": "flow", "owner_id": row["id"], "name": "n", "value": "v", "empty": False} for row in flows],
    }
    with _connected(url) as connection:
        for table, there in rows.items():
            connection.execute(sa.insert(sa.Table(table, sa.MetaData(), autoload_with=connection)), there)
    _create(url)
    engine = open_engine(url)

    def found(**filters: Any) -> list[str]:
        with engine.read() as tx:
            rows = tx.select("flows", FlowFilter(**filters).conditions(), order=("created", "id"), limit=10)
        return [row["id"] for row in rows]

    assert found(tags=TagFilter({"n": ["v"]})) == ["recorded", "unknown", "emptied"]
    assert found(timerange=parse_timerange("[6:0_7:0)")) == ["unknown"]
    assert found(timerange=parse_timerange("[0:0_6:0)")) == ["recorded", "unknown"]
    assert found(timerange=EMPTY) == ["emptied"]
    with engine.read() as tx:
        written = {row["id"]: row for row in tx.select("flows")}
    for row in written.values():
        expected = outline_columns(row["content_start"] or 0, row["content_end"] or 0)
        assert {name: row[name] for name in expected} == expected  # type: ignore[literal-required]
    engine.close()


@_on_sql
def test_processes_that_migrate_concurrently_all_succeed(new_url: Callable[[], str]) -> None:
    old, fresh = new_url(), new_url()
    _make_release(old, "0001")
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_create, [old] * 4, chunksize=1)
    _create(fresh)
    assert _described(old) == _described(fresh)


@_on_sql
def test_the_database_of_a_later_release_is_rejected(new_url: Callable[[], str]) -> None:
    url = new_url()
    _create(url)
    with _connected(url) as connection:
        connection.execute(sa.update(migrations.VERSIONS).values(version_num="9999"))
    with pytest.raises(migrations.UnknownSchema, match="9999"):
        _create(url)


@_on_sql
def test_alembic_is_not_loaded_without_a_migration_to_run(new_url: Callable[[], str]) -> None:
    program = (
        "import sys; from storage.tables import open_engine; engine = open_engine(sys.argv[1])\n"
        "for _ in range(2): engine.create()\n"
        "assert not [name for name in sys.modules if name.startswith(('alembic.', 'mako'))]\n"
    )
    subprocess.run([sys.executable, "-c", program, new_url()], check=True, timeout=60)
