"""From SQL over the views to the SQL of one engine, by sqlglot.

The text is parsed, and only what is understood is written out again: one query that names views and nothing else. The
views that it names go before it as common table expressions, cut to the columns whose names occur in it, so that an
engine that must read whole columns reads few.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from storage import error_codes
from storage.analytics.needed_columns import needed_columns
from storage.analytics.restriction import KINDS, RESTRICTED_TABLES, VISIBLE
from storage.analytics.views import VIEWS
from storage.errors import Invalid

Dialect = Literal["duckdb", "trino", "postgres"]

Place = Callable[[str, str], exp.Expression]

BASE = "base"
"""The schema of the catalogue's tables in the SQL of views."""
MAX_SQL_CHARS = 20_000
_MAX_DEPTH = 200
"""Levels of brackets. Beyond them the parser would run out of stack."""
_FORBIDDEN = (exp.Into, exp.Lock, exp.DML, exp.DDL, exp.Command, exp.Placeholder, exp.Parameter, exp.SessionParameter)
_ROWS = (exp.Table, exp.Subquery, exp.Unnest, exp.Values)
"""Where a query may take rows from. Functions that return tables are not among them."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A query of an engine. reads: the columns that it reads of each table of the catalogue."""

    sql: str
    reads: Mapping[str, tuple[str, ...]]


def parse_query(sql: str) -> exp.Expression:
    """Return the only query in `sql`, which names only views. Raises Invalid otherwise."""
    query = _parse(sql)
    for node in query.walk():
        if isinstance(node, _FORBIDDEN):
            raise _invalid(f"must only read, and cannot have {node.sql()[:40]!r}")
        if isinstance(node, exp.From | exp.Join | exp.Lateral) and not isinstance(node.this, _ROWS):
            raise _invalid(f"may read views, and not {node.this.sql()[:80]!r}")
    own = {expression.alias for expression in query.find_all(exp.CTE)}
    for name in own & VIEWS.keys():
        raise _invalid(f"gives a part of its own the name of a view, {name!r}")
    for table in query.find_all(exp.Table):
        name = table.name.lower()
        if not isinstance(table.this, exp.Identifier) or table.args.get("db") or name not in VIEWS.keys() | own:
            raise _invalid(f"may name the views {', '.join(VIEWS)}, and not {table.sql()[:80]!r}")
    return query


def parse_question(sql: str, values: Mapping[str, int]) -> exp.Expression:
    """Return the query of a question of ours, with these values for its parameters."""
    query = sqlglot.parse_one(sql, read="duckdb")
    for parameter in list(query.find_all(exp.Placeholder)):
        parameter.replace(exp.cast(exp.Literal.number(values[parameter.name]), "bigint"))
    return query


def build_statement(
    query: exp.Expression,
    dialect: Dialect,
    place: Place | None = None,
    *,
    restricted: Collection[str] = (),
) -> Statement:
    """Return `query` with the definitions of the views that it uses, in the SQL of a dialect.

    place: gives what stands for a table on the engine, from its schema (BASE or VISIBLE) and its name.
    restricted: the kinds of resources of which only visible ones may be read (storage.analytics.restriction).
    """
    definitions = _definitions(query, restricted=restricted)
    reads = _columns_read(definitions.values())
    query = query.copy()
    with_ = query.args.get("with_")
    own = list(with_.expressions) if with_ is not None else []
    views = [
        exp.CTE(this=view, alias=exp.TableAlias(this=exp.to_identifier(name))) for name, view in definitions.items()
    ]
    if views:
        recursive = bool(with_ is not None and with_.args.get("recursive"))
        query.set("with_", exp.With(expressions=[*views, *own], recursive=recursive))
    if place is not None:
        _replace_tables(query, place)
    return Statement(_adapted(query, dialect).sql(dialect=dialect), reads)


def view_sql(name: str, dialect: Dialect, place: Place) -> str:
    """Return the definition of a view in the SQL of a dialect, for people who create it in a database of their own."""
    query = sqlglot.parse_one(VIEWS[name].sql, read="duckdb")
    _replace_tables(query, place)
    return _adapted(query, dialect).sql(dialect=dialect, pretty=True)


def _replace_tables(query: exp.Expression, place: Place) -> None:
    for table in list(query.find_all(exp.Table)):
        if table.db in (BASE, VISIBLE):
            table.replace(exp.alias_(place(table.db, table.name), table.alias, table=True))


def _parse(sql: str) -> exp.Expression:
    if len(sql) > MAX_SQL_CHARS:
        raise _invalid(f"must have at most {MAX_SQL_CHARS} characters, not {len(sql)}")
    depth = deepest = 0
    for sign in sql:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        raise _invalid(f"nests more than {_MAX_DEPTH} levels deep")
    try:
        statements = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), "it is too complex")
        raise _invalid(f"cannot be parsed: {reason}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise _invalid("must be one SELECT")
    return statements[0]


def _definitions(query: exp.Expression, *, restricted: Collection[str]) -> dict[str, exp.Expression]:
    """The views that `query` uses, each cut to the columns that it needs, and before them what they need themselves."""
    used = dict.fromkeys(table.name.lower() for table in query.find_all(exp.Table))
    views = {name: _cut(VIEWS[name].sql, needed_columns(query, name)) for name in used if name in VIEWS}
    return _restricted(views, restricted) if restricted else views


def _restricted(views: dict[str, exp.Expression], kinds: Collection[str]) -> dict[str, exp.Expression]:
    """The views over what is visible of the tables, with the definitions of that first."""
    reads = {table: names for table, names in _columns_read(views.values()).items() if KINDS.get(table) in kinds}
    for view in views.values():
        for table in view.find_all(exp.Table):
            if table.db == BASE and table.name in reads:
                table.set("this", exp.to_identifier(_visible_name(table.name)))
                table.set("db", None)
    return {
        _visible_name(table): _cut(RESTRICTED_TABLES[table], frozenset(columns)) for table, columns in reads.items()
    } | views


def _visible_name(table: str) -> str:
    return f"visible_{table}"


def _cut(sql: str, needed: frozenset[str] | None) -> exp.Expression:
    """A view without the columns that are not needed; None for all."""
    view = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(view, exp.Select)
    if needed is not None:
        kept = [column for column in view.expressions if column.alias_or_name in needed]
        view.set("expressions", kept or view.expressions[:1])
    return view


def _columns_read(queries: Iterable[exp.Expression]) -> dict[str, tuple[str, ...]]:
    """The columns that these queries, all of them ours, read of each table of the catalogue."""
    read: dict[str, dict[str, None]] = {}
    for query in queries:
        aliases = {table.alias: table.name for table in query.find_all(exp.Table) if table.db == BASE}
        for table in aliases.values():
            read.setdefault(table, {})
        for column in query.find_all(exp.Column):
            if column.table in aliases:
                read[aliases[column.table]][column.name] = None
    return {table: tuple(sorted(columns)) for table, columns in read.items()}


def _adapted(query: exp.Expression, dialect: Dialect) -> exp.Expression:
    """The query with what sqlglot does not know how to write in a dialect, changed in place from the inside out."""
    for node in reversed(list(query.walk())):
        if isinstance(node, exp.Anonymous) and node.name.lower() == "timestamp_us":
            node.replace(_timestamp(node.expressions[0], dialect))
        elif isinstance(node, exp.IntDiv) and dialect != "duckdb":
            node.replace(exp.Div(this=node.this, expression=node.expression, typed=True, safe=False))
    return query


_TIMESTAMPS = {
    "duckdb": "make_timestamp(CAST(x AS BIGINT))",
    "trino": "CAST(from_unixtime_nanos(CAST(x AS BIGINT) * 1000) AT TIME ZONE 'UTC' AS TIMESTAMP(6))",
    "postgres": "TIMESTAMP '1970-01-01' + CAST(x AS BIGINT) * INTERVAL '1 microsecond'",
}


def _timestamp(microseconds: exp.Expression, dialect: Dialect) -> exp.Expression:
    template = sqlglot.parse_one(_TIMESTAMPS[dialect], read=dialect)
    for column in list(template.find_all(exp.Column)):
        column.replace(microseconds.copy())
    return exp.paren(template)


def _invalid(problem: str) -> Invalid:
    return Invalid(f"sql {problem}", code=error_codes.ANALYTICS_SQL, field="sql", behaviour="A90")


__all__ = ["BASE", "VISIBLE", "Dialect", "Statement", "build_statement", "parse_query", "parse_question", "view_sql"]
