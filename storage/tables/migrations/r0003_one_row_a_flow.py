"""The columns of flow_state, about a flow's segments, move to the flow's own row."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("segments_updated", "content_start", "content_end"):
        op.add_column("flows", sa.Column(name, sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE flows SET segments_updated ="
        " (SELECT segments_updated FROM flow_state WHERE flow_state.flow_id = flows.id)"
    )
    op.drop_table("flow_state")
