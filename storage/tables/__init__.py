"""The tables of the catalogue, the Engine interface, and the engines."""

from pathlib import Path

from storage.tables.database_url import sqlite_file
from storage.tables.engine import Engine


def open_engine(database: str | Path, *, vast_secret: str | None = None, reserve: int = 0) -> Engine:
    """The engine for a database: an SQLite file, or a URL.

    database: a URL is `sqlite:////absolute/file`, `postgresql+psycopg://user:password@host/database` or
    `vast://access-key@host:port/bucket/schema`, in which names and secrets are percent-encoded.
    vast_secret: the secret key for VAST, unless the URL contains it.
    reserve: free space in bytes below which nothing is added to an SQLite file.
    Connects to nothing yet. Raises ValueError for a URL without an engine.
    """
    if isinstance(database, Path) or database.startswith("sqlite:///"):
        from storage.tables.sqlite import SqliteEngine

        return SqliteEngine(database if isinstance(database, Path) else sqlite_file(database), reserve)
    kind = database.partition(":")[0]
    if kind in ("postgresql", "postgresql+psycopg"):
        from storage.tables.postgresql import PostgresEngine

        return PostgresEngine(database)
    if kind in ("vast", "vast+http"):
        from storage.tables.vast import VastEngine

        return VastEngine(database, vast_secret)
    raise ValueError("the database URL must begin with sqlite:///, postgresql+psycopg:// or vast://")
