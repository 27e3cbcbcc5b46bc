"""The index that SQLite is told to use depends on the form of a statement alone."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.catalog.flows.flows import ORDERS as FLOW_ORDERS
from storage.catalog.paging import Order
from storage.catalog.sources import ORDERS as SOURCE_ORDERS
from storage.tables import migrations
from storage.tables.conditions import Compare, Exists, In, equals
from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Checked
from storage.tables.sqlite_indexes import _indexes, best_index

MINE = equals(flow_id="f")


@pytest.mark.parametrize(
    ("table", "where", "order", "index"),
    [
        ("segments", [*MINE, *equals(object_id="o")], ["start_ns"], "segments_object_id_flow_id_start_ns"),
        ("segments", MINE, ["start_ns"], "sqlite_autoindex_segments_1"),
        ("segments", [*MINE, Compare("end_ns", ">", 3)], ["end_ns"], "segments_flow_id_end_ns_start_ns"),
        ("segments", [*MINE, Compare("end_ns", ">", 3)], ["start_ns"], "sqlite_autoindex_segments_1"),
        ("flows", [In("id", ["a", "b"])], ["created", "id"], "sqlite_autoindex_flows_1"),
        ("objects", [In("id", ["a"]), Compare("expires", "<=", 1)], [], "sqlite_autoindex_objects_1"),
        ("objects", [Compare("expires", "<=", 1)], [], "objects_expires"),
        ("object_refs", [In("object_id", ["a", "b"]), *MINE], [], "sqlite_autoindex_object_refs_1"),
        ("jobs", [In("kind", ["copy"]), Compare("due", "<=", 1)], ["due"], "jobs_due"),
        ("events", equals(pending=True), ["position"], "events_pending_position"),
        ("flows_to_delete", equals(request_id="r"), ["position"], "sqlite_autoindex_flows_to_delete_1"),
        ("flows_to_delete", MINE, [], "flows_to_delete_flow_id"),
        ("deleted_flows", equals(source_id="s"), ["expires"], "deleted_flows_source_id_expires"),
        (
            "deletion_requests",
            [Compare("expiry", "<=", 1), *equals(status="error")],
            ["expiry", "id"],
            "deletion_requests_expiry_id",
        ),
        ("flows", [], ["created", "id"], None),
        ("flows", [Exists("segments", "flow_id", "id")], ["created", "id"], None),
        ("segments", [Checked(each) for each in MINE], [], None),
        ("objects", [Compare("expires", "!=", 1)], [], None),
    ],
)
def test_index(table: str, where: Any, order: list[str], index: str | None) -> None:
    assert best_index(table, where, order) == index


@pytest.mark.parametrize(
    ("table", "orders"),
    [
        ("flows", FLOW_ORDERS),
        ("deleted_flows", FLOW_ORDERS),
        ("sources", SOURCE_ORDERS),
        ("deleted_sources", SOURCE_ORDERS),
    ],
)
def test_every_order_of_a_listing_is_that_of_an_index(table: str, orders: dict[str, Order]) -> None:
    for order in orders.values():
        assert order.columns in TABLES[table].indexes


@pytest.mark.parametrize("prepare", [migrations.run_steps, migrations.upgrade], ids=["migrated", "new"])
def test_every_database_has_the_indexes_that_are_named(tmp_path: Path, prepare: Any) -> None:
    file = tmp_path / "catalogue.sqlite"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as migrating:
        prepare(migrating)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for table in TABLES:
            for index, columns in _indexes(table).items():
                found = [row[2] for row in connection.execute(f"PRAGMA index_info({index})")]
                assert tuple(found[: len(columns)]) == columns, index
                connection.execute(f"SELECT 1 FROM {table} INDEXED BY {index} WHERE {columns[0]} = 1")
