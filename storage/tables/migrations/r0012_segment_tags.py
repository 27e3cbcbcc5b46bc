"""Tags of segments, in rows by which listings find the segments that have them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    key = ("flow_id", "start_ns", "name", "value", "empty")
    types: tuple[sa.types.TypeEngine[Any], ...] = (TEXT, sa.BigInteger(), TEXT, TEXT, sa.Boolean())
    op.create_table(
        "segment_tags",
        *(
            sa.Column(name, type_, primary_key=not on_postgresql, nullable=False, autoincrement=False)
            for name, type_ in zip(key, types, strict=True)
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("segment_tags_flow_id_name_start_ns", "segment_tags", ["flow_id", "name", "start_ns"])
    if on_postgresql:
        op.execute(
            "CREATE UNIQUE INDEX segment_tags_flow_id_start_ns_name_value_empty_hashed ON segment_tags"
            " (flow_id, start_ns, name, hashtextextended(value, 0), hashtextextended(value, 1), empty)"
        )
        op.execute(
            "CREATE INDEX segment_tags_flow_id_name_value_empty_start_ns_hashed ON segment_tags"
            " (flow_id, name, hashtextextended(value, 0), empty, start_ns)"
        )
    else:
        columns = ["flow_id", "name", "value", "empty", "start_ns"]
        op.create_index("segment_tags_flow_id_name_value_empty_start_ns", "segment_tags", columns)
