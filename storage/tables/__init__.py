"""The tables of the catalogue, the Engine protocol, and its engines."""

from storage.tables.engine import Engine


def open_engine(url: str, *, vast_secret: str | None = None) -> Engine:
    """The engine for a database URL: `sqlite:////absolute/file`, `postgresql+psycopg://user:password@host/database` or
    `vast://access-key@host:port/bucket/schema`, whose secret key is `vast_secret` unless the URL has it.

    Nothing is read or created yet. Raises ValueError for a URL that no engine is there for.
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
    raise ValueError(
        f"no engine for the database URL {kind}:...; known are sqlite:///FILE, postgresql+psycopg://... and vast://..."
    )
