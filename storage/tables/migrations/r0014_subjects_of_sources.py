"""A deleted source has no subject any more: the events about it are sent when it is deleted, and nothing read it."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.drop_column("deleted_sources", "subject")
