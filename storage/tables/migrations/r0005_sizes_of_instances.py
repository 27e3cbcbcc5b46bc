"""Sizes and checksums of the bytes of instances."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("instances", sa.Column("size", sa.BigInteger(), nullable=True))
    op.add_column("instances", sa.Column("etag", TEXT, nullable=True))
    op.add_column("instances", sa.Column("checksum", TEXT, nullable=True))
