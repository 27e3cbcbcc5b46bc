"""What SQL is accepted, and what is made of it."""

from typing import Any

import pytest
from sqlglot import exp

from storage.analytics.dialect import build_statement, parse_query, parse_question, view_sql
from storage.analytics.needed_columns import needed_columns
from storage.analytics.questions import QUESTIONS
from storage.analytics.restriction import RESTRICTED_TABLES
from storage.analytics.trino import connection_arguments
from storage.analytics.views import VIEWS
from storage.errors import Invalid

FOREIGN = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM flows, LATERAL read_text('/etc/passwd')",
    "SELECT * FROM TABLE(tams.system.query(query => 'SELECT 1'))",
    "SELECT * FROM base.webhooks",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM flows WHERE flow_id IN (SELECT value FROM duckdb_settings())",
    "SELECT (SELECT count(*) FROM credentials)",
    "WITH mine AS (SELECT * FROM credentials) SELECT * FROM mine",
]
CHANGING = [
    "DELETE FROM flows",
    "DROP TABLE flows",
    "COPY flows TO '/tmp/x'",
    "ATTACH '/tmp/x'",
    "SET threads = 4",
    "PRAGMA database_list",
    "INSTALL httpfs",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT * INTO copy FROM flows",
    "SELECT * FROM flows FOR UPDATE",
    "WITH gone AS (DELETE FROM flows RETURNING *) SELECT * FROM gone",
    "",
    "-- nothing",
]
UNREADABLE = ["SELECT (", "SELECT $now", "SELECT ?", "(" * 300 + "1" + ")" * 300, "SELECT '" + "x" * 20_000 + "'"]


@pytest.mark.parametrize("sql", [*FOREIGN, *CHANGING, *UNREADABLE])
def test_only_one_query_over_the_views_is_accepted(sql: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_query(sql)
    assert raised.value.field == "sql"
    assert raised.value.message.startswith("sql ")


def test_a_part_of_a_query_cannot_take_the_place_of_a_view() -> None:
    with pytest.raises(Invalid, match="name of a view"):
        parse_query("WITH flows AS (SELECT 1) SELECT * FROM flows")


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        ("SELECT flow_id FROM flows", {"flow_id"}),
        ("SELECT count(*) FROM flows", set[str]()),
        ("SELECT f.codec FROM flows AS f JOIN segments AS s USING (flow_id)", {"codec", "flow_id"}),
        ("SELECT s.created FROM segments AS s, flows AS f WHERE f.label = 'x'", {"label"}),
        ("SELECT FLOW_ID FROM FLOWS", {"flow_id"}),
        ("SELECT s.* FROM segments AS s JOIN flows AS f ON f.flow_id = s.flow_id", {"flow_id"}),
        ("SELECT * FROM flows", None),
        ("SELECT f.* FROM flows AS f", None),
        ("SELECT flows FROM flows", None),
        ("SELECT a FROM flows AS f(a, b)", None),
        ("SELECT label FROM flows NATURAL JOIN segments", None),
        ("SELECT COLUMNS('.*_id') FROM flows", None),
        ("SELECT * FROM (SELECT label FROM flows)", None),
    ],
)
def test_views_are_cut_to_the_columns_that_may_be_used(sql: str, needed: set[str] | None) -> None:
    assert needed_columns(parse_query(sql), "flows") == needed


def test_few_columns_are_read_for_a_question() -> None:
    query = parse_question(QUESTIONS["gaps-by-flow"].sql, {"now": 0})
    assert build_statement(query, "duckdb").reads == {
        "flows": ("id", "label"),
        "segments": ("end_ns", "flow_id", "start_ns"),
    }


def test_every_table_of_a_view_can_be_restricted() -> None:
    every = " UNION ALL ".join(f"SELECT count(*) FROM {name}" for name in VIEWS)
    restricted = build_statement(parse_query(every), "duckdb", restricted=("flows", "webhooks")).sql
    assert build_statement(parse_query(every), "duckdb").reads.keys() == RESTRICTED_TABLES.keys()
    for table in RESTRICTED_TABLES:
        assert f"visible_{table} AS (SELECT" in restricted
    definitions = restricted[restricted.index("sources AS (SELECT t.id AS source_id") :]
    assert "base." not in definitions


def test_whole_numbers_are_divided_exactly_on_every_engine() -> None:
    query = parse_query("SELECT timestamp_us(start_ns // 1000) AS at, 7 // 2 AS whole FROM segments")
    sql = build_statement(query, "trino").sql
    assert "t.start_ns" in sql
    assert "start_ns / 1000" in sql
    assert "7 / 2" in sql
    assert "DOUBLE" not in sql


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "trino"])
def test_views_are_defined_for_other_databases(dialect: Any) -> None:
    for name in VIEWS:
        sql = view_sql(name, dialect, lambda schema, table: exp.table_(table, db=f"{schema}_there"))
        assert "base." not in sql
        assert "base_there." in sql
        assert "TIMESTAMP_US" not in sql.upper()


@pytest.mark.parametrize(
    "url",
    [
        "http://a@b/c/d",
        "trino://b/c/d",
        "trino://a@b/c",
        "trino://a@b:x/c/d",
        "trino://a:secret@b/c/d",
        "trino://a@b//d",
    ],
)
def test_urls_of_trino_that_miss_something_are_rejected_without_their_secrets(url: str) -> None:
    with pytest.raises(Invalid) as raised:
        connection_arguments(url)
    assert "secret@" not in raised.value.message


def test_a_url_of_trino_may_have_a_password_over_https() -> None:
    found = connection_arguments("trino://an%40alyst:pass%2Fword@trino.example/tams/public?secure=true")
    assert (found["user"], found["port"], found["http_scheme"]) == ("an@alyst", 443, "https")
    assert found["auth"] is not None
