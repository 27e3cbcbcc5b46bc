"""tams-server export, import and tables: the catalogue as a whole, on whatever engine it is."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage.tables.engine import Engine
from storage.tables.schema import TABLES
from tams_server.settings import Loaded, Settings

if TYPE_CHECKING:
    from storage.tables.vast import VastEngine

EXPORT = """
Write the whole catalogue, as it is at one moment, into an empty folder: a Parquet
file for each table and a manifest with counts and checksums. The server may go on
meanwhile. Media stay where they are. Credentials are among what is written (as
hashes), and the secrets of webhooks and of presigned URLs: keep the folder safe.
"""
IMPORT = """
Fill the empty tables of the database of these settings with an export, checked
against its counts and checksums. No server may run on that database meanwhile. An
import that was interrupted leaves a mark, and no server starts on it.
"""


def export(loaded: Loaded, options: argparse.Namespace) -> int:
    """Write all tables into a folder."""
    from storage.tables.transfer import export_tables

    settings = loaded.settings
    if settings.database_url is None and not (settings.data_dir / "catalog.db").exists():
        raise FileNotFoundError(f"there is no catalogue in {settings.data_dir.resolve()} (TAMS_DATA_DIR or --data-dir)")
    with _open_tables(settings) as engine:
        counts = export_tables(engine, options.folder, _progress)
    print(f"{sum(counts.values())} rows of {len(counts)} tables are in {options.folder}")
    return 0


def import_(loaded: Loaded, options: argparse.Namespace) -> int:
    """Fill empty tables from a folder."""
    from storage.tables.transfer import import_tables

    with _open_tables(loaded.settings) as engine:
        counts = import_tables(engine, options.folder, _progress)
    print(f"{sum(counts.values())} rows of {len(counts)} tables are there, counted and compared")
    return 0


def probe(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Try what only a cluster can tell. Exit status 1 where it does not keep several writers apart."""
    from storage.tables.vast.probe import allow_several_writers
    from storage.tables.vast.probe import probe as probe_cluster

    with _open_tables(loaded.settings) as engine:
        findings = probe_cluster(_vast(engine))
    for finding in findings:
        print(f"{'yes' if finding.holds else 'NO':4}{finding.name}: {finding.fact}")
    several = allow_several_writers(findings)
    print("several processes may write" if several else "only ONE process may write to this cluster")
    return 0 if several else 1


def projections(loaded: Loaded, options: argparse.Namespace) -> int:
    """Make, drop or show the projections of VAST; on other engines show the indexes, which are always there."""
    with _open_tables(loaded.settings) as engine:
        if not loaded.settings.catalog_url.startswith("vast"):
            _show_indexes(options)
            return 0
        from storage.tables.vast.projections import disable_projections, enable_projections, projection_states

        change = {"enable": enable_projections, "disable": disable_projections, "status": projection_states}
        for state in change[options.action](_vast(engine)):
            print(f"{state.table:20}{'enabled' if state.enabled else 'disabled':10}{', '.join(state.sorted_by)}")
    return 0


def _show_indexes(options: argparse.Namespace) -> None:
    if options.action != "status":
        raise ValueError("this engine has no projections: its indexes are made with its tables and stay")
    for table in TABLES.values():
        for columns in table.indexes:
            print(f"{table.name:20}{'index':10}{', '.join(columns)}")


def _vast(engine: Engine) -> "VastEngine":
    from storage.tables.vast import VastEngine

    if not isinstance(engine, VastEngine):
        raise ValueError("TAMS_DATABASE_URL is not that of a VAST cluster")
    return engine


@contextmanager
def _open_tables(settings: Settings) -> Iterator[Engine]:
    """The engine of these settings, its tables made."""
    from tams_server.wiring import open_tables, prepare_tables

    prepare_tables(settings)
    engine = open_tables(settings)
    try:
        yield engine
    finally:
        engine.close()


def _progress(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{table}: {rows} rows\033[K", end="", file=sys.stderr, flush=True)
