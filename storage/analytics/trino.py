"""The same queries on Trino, over a catalogue of its own that has the tables: its connector for PostgreSQL, or VAST's.

The views go into each query, because not every connector can hold views. Trino then reads what it needs, where it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
from sqlglot import exp

from storage import error_codes
from storage.analytics.dialect import VISIBLE, build_statement
from storage.analytics.limits import Limits
from storage.analytics.result import Result
from storage.errors import Invalid, TooExpensive, Unavailable

_VISIBLE_MAX = 20_000
"""Ids of visible resources that one query can name. Trino limits the length of a query to a million characters."""
_TIME_LIMITS = frozenset({"EXCEEDED_TIME_LIMIT"})
_MEMORY_LIMITS = frozenset({"EXCEEDED_LOCAL_MEMORY_LIMIT", "EXCEEDED_GLOBAL_MEMORY_LIMIT", "CLUSTER_OUT_OF_MEMORY"})


def run_on_trino(url: str, query: exp.Expression, limits: Limits, visible: Mapping[str, Sequence[str]]) -> Result:
    """Run a parsed query on Trino.

    url: trino://user[:password]@host:port/catalog/schema, with `?secure=true` for HTTPS, which a password requires.
    Raises: Invalid for a query that Trino rejects, or a URL that has not this form; TooExpensive; Unavailable.
    """
    arguments = connection_arguments(url)
    catalog, schema = arguments["catalog"], arguments["schema"]
    statement = build_statement(
        query, "trino", lambda db, name: _table(db, name, catalog, schema, visible), restricted=visible.keys()
    )
    import trino

    connect: Any = trino.dbapi.connect  # It has no types.
    arguments["session_properties"] = {"query_max_run_time": f"{max(1, int(limits.timeout_s))}s"}
    with (
        _errors_translated(trino, limits),
        closing(connect(**arguments, request_timeout=limits.timeout_s)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute(statement.sql)
        rows = cursor.fetchmany(limits.rows + 1)
        return Result(_to_arrow(cursor.description, rows[: limits.rows]), len(rows) > limits.rows)


def connection_arguments(url: str) -> dict[str, Any]:
    """The arguments of trino.dbapi.connect for a URL. Raises Invalid, without any part of the URL in the message."""
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    try:
        port = parts.port
        has_port = True
    except ValueError:
        port, has_port = None, False
    if (
        not has_port
        or parts.scheme != "trino"
        or not parts.hostname
        or not parts.username
        or len(path) != 2
        or not all(path)
    ):
        raise Invalid("the URL of Trino must have the form trino://USER@HOST:PORT/CATALOG/SCHEMA", field="trino")
    secure = parse_qs(parts.query).get("secure") == ["true"]
    if parts.password and not secure:
        raise Invalid("the URL of Trino must have ?secure=true where it has a password", field="trino")
    arguments: dict[str, Any] = {
        "host": parts.hostname,
        "port": port or (443 if secure else 8080),
        "user": unquote(parts.username),
        "catalog": unquote(path[0]),
        "schema": unquote(path[1]),
        "http_scheme": "https" if secure else "http",
        "source": "tams-server",
    }
    if parts.password:
        from trino.auth import BasicAuthentication

        arguments["auth"] = BasicAuthentication(unquote(parts.username), unquote(parts.password))
    return arguments


def _table(db: str, name: str, catalog: str, schema: str, visible: Mapping[str, Sequence[str]]) -> exp.Expression:
    if db == VISIBLE:
        return _visible_ids(visible[name])
    return exp.table_(_quoted(name), db=_quoted(schema), catalog=_quoted(catalog))


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _visible_ids(ids: Sequence[str]) -> exp.Subquery:
    """The ids as a table. Raises TooExpensive if there are too many for one query."""
    if len(ids) > _VISIBLE_MAX:
        raise TooExpensive(f"the caller sees more than {_VISIBLE_MAX} flows, too many to name them to Trino")
    if not ids:
        none = exp.select(exp.alias_(exp.cast(exp.null(), "varchar"), "id")).where(exp.false())
        return exp.Subquery(this=none)
    listed = exp.values([(each,) for each in ids], alias="listed", columns=["id"])
    return exp.Subquery(this=exp.select("id").from_(listed))


@contextmanager
def _errors_translated(trino: Any, limits: Limits) -> Iterator[None]:
    import requests

    try:
        yield
    except trino.exceptions.TrinoUserError as error:
        raise Invalid(
            f"sql is rejected by Trino: {error.message}", code=error_codes.ANALYTICS_SQL, field="sql", behaviour="A90"
        ) from None
    except trino.exceptions.TrinoQueryError as error:
        if error.error_name in _TIME_LIMITS:
            raise TooExpensive(f"the query needs more than {limits.timeout_s:g} s") from None
        if error.error_name in _MEMORY_LIMITS:
            raise TooExpensive("the query needs more memory than Trino may use for it") from None
        raise Unavailable(f"Trino cannot answer at the moment: {error.error_name}") from error
    except (trino.exceptions.Error, trino.exceptions.HttpError, requests.RequestException, OSError) as error:
        raise Unavailable("Trino cannot be reached at the moment") from error


def _to_arrow(description: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(description)
    fields = [pa.field(each[0], _type(str(each[1]))) for each in description]
    arrays = [pa.array(list(values), field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


_TYPES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
}


def _type(name: str) -> pa.DataType:
    """The Arrow type for the name of a type of Trino; text for all that have no counterpart here."""
    plain, _, arguments = name.partition("(")
    if plain == "decimal":
        precision, _, scale = arguments.rstrip(")").partition(",")
        return pa.decimal128(int(precision), int(scale or 0))
    if plain == "timestamp":
        return pa.timestamp("us", tz="UTC" if name.endswith("with time zone") else None)
    return _TYPES.get(plain, pa.string())
