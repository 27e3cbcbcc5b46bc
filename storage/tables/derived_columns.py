"""Columns and rows that repeat what others say, and that exports of earlier releases lack.

Rows of tags repeat when their owner was created, flows have an outline of their content range, and the classes in tags
have rows of their own. Migrations add these to a database; this module adds them after the import of an export.
"""

from collections.abc import Iterator
from typing import Any, cast

from storage.tables.auth_classes import OWNERS, classes_of_document
from storage.tables.conditions import In, equals
from storage.tables.engine import Engine
from storage.tables.outline import outline_columns
from storage.tables.rows import ClassRow
from storage.tables.transaction import Row, Writer

_BATCH = 1_000


def complete_rows(engine: Engine) -> None:
    """Fill the derived columns of every row in which they are null. Nobody else may write meanwhile."""
    for kind, table in OWNERS.items():
        for owners in _batches(engine, table, ["id", "created"]):
            with engine.write() as tx:
                _complete_tags(tx, kind, {owner["id"]: owner["created"] for owner in owners})
    for flows in _batches(engine, "flows", ["id", "content_start", "content_end", "outline_node"]):
        with engine.write() as tx:
            for flow in flows:
                if flow["outline_node"] is None:
                    _complete_flow(tx, flow)


def add_classes(engine: Engine) -> int:
    """Write the rows of all classes, and return their number. Nobody else may write meanwhile."""
    count = 0
    for kind, table in OWNERS.items():
        for owners in _batches(engine, table, ["id", "created", "doc"]):
            rows: list[ClassRow] = [
                {"kind": kind, "owner_id": owner["id"], "name": name, "created": owner["created"]}
                for owner in owners
                for name in classes_of_document(owner["doc"]) or ()
            ]
            if rows:
                with engine.write() as tx:
                    tx.delete(
                        "classes", [*equals(kind=kind), In("owner_id", sorted({row["owner_id"] for row in rows}))]
                    )
                    tx.insert("classes", rows)
                count += len(rows)
    return count


def _batches(engine: Engine, table: str, columns: list[str]) -> Iterator[list[Row]]:
    after = None
    while True:
        with engine.read_once() as tx:
            rows = cast(Any, tx).select(table, order=("id",), after=after, limit=_BATCH, columns=columns)
        if not rows:
            return
        yield rows
        after = [rows[-1]["id"]]


def _complete_tags(tx: Writer, kind: str, created: dict[str, int]) -> None:
    """created: of the owners, by id."""
    where = [*equals(kind=kind), In("owner_id", sorted(created))]
    tags = tx.select("tags", where, columns=["owner_id", "created"])
    for owner_id in {row["owner_id"] for row in tags if row["created"] is None}:
        tx.update("tags", equals(kind=kind, owner_id=owner_id), {"created": created[owner_id]})


def _complete_flow(tx: Writer, flow: Row) -> None:
    """A content range that is not recorded is measured; it is empty if there are no segments, whatever is recorded."""
    where, columns = equals(flow_id=flow["id"]), ["start_ns", "end_ns"]
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=columns)
    start, end = flow["content_start"], flow["content_end"]
    if not first:
        start = end = 0
    elif start is None or end is None:
        last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=columns)
        start, end = first[0]["start_ns"], last[0]["end_ns"]
    values = {"content_start": start, "content_end": end, **outline_columns(start, end)}
    tx.update("flows", equals(id=flow["id"]), values)
