"""The constraint by which PostgreSQL itself rejects overlapping spans, where the extension btree_gist is available."""

import logging

import sqlalchemy as sa

from storage.tables.declaration import Table
from storage.tables.schema import TABLES

_log = logging.getLogger(__name__)


def tables_without_constraint(connection: sa.Connection) -> list[Table]:
    """Tables with spans, but without the constraint that rejects overlaps."""
    query = sa.text(
        "SELECT conname FROM pg_constraint WHERE contype = 'x' AND connamespace = current_schema::regnamespace"
    )
    existing = set(connection.execute(query).scalars())
    return [table for table in TABLES.values() if table.span and f"{table.name}_apart" not in existing]


def add_overlap_constraint(connection: sa.Connection, table: Table) -> None:
    """Make the database reject overlapping spans of one owner, if btree_gist is available."""
    assert table.span is not None
    owner, start, end = table.span
    rule = f"EXCLUDE USING gist ({owner} WITH =, int8range({start}, {end}) WITH &&)"
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS btree_gist")
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD CONSTRAINT {table.name}_apart {rule}")
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        _log.warning("overlaps of %s are prevented by locks alone, without a constraint: %s", table.name, error.orig)
