"""What VastEngine.create() does beside creating tables: rows that must exist, and data of earlier releases."""

import logging
from typing import Any

import pyarrow as pa

from storage.tables.auth_classes import OWNERS, TAG, classes_of_document
from storage.tables.conditions import Compare, In
from storage.tables.declaration import Column, Table
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.layout import FLAG_KEY, HOLDERS, LAYOUTS, ROW_ID, TableLayout
from storage.tables.vast.predicates import MAX_LIST
from storage.tables.vast.presence_flag import FLAGS, NONE, SOME

_log = logging.getLogger(__name__)

_FLOW_STATE = TableLayout(
    Table(
        "flow_state",
        (Column("flow_id", "string"), Column("version", "int64"), Column("segments_updated", "int64", nullable=True)),
        key=("flow_id",),
    )
)


def create_flags(cluster: Cluster, tx: int) -> None:
    """Insert the row of each presence flag that has none, with the value that holds at present."""
    for flag in FLAGS.values():
        layout, subject = LAYOUTS[flag.carrier], LAYOUTS[flag.table]
        key = layout.table.key[0]
        if cluster.select(tx, layout, [Compare(key, "==", FLAG_KEY)], [key], 1).num_rows:
            continue
        is_set = cluster.select(tx, subject, [flag.condition], [subject.table.key[0]], 1).num_rows
        row = {key: FLAG_KEY, HOLDERS.name: SOME if is_set else NONE}
        for batch in layout.batches([row], list(layout.columns)):
            cluster.insert(tx, layout, batch)


def migrate_flow_state(cluster: Cluster, schema: Any) -> None:
    """Move `segments_updated` from table flow_state, where release 0.1 kept it, to the flows, and drop the table."""
    tx, flows = schema.tx.active_txid, LAYOUTS["flows"]
    cluster.register(_FLOW_STATE)
    states = _FLOW_STATE.rows(cluster.select(tx, _FLOW_STATE, [], list(_FLOW_STATE.columns), None))
    updated = {row["flow_id"]: row["segments_updated"] for row in states if row["segments_updated"] is not None}
    for start in range(0, len(updated), MAX_LIST):
        ids = list(updated)[start : start + MAX_LIST]
        rows = flows.rows(cluster.select(tx, flows, [In("id", ids)], ["id", ROW_ID], None))
        times = pa.array([updated[row["id"]] for row in rows], pa.int64())
        values = pa.record_batch([times], names=["segments_updated"])
        cluster.update(tx, flows, flows.row_ids([row[ROW_ID] for row in rows]), values)
    schema.table(_FLOW_STATE.name).drop()
    _log.info("VAST database: table flow_state was merged into flows")


def add_classes(cluster: Cluster, tx: int) -> None:
    """Insert a row for each class that a resource of an earlier release names in its tag."""
    tags, classes = LAYOUTS["tags"], LAYOUTS["classes"]
    for kind, table in OWNERS.items():
        tagged = cluster.select(tx, tags, [Compare("kind", "==", kind), Compare("name", "==", TAG)], ["owner_id"], None)
        ids = sorted(set(tagged["owner_id"].to_pylist()))
        owners = LAYOUTS[table]
        for start in range(0, len(ids), MAX_LIST):
            part = [In("id", ids[start : start + MAX_LIST])]
            rows = [
                {"kind": kind, "owner_id": row["id"], "name": name, "created": row["created"]}
                for row in owners.rows(cluster.select(tx, owners, part, ["id", "created", "doc"], None))
                for name in classes_of_document(row["doc"]) or ()
            ]
            for batch in classes.batches(rows, list(classes.columns)):
                cluster.insert(tx, classes, batch)
