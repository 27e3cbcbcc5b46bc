"""Probe a cluster: try what the engine relies on and what VAST does not document (docs/vast.md)."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.tables.vast.cluster import Cluster
from storage.tables.vast.engine import VastEngine
from storage.tables.vast.probe_checks import PLAIN, SORTED, ProbeChecks, ProbeResult


def probe(engine: VastEngine) -> list[ProbeResult]:
    """Check each assumption, with two small tables that are created in the engine's schema and dropped afterwards.

    Raises Unavailable where the cluster cannot be reached.
    """
    with _probe_tables(engine.cluster):
        checks = ProbeChecks(engine.cluster)
        return [
            checks.concurrent_updates(PLAIN),
            checks.concurrent_updates(SORTED),
            checks.stale_update(PLAIN),
            checks.stale_update(SORTED),
            checks.snapshot(),
            checks.own_writes(),
            checks.direct_reads(PLAIN),
            checks.direct_reads(SORTED),
            checks.atomic_visibility(),
            checks.stable_row_ids(PLAIN),
            checks.stable_row_ids(SORTED),
            checks.single_ending(),
            checks.longest_cell(),
            checks.longest_list(),
        ]


def allow_several_writers(results: list[ProbeResult]) -> bool:
    """Whether the cluster keeps concurrent writers apart as the engine needs it."""
    return all(result.holds for result in results if result.required)


@contextmanager
def _probe_tables(cluster: Cluster) -> Iterator[None]:
    layouts = (PLAIN, SORTED)

    def drop() -> None:
        with cluster.schema_transaction() as schema:
            for layout in layouts:
                if layout.name in schema.tablenames():
                    schema.table(layout.name).drop()

    drop()
    with cluster.schema_transaction() as schema:
        for layout in layouts:
            schema.create_table(layout.name, layout.schema, sorting_key=list(layout.sorting_key))
            cluster.register(layout)
    try:
        yield
    finally:
        drop()
