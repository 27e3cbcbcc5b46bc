"""What a caller may see of the tables of the catalogue: the rows of visible flows, sources, webhooks and backends.

The ids of those come from the catalogue, by the same conditions as every listing. Here is, in one place, which rows of
the other tables belong to them. Tables of which a caller sees everything are read as they are.
"""

from storage.tables.schema import TABLES

VISIBLE = "visible"
"""The schema of the tables `flows`, `sources`, `webhooks` and `backends` with the visible ids in a column `id`."""

_FLOWS = "(SELECT v.id FROM visible.flows AS v)"
_SOURCES = "(SELECT v.id FROM visible.sources AS v)"
_WEBHOOKS = "(SELECT v.id FROM visible.webhooks AS v)"
_BACKENDS = "(SELECT v.id FROM visible.backends AS v)"
_OBJECTS = f"""(
    SELECT r.object_id FROM base.object_refs AS r WHERE r.flow_id IN {_FLOWS}
    UNION ALL
    SELECT o.id FROM base.objects AS o WHERE NOT o.expires IS NULL AND o.flow_id IN {_FLOWS}
)"""
"""Objects that a visible flow uses; and those that no flow uses, but which belonged to a visible one."""

_CONDITIONS = {
    "sources": f"t.id IN {_SOURCES}",
    "flows": f"t.id IN {_FLOWS}",
    "tags": f"(t.kind = 'flow' AND t.owner_id IN {_FLOWS}) OR (t.kind = 'source' AND t.owner_id IN {_SOURCES})",
    "segments": f"t.flow_id IN {_FLOWS}",
    "segment_tags": f"t.flow_id IN {_FLOWS}",
    "object_refs": f"t.flow_id IN {_FLOWS}",
    "objects": f"t.id IN {_OBJECTS}",
    "instances": f"t.object_id IN {_OBJECTS} AND (t.storage_id IS NULL OR t.storage_id IN {_BACKENDS})",
    "webhooks": f"t.id IN {_WEBHOOKS}",
    "deliveries": f"t.webhook_id IN {_WEBHOOKS}",
}

KINDS = {table: "webhooks" if table in ("webhooks", "deliveries") else "flows" for table in _CONDITIONS}
"""The kind of resource whose visibility decides about the rows of a table. That of sources, and of
storage backends, is decided with flows."""


def _select(table: str) -> str:
    columns = []
    for column in TABLES[table].columns:
        read = f"t.{column.name}"
        if (table, column.name) == ("objects", "flow_id"):
            # An object may be visible by one flow, and have been registered by another.
            read = f"CASE WHEN t.flow_id IN {_FLOWS} THEN t.flow_id END"
        columns.append(f"{read} AS {column.name}")
    return f"SELECT {', '.join(columns)} FROM base.{table} AS t WHERE {_CONDITIONS[table]}"


RESTRICTED_TABLES = {table: _select(table) for table in _CONDITIONS}
"""The query for the visible rows of each table that views read, in the SQL of views."""
