"""The cost of a page in PostgreSQL: index lookups and the rows of the page, in a flow of any length."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from storage.tables import open_engine
from storage.tables.conditions import Condition, Exists, In, Overlaps, equals
from storage.tables.engine import Engine
from storage.tables.sql.transaction import SqlTransaction
from tests.servers.postgres import PostgresServer

SHORT, LONG = 1_000, 50_000
FLOWS = 500
PAGE = 100
SECOND = 10**9

_SEGMENTS = (
    "INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc)"
    " SELECT %s, n * 1000000000, (n + 1) * 1000000000, %s || n, '', n, '{}' FROM generate_series(0::bigint, %s - 1) n"
)
_FLOWS = (
    "INSERT INTO flows (id, source_id, format, label, unlabelled, init_segments, read_only, created, metadata_updated,"
    " doc) SELECT 'flow-' || n, 's', 'f', '', true, false, false, n, n, '{}' FROM generate_series(1, %s) n"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """rows: read by all steps of the plan. blocks: read from tables and indexes."""

    rows: int
    blocks: int
    scans: frozenset[str]


class Planned:
    """The engine under test, and the plans of its queries in sessions of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cost(self, table: str, where: list[Condition], **options: Any) -> Cost:
        with self._engine.read() as tx:
            assert isinstance(tx, SqlTransaction)
            sql, parameters = tx.statement_of(table, where, **options)
            explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"
            plan = tx.connection.execute(explain, parameters).fetchone()[0][0]["Plan"]
        steps = list(_steps(plan))
        return Cost(
            # A step reports the rows it returned and those it filtered out, as averages over its loops.
            sum(
                round((step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"])
                for step in steps
            ),
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            frozenset(step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"),
        )


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _steps(inner)


@pytest.fixture(scope="module", params=["with statistics", "without statistics"])
def planned(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Planned]:
    """A short flow, a long flow, and many others."""
    name = postgres.new_database()
    engine = open_engine(postgres.url(name))
    engine.create()
    with postgres.connect(name) as connection:
        for table in ("segments", "flows"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        for flow, count in (("short", SHORT), ("long", LONG), *((f"flow-{n}", 3) for n in range(FLOWS // 2))):
            connection.execute(_SEGMENTS, [flow, flow, count])
        connection.execute(_FLOWS, [FLOWS])
        connection.execute("VACUUM")
        if request.param == "with statistics":
            connection.execute("ANALYZE")
    yield Planned(engine)
    engine.close()
    postgres.drop_database(name)


def _queries(flow: str, count: int) -> dict[str, dict[str, Any]]:
    middle = count // 2 * SECOND
    mine = [*equals(flow_id=flow)]
    ordered: dict[str, Any] = {"order": ("start_ns",), "limit": PAGE}
    everything = Overlaps(-(2**63), 2**63 - 1)
    return {
        "first": {"where": mine, **ordered},
        "last": {"where": mine, **ordered, "descending": True},
        "next": {"where": mine, **ordered, "after": [middle]},
        "next_backwards": {"where": mine, **ordered, "after": [middle], "descending": True},
        "inside": {"where": [*mine, Overlaps(middle, middle + PAGE * SECOND)], **ordered},
        "instant": {"where": [*mine, Overlaps(middle, middle + 1)], **ordered},
        "from": {"where": [*mine, Overlaps(middle, 2**63 - 1)], **ordered},
        "until_backwards": {"where": [*mine, Overlaps(-(2**63), middle)], **ordered, "descending": True},
        "next_of_everything": {"where": [*mine, everything], **ordered, "after": [middle]},
        "object": {"where": [*mine, *equals(object_id=f"{flow}7")], **ordered},
    }


@pytest.mark.parametrize("query", list(_queries("", PAGE)))
def test_the_cost_of_a_page_of_segments_does_not_grow_with_the_flow(planned: Planned, query: str) -> None:
    short = planned.cost("segments", **_queries("short", SHORT)[query])
    long = planned.cost("segments", **_queries("long", LONG)[query])
    assert not long.scans
    assert long.rows <= 1.5 * short.rows
    assert long.blocks <= 1.5 * short.blocks + 4


def test_segments_are_found_by_start_with_index_lookups(planned: Planned) -> None:
    starts = [n * SECOND for n in range(0, LONG, LONG // PAGE)]
    cost = planned.cost("segments", [*equals(flow_id="long"), In("start_ns", starts)])
    assert not cost.scans
    assert cost.rows <= 2 * PAGE
    assert cost.blocks <= 6 * PAGE


def test_the_cost_of_a_page_of_flows_is_that_of_its_rows(planned: Planned) -> None:
    cost = planned.cost("flows", [], order=("created", "id"), after=[100, "flow-100"], limit=PAGE)
    assert not cost.scans
    assert cost.rows <= 2 * PAGE
    assert cost.blocks <= 20


@pytest.mark.parametrize("present", [True, False])
def test_filtering_flows_by_content_costs_a_few_lookups_each(planned: Planned, present: bool) -> None:
    where: list[Condition] = [Exists("segments", "flow_id", "id", (Overlaps(SECOND, 2 * SECOND),), present)]
    cost = planned.cost("flows", where, order=("created", "id"), limit=PAGE)
    assert "segments" not in cost.scans
    assert cost.rows <= 5 * FLOWS
    assert cost.blocks <= 10 * FLOWS
