"""A request for analytics, and the answer, as they pass between the server and the process that runs queries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Format = Literal["json", "csv", "arrow"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables are. database, vast_secret: as for storage.tables.open_engine, a file as its path.

    file_id: device and inode of the SQLite file that the server uses. trino: URL of a Trino catalogue and schema with
    the tables, `trino://user@host:port/catalog/schema`; queries run there then, and else in DuckDB.
    """

    database: str
    is_file: bool = False
    vast_secret: str | None = field(default=None, repr=False)
    file_id: tuple[int, int] | None = None
    trino: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """question: a name in storage.analytics.questions, or sql: a query over the views.

    values: of the parameters of the question. now: microseconds since 1970. rows: the most to return.
    max_bytes: of the answer; None for any.
    visible: the ids that the caller sees, by table ("flows", "sources", "backends", "webhooks"), of which it does not
    see all. Where there are flows, there are sources and backends.
    """

    question: str | None = None
    sql: str | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    now: int = 0
    rows: int = 1000
    format: Format = "json"
    max_bytes: int | None = None
    visible: Mapping[str, Sequence[str]] = field(default_factory=dict)


def dump_query(query: Query) -> bytes:
    return json.dumps(asdict(query)).encode()


def load_query(text: bytes) -> Query:
    return Query(**json.loads(text))


def load_place(values: Mapping[str, Any]) -> Place:
    file_id = values.get("file_id")
    return Place(**{**values, "file_id": None if file_id is None else (file_id[0], file_id[1])})
