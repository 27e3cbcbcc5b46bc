"""Opens the catalogue for commands that run beside a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.catalog import Catalog
from storage.tables.engine import Engine
from tams_server.settings import Settings


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """Open an existing catalogue and close it after the block. Raises FileNotFoundError if there is none."""
    require_catalog(settings)
    with open_or_create_catalog(settings) as catalog:
        yield catalog


@contextmanager
def open_or_create_catalog(settings: Settings) -> Iterator[Catalog]:
    """Open the catalogue, creating its tables if necessary, and close it after the block."""
    from tams_server.wiring import open_parts, prepare_tables

    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        yield parts.catalog
    finally:
        parts.close()


@contextmanager
def open_engine(settings: Settings, *, importing: bool = False) -> Iterator[Engine]:
    """Open the database engine, creating its tables if necessary, and close it after the block.

    importing: accept a catalogue whose import was interrupted.
    """
    from tams_server.wiring import open_tables, prepare_tables

    prepare_tables(settings, importing=importing)
    engine = open_tables(settings)
    try:
        yield engine
    finally:
        engine.close()


def require_catalog(settings: Settings) -> None:
    """Raise FileNotFoundError if the data folder has no embedded catalogue: a mistyped path must not create one."""
    if settings.database_url is None and not (settings.data_dir / "catalog.db").exists():
        raise FileNotFoundError(f"there is no catalogue in {settings.data_dir.resolve()} (TAMS_DATA_DIR or --data-dir)")
