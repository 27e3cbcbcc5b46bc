"""The tables of the catalogue, the Engine protocol, and its engines."""

from storage.tables.engine import Engine


def open_engine(url: str) -> Engine:
    """The engine for a database URL: `sqlite:////absolute/file`. Nothing is read or created yet.

    Raises ValueError for a URL that no engine is there for.
    """
    from storage.tables.sql import SqliteEngine

    if url.startswith("sqlite:///"):
        return SqliteEngine(url)
    raise ValueError(f"no engine for the database URL {url.partition(':')[0]}:...; known are sqlite:///FILE")
