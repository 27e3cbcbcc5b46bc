"""tams-server export, import and tables: operations on the whole catalogue, on any engine."""

import argparse
import sys
from typing import TYPE_CHECKING

from storage.tables.engine import Engine
from storage.tables.schema import TABLES
from tams_server.cli.catalog_access import open_engine, require_catalog
from tams_server.cli.output import print_line
from tams_server.settings import Loaded

if TYPE_CHECKING:
    from storage.tables.vast import VastEngine

EXPORT = """
Export a consistent snapshot of the whole catalogue to an empty folder: one Parquet
file per table, and a manifest with row counts and checksums. The server may keep
running. Media are not exported.

The export contains secrets: hashes of credentials, the API keys of webhooks and the
key that signs URLs. Keep the folder safe.
"""
IMPORT = """
Import an export into the configured database, whose tables must be empty, and verify
row counts and checksums. Stop every server that uses this database first. If an import
is interrupted, servers refuse to start on the incomplete catalogue until it is repeated.
"""


def export(loaded: Loaded, options: argparse.Namespace) -> int:
    """Export all tables to a folder."""
    from storage.tables.transfer import export_tables

    require_catalog(loaded.settings)
    with open_engine(loaded.settings) as engine:
        counts = export_tables(engine, options.folder, _progress)
    print_line(f"{sum(counts.values())} rows of {len(counts)} tables exported to {options.folder}")
    return 0


def import_(loaded: Loaded, options: argparse.Namespace) -> int:
    """Import all tables from a folder."""
    from storage.tables.transfer import import_tables

    with open_engine(loaded.settings, importing=True) as engine:
        counts = import_tables(engine, options.folder, _progress)
    print_line(f"{sum(counts.values())} rows of {len(counts)} tables imported and verified")
    return 0


def probe(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Test how a VAST cluster behaves. Return 1 if it does not isolate concurrent writers."""
    from storage.tables.vast.probe import allow_several_writers
    from storage.tables.vast.probe import probe as probe_cluster

    with open_engine(loaded.settings) as engine:
        findings = probe_cluster(_vast(engine))
    for finding in findings:
        print_line(f"{'yes' if finding.holds else 'NO':4}{finding.name}: {finding.fact}")
    several = allow_several_writers(findings)
    print_line(
        "several processes may write to this cluster" if several else "only ONE process may write to this cluster"
    )
    return 0 if several else 1


def projections(loaded: Loaded, options: argparse.Namespace) -> int:
    """Create, drop or list the projections of VAST tables. Other engines list their indexes, which cannot change."""
    with open_engine(loaded.settings) as engine:
        if not str(loaded.settings.database_url).startswith("vast"):
            _show_indexes(options)
            return 0
        from storage.tables.vast.projections import disable_projections, enable_projections, projection_states

        change = {"enable": enable_projections, "disable": disable_projections, "status": projection_states}
        for state in change[options.action](_vast(engine).cluster):
            print_line(f"{state.table:20}{'enabled' if state.enabled else 'disabled':10}{', '.join(state.sorted_by)}")
    return 0


def _show_indexes(options: argparse.Namespace) -> None:
    if options.action != "status":
        raise ValueError("only VAST has projections; the indexes of this engine are created with its tables")
    for table in TABLES.values():
        for columns in table.indexes:
            print_line(f"{table.name:20}{'index':10}{', '.join(columns)}")


def _vast(engine: Engine) -> "VastEngine":
    from storage.tables.vast import VastEngine

    if not isinstance(engine, VastEngine):
        raise ValueError("TAMS_DATABASE_URL must be the URL of a VAST cluster (vast://...)")
    return engine


def _progress(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{table}: {rows} rows\033[K", end="", file=sys.stderr, flush=True)
