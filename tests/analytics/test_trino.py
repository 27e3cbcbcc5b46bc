"""F12: DuckDB and a real Trino, over the tests' PostgreSQL, give the same answers, row for row."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from storage.analytics.dialect import build_statement, parse_question
from storage.analytics.limits import Limits
from storage.analytics.questions import QUESTIONS
from storage.analytics.request import Query
from storage.analytics.run import run_query
from storage.analytics.views import VIEWS
from storage.errors import Invalid, Unavailable
from storage.tables import open_engine
from tests.analytics.asking import LIMITS, ask, ask_sql, place
from tests.analytics.small_catalogue import CAMERA, HOT, NOW, PROXY, VIDEO, fill
from tests.conformance.kit.polling import wait_until
from tests.servers import trino

OWN = (
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3)"
    " SELECT i, 7 // 2 AS whole, 7 / 2 AS half, count(s.flow_id) AS segments"
    " FROM n LEFT JOIN segments AS s ON s.duration_ns > i * 500000000 GROUP BY i ORDER BY i"
)


@pytest.mark.skipif(trino.missing() is not None, reason=str(trino.missing()))
@pytest.mark.timeout(300)
def test_duckdb_and_trino_agree(postgres_url: str, tmp_path: Path) -> None:
    """In one test, as Trino takes long to start."""
    engine = open_engine(postgres_url)
    fill(engine)
    engine.close()
    parts = urlsplit(postgres_url)
    assert parts.hostname
    assert parts.port
    assert parts.username
    assert parts.password
    catalog = dict(trino.postgresql_catalog(parts.hostname, parts.port, parts.path[1:], parts.username, parts.password))
    duck = place(postgres_url)
    with trino.TrinoServer(tmp_path / "trino", {"tams": catalog}) as server:
        there = place(postgres_url, server.url("tams", "public"))
        wait_until(lambda: _has_node(there), "a node that runs queries", 60)
        differing = {}
        for name in QUESTIONS:
            ours, theirs = ask(duck, name), ask(there, name)
            assert ours
            if ours != theirs:
                differing[name] = (ours, theirs)
        assert differing == {}
        _views_agree(duck, there)
        _restricted_callers_agree(duck, there)
        assert ask_sql(duck, OWN) == ask_sql(there, OWN) == ask_sql(there, OWN)
        _errors_are_told(there)
        _sqlalchemy_runs_the_same(server, there)


def _has_node(there: Any) -> bool:
    """Whether the server runs queries on its tables: it accepts them before it has found itself as a node."""
    try:
        return bool(ask_sql(there, "SELECT count(*) AS flows FROM flows"))
    except Unavailable:
        return False


def _views_agree(duck: Any, there: Any) -> None:
    for view in VIEWS.values():
        sql = f"SELECT * FROM {view.name} ORDER BY {', '.join(view.columns)}"
        assert ask_sql(duck, sql) == ask_sql(there, sql), view.name


def _restricted_callers_agree(duck: Any, there: Any) -> None:
    some = {"flows": [PROXY, VIDEO], "sources": [CAMERA], "backends": [HOT], "webhooks": []}
    none: dict[str, list[str]] = {"flows": [], "sources": [], "backends": [], "webhooks": []}
    for name in ("usage-by-flow", "shared-objects", "webhooks-behind"):
        assert ask(duck, name, some) == ask(there, name, some)
        assert ask(there, name, none) == []


def _errors_are_told(there: Any) -> None:
    with pytest.raises(Invalid, match="nowhere"):
        ask_sql(there, "SELECT nowhere FROM flows")
    with pytest.raises(Invalid, match="may name the views"):
        ask_sql(there, "SELECT * FROM system.runtime.nodes")
    with pytest.raises(Invalid, match="must have the form"):
        ask_sql(place("", "trino://tests@127.0.0.1:1/tams"), "SELECT 1")
    with pytest.raises(Unavailable, match="Trino"):
        ask_sql(place("", "trino://tests@127.0.0.1:1/tams/public"), "SELECT 1")
    few = Limits(LIMITS.memory, LIMITS.timeout_s, rows=3)
    assert run_query(there, Query(sql="SELECT * FROM segments"), few).truncated


def _sqlalchemy_runs_the_same(server: trino.TrinoServer, there: Any) -> None:
    """What the dialect layer writes runs by Trino's SQLAlchemy dialect too, for people who use that."""
    query = parse_question(QUESTIONS["gaps-by-flow"].sql, {"now": NOW})
    sql = build_statement(query, "trino", lambda _db, table: sa_table(table)).sql
    engine = sa.create_engine(server.url("tams", "public"))
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.text(sql)).mappings()]
    engine.dispose()
    assert rows == ask(there, "gaps-by-flow")


def sa_table(table: str) -> Any:
    from sqlglot import exp

    return exp.table_(table, db="public", catalog="tams")
