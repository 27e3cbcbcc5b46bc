"""S1: the bytes that a segment takes in the catalogue, with its object, instance and references."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial

from tests.benchmarks.frame import Options, Outcome, Sample, plain
from tests.benchmarks.rows.pages import filled_flows
from tests.benchmarks.seeding import Seeder, seeding

_TABLES = ("segments", "objects", "instances", "object_refs")
_SQLITE = "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"
_POSTGRESQL = """
    SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'i')"""


def measure_sizes(options: Options) -> Iterator[Outcome]:
    """S1: for information, by table, and what of it is indexes beside the table itself."""
    for store in options.stores:
        if store.startswith("vast"):
            continue
        probe, flows = options.shared.get(("flows", store), partial(filled_flows, store, options))
        count = sum(flow.count for flow in flows)
        with seeding(probe.database) as seeder:
            sizes = _sizes(seeder, store)
        for table in _TABLES:
            whole = sum(size for name, size in sizes.items() if re.match(rf"(sqlite_autoindex_)?{table}(_|$)", name))
            indexes = whole - sizes[table]
            yield plain("S1", f"{table}, {store}", "B", Sample((whole / count,)))
            yield plain("S1", f"{table}, {store}, indexes of it", "B", Sample((indexes / count,)))


def _sizes(seeder: Seeder, store: str) -> Counter[str]:
    """Bytes by name of table or index."""
    rows = seeder.execute(_SQLITE if store == "sqlite" else _POSTGRESQL)
    return Counter({str(name): int(size) for name, size in rows})
