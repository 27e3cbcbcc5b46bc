"""Indexes by which listings find the rows that pass their filters in the order of the listing.

Rows of tags get the time at which their owner was created, and flows the outline of their content range.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_FILTERS = {
    "profiles": (("format", "unlabelled", "label", "id"), ("codec", "unlabelled", "label", "id")),
    "sources": (("format", "created", "id"), ("unlabelled", "label", "created", "id")),
    "flows": (
        ("source_id", "created", "id"),
        ("format", "created", "id"),
        ("codec", "created", "id"),
        ("frame_width", "created", "id"),
        ("frame_height", "created", "id"),
        ("unlabelled", "label", "created", "id"),
        ("outline_node", "outline_start"),
        ("outline_node", "outline_end"),
    ),
    "webhooks": (("owner", "url", "id"), ("enabled", "since")),
}
_BATCH = 10_000
_EMPTY_NODE = 2**63 - 1

_FLOWS = sa.table("flows", *(sa.column(name) for name in ("id", "content_start", "content_end")))
_TAGS = sa.table("tags", *(sa.column(name) for name in ("kind", "owner_id", "created")))
_SEGMENTS = sa.table("segments", *(sa.column(name) for name in ("flow_id", "start_ns", "end_ns")))


def upgrade() -> None:
    connection = op.get_bind()
    on_postgresql = connection.dialect.name == "postgresql"
    for name in ("outline_node", "outline_start", "outline_end"):
        op.add_column("flows", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("tags", sa.Column("created", sa.BigInteger(), nullable=True))
    op.drop_index("flows_source_id_created", "flows")
    op.drop_index("tags_kind_name_value_owner_id" + ("_hashed" if on_postgresql else ""), "tags")
    for kind, owners in (("flow", "flows"), ("source", "sources"), ("webhook", "webhooks")):
        owner = sa.table(owners, sa.column("id"), sa.column("created"))
        created = sa.select(owner.c.created).where(owner.c.id == _TAGS.c.owner_id).scalar_subquery()
        op.execute(sa.update(_TAGS).where(_TAGS.c.kind == kind).values(created=created))
    _write_outlines(connection)
    if on_postgresql:
        op.execute(
            "CREATE INDEX tags_kind_name_value_empty_created_owner_id_hashed ON tags"
            " (kind, name, hashtextextended(value, 0), empty, created, owner_id)"
        )
    else:
        columns = ["kind", "name", "value", "empty", "created", "owner_id"]
        op.create_index("tags_kind_name_value_empty_created_owner_id", "tags", columns)
    op.create_index("tags_kind_name_created_owner_id", "tags", ["kind", "name", "created", "owner_id"])
    for table, indexes in _FILTERS.items():
        for names in indexes:
            op.create_index(f"{table}_{'_'.join(names)}", table, list(names))


def _write_outlines(connection: sa.Connection) -> None:
    """Write the outline of every flow. A content range that is not recorded, or not needed any more, is measured."""
    update = sa.text(
        "UPDATE flows SET content_start = :start, content_end = :end,"
        " outline_node = :node, outline_start = :outline_start, outline_end = :outline_end WHERE id = :id"
    )
    last = ""
    while True:
        query = sa.select(_FLOWS, _first("start_ns"), _last("end_ns")).where(_FLOWS.c.id > last)
        rows = connection.execute(query.order_by(_FLOWS.c.id).limit(_BATCH)).all()
        if not rows:
            return
        connection.execute(update, [_values(*row) for row in rows])
        last = rows[-1][0]


def _first(column: str) -> sa.ScalarSelect[int]:
    ordered = sa.select(_SEGMENTS.c[column]).where(_SEGMENTS.c.flow_id == _FLOWS.c.id).order_by(_SEGMENTS.c.start_ns)
    return ordered.limit(1).scalar_subquery()


def _last(column: str) -> sa.ScalarSelect[int]:
    ordered = sa.select(_SEGMENTS.c[column]).where(_SEGMENTS.c.flow_id == _FLOWS.c.id)
    return ordered.order_by(_SEGMENTS.c.start_ns.desc()).limit(1).scalar_subquery()


def _values(id_: str, start: int | None, end: int | None, first: int | None, last: int | None) -> dict[str, object]:
    """The parameters of the update of a flow. first, last: start of its first segment and end of its last."""
    if first is None or last is None:
        start = end = 0
    elif start is None or end is None:
        start, end = first, last
    outline = (_EMPTY_NODE, 0, 0) if start == end else _outline(start, end)
    named = dict(zip(("node", "outline_start", "outline_end"), outline, strict=True))
    return {"id": id_, "start": start, "end": end, **named}


def _outline(start: int, end: int) -> tuple[int, int, int]:
    """The outline of [start, end) as this release defines it: its node, start and end."""
    lowest = -(2**63)
    step = min(max((end - start).bit_length() - 3, 0), 36)
    first, last = max(start >> step << step, lowest), min(-(-end >> step) << step, 2**63 - 1)
    lower, upper = first - lowest, last - lowest
    level = (lower ^ upper).bit_length() - 1
    return (upper >> level << level) - 1 + lowest, first, last
