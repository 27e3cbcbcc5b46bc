"""Indexes by which listings find flows by their profile, status or init segments in the order of the listing."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.drop_index("flows_profile_id", "flows")
    for name in ("profile_id", "status", "init_segments"):
        op.create_index(f"flows_{name}_created_id", "flows", [name, "created", "id"])
