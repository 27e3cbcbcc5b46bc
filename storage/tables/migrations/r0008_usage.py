"""The bytes that each principal has stored, and which of the instances are counted in them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("objects", sa.Column("owner", TEXT, nullable=True))
    op.add_column("instances", sa.Column("charged_to", TEXT, nullable=True))
    op.add_column("instances", sa.Column("charged_bytes", sa.BigInteger(), nullable=True))
    op.create_table(
        "usage",
        sa.Column("principal", TEXT, primary_key=True, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("recounted", sa.BigInteger(), nullable=False),
    )
