"""The extension of the file name of an instance, which is part of where its bytes are; null for those from before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("instances", sa.Column("extension", TEXT, nullable=True))
    op.add_column("garbage", sa.Column("extension", TEXT, nullable=True))
