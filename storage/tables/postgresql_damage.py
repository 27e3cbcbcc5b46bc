"""What PostgreSQL finds wrong with what it has stored: it reads all rows, and checks all indexes if it has amcheck."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

_CORRUPTED = frozenset({"XX001", "XX002"})
"""data_corrupted, index_corrupted."""
_READS = """
SELECT 'SELECT sum(length(t::text)) FROM ' || oid::regclass || ' t'
FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname"""
_INDEX_CHECKS = """
SELECT 'SELECT ' || extension_schema || '.bt_index_check(' || index.oid || ')'
FROM pg_class index JOIN pg_am method ON method.oid = index.relam,
  (SELECT extnamespace::regnamespace AS extension_schema FROM pg_extension WHERE extname = 'amcheck') amcheck
WHERE index.relkind = 'i' AND method.amname = 'btree' AND index.relnamespace = current_schema()::regnamespace
ORDER BY index.relname"""


def find_damage(engine: sa.Engine) -> Iterator[str]:
    """Yield an error message for each table or index that is damaged. Raises sqlalchemy.exc.DBAPIError for others."""
    checks = [row[0] for query in (_READS, _INDEX_CHECKS) for row in _rows(engine, query)]
    for check in checks:
        try:
            _rows(engine, check)
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _CORRUPTED:
                raise
            yield str(error.orig).strip()


def _rows(engine: sa.Engine, statement: str) -> Sequence[sa.Row[Any]]:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = False
        try:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            return connection.exec_driver_sql(statement).all()
        finally:
            connection.rollback()
