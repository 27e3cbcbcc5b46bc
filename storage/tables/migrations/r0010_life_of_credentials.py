"""What the life of a credential needs: groups, revocation, an earlier secret that still works, and origin."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_CREDENTIALS = sa.table("credentials", *(sa.column(name) for name in ("kind", "name", "from_settings")))


def upgrade() -> None:
    for name in ("groups", "previous"):
        op.add_column("credentials", sa.Column(name, TEXT, nullable=True))
    for name in ("revoked", "previous_until"):
        op.add_column("credentials", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("credentials", sa.Column("from_settings", sa.Boolean(), nullable=True))
    of_settings = sa.and_(_CREDENTIALS.c.kind == "bearer", _CREDENTIALS.c.name == "bootstrap")
    op.execute(sa.update(_CREDENTIALS).where(of_settings).values(from_settings=sa.true()))
