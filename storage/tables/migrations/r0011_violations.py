"""Counts of the requests that broke the published schemas."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "violations",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("schema_path", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
    )
    op.create_index("violations_day_id", "violations", ["day", "id"])
