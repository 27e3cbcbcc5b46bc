"""The tables of the catalogue, the Engine interface, and the engines."""

from storage.tables.engine import Engine


def open_engine(url: str, *, vast_secret: str | None = None) -> Engine:
    """The engine for a database URL: `sqlite:////absolute/file`, `postgresql+psycopg://user:password@host/database` or
    `vast://access-key@host:port/bucket/schema`.

    vast_secret: the secret key for VAST, unless the URL contains it.
    Connects to nothing yet. Raises ValueError for a URL without an engine.
    """
    kind = url.partition(":")[0]
    if url.startswith("sqlite:///"):
        from storage.tables.sqlite import SqliteEngine

        return SqliteEngine(url)
    if kind in ("postgresql", "postgresql+psycopg"):
        from storage.tables.postgresql import PostgresEngine

        return PostgresEngine(url)
    if kind in ("vast", "vast+http"):
        from storage.tables.vast import VastEngine

        return VastEngine(url, vast_secret)
    raise ValueError(f"the database URL must begin with sqlite:///, postgresql+psycopg:// or vast://, not with {kind}:")
