"""What create() does beside making tables: rows that must be there, and what an earlier release left behind."""

import logging
from typing import Any

import pyarrow as pa

from storage.tables.conditions import Compare, In
from storage.tables.schema import Column, Table
from storage.tables.vast import presence_flag
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.layout import FORMS, GUARDED, HOLDERS, NOTICE, ROW_ID, Form
from storage.tables.vast.predicates import IN_LIST

_log = logging.getLogger(__name__)

_FLOW_STATE = Form(
    Table(
        "flow_state",
        (Column("flow_id", "string"), Column("version", "int64"), Column("segments_updated", "int64", nullable=True)),
        key=("flow_id",),
    )
)


def post_notice(cluster: Cluster, tx: int) -> None:
    """Make the row of the notice, where it is not there, say what is so."""
    form = FORMS[GUARDED["flow"]]
    key = form.table.key[0]
    if cluster.select(tx, form, [Compare(key, "==", NOTICE)], [key], 1).num_rows:
        return
    listening = cluster.select(tx, FORMS[presence_flag.TABLE], [presence_flag.CONDITION], ["id"], 1).num_rows
    row = {key: NOTICE, HOLDERS.name: presence_flag.SOME if listening else presence_flag.NONE}
    for batch in form.batches([row], list(form.columns)):
        cluster.insert(tx, form, batch)


def take_over_flow_state(cluster: Cluster, schema: Any) -> None:
    """Bring what release 0.1 kept of flows' segments in a table of its own into their rows, and drop the table."""
    tx, flows = schema.tx.active_txid, FORMS["flows"]
    cluster.describe(_FLOW_STATE)
    states = _FLOW_STATE.rows(cluster.select(tx, _FLOW_STATE, [], list(_FLOW_STATE.columns), None))
    updated = {row["flow_id"]: row["segments_updated"] for row in states if row["segments_updated"] is not None}
    for start in range(0, len(updated), IN_LIST):
        ids = list(updated)[start : start + IN_LIST]
        rows = flows.rows(cluster.select(tx, flows, [In("id", ids)], ["id", ROW_ID], None))
        moments = pa.array([updated[row["id"]] for row in rows], pa.int64())
        values = pa.record_batch([moments], names=["segments_updated"])
        cluster.update(tx, flows, flows.row_ids([row[ROW_ID] for row in rows]), values)
    schema.table(_FLOW_STATE.name).drop()
    _log.info("VAST database: flow_state is part of the flows now")
