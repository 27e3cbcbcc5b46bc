"""The tables of SQL databases, as SQLAlchemy's, built from the declarations in storage.tables.schema."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from storage.tables import outline
from storage.tables.declaration import Table
from storage.tables.schema import TABLES

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    # Text sorts by code point on every engine, and documents keep their numbers exactly.
    "string": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "int64": sa.BigInteger(),
    "bool": sa.Boolean(),
    "json": sa.JSON(none_as_null=True),
}


def dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def load_json(stored: Any) -> Any:
    """Decode a stored JSON value. SQLite returns text that looks like a number as a number, whatever the column."""
    return orjson.loads(stored) if isinstance(stored, str | bytes) else stored


JSON_OPTIONS: dict[str, Any] = {"json_serializer": dump_json, "json_deserializer": load_json}
"""Arguments of sqlalchemy.create_engine."""


def hash_of(text: Any, seed: int = 0) -> sa.ColumnElement[int]:
    """PostgreSQL's 64-bit hash of a text: different texts may have the same."""
    return sa.func.hashtextextended(text, sa.literal_column(str(seed)), type_=sa.BigInteger())


def _build_tables() -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    built = {}
    for table in TABLES.values():
        columns = [
            sa.Column(c.name, _TYPES[c.type], nullable=c.nullable, primary_key=c.name in table.key, autoincrement=False)
            for c in table.columns
        ]
        # SQLAlchemy orders key columns as they are declared, so storage.tables.rows declares them in key order.
        made = sa.Table(table.name, metadata, *columns, sqlite_with_rowid=not table.clustered)
        for names in _indexes(table):
            _add_index(made, names, table.hashed)
        if table.hashed:
            made.primary_key.ddl_if(dialect="sqlite")
            _add_hashed_index(made, table.key, table.hashed, unique=True)
        built[table.name] = made
    return built


def _indexes(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns of every index: those that the table declares, and those for the filters of its listing.

    An index with which another begins is left out.
    """
    filters = []
    if table.listing is not None:
        filters = [(*names, *table.listing.order) for names in table.listing.filters]
        if table.listing.outlined:
            filters += [(outline.NODE, outline.START), (outline.NODE, outline.END)]
    yield from filters
    for names in table.indexes:
        if not any(longer[: len(names)] == names for longer in filters):
            yield names


def _add_index(table: sa.Table, names: Sequence[str], hashed: Sequence[str]) -> None:
    index = sa.Index(f"{table.name}_{'_'.join(names)}", *(table.c[name] for name in names))
    if not set(names).isdisjoint(hashed):
        index.ddl_if(dialect="sqlite")
        _add_hashed_index(table, names, hashed)


def _add_hashed_index(table: sa.Table, names: Sequence[str], hashed: Sequence[str], *, unique: bool = False) -> None:
    """Add an index for PostgreSQL. A unique one has two hashes of a text: one that equals another's can be made up."""
    seeds = (0, 1) if unique else (0,)
    parts = [
        part
        for name in names
        for part in ([hash_of(table.c[name], seed) for seed in seeds] if name in hashed else [table.c[name]])
    ]
    sa.Index(f"{table.name}_{'_'.join(names)}_hashed", *parts, unique=unique).ddl_if(dialect="postgresql")


SQL_TABLES = _build_tables()
METADATA = next(iter(SQL_TABLES.values())).metadata
