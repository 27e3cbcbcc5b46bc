"""PostgreSQL indexes a hash of the values of tags, which may be longer than a row of an index."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE tags DROP CONSTRAINT tags_pkey")
    op.drop_index("tags_kind_name_value_owner_id", "tags")
    op.execute(
        "CREATE UNIQUE INDEX tags_kind_owner_id_name_value_empty_hashed ON tags"
        " (kind, owner_id, name, hashtextextended(value, 0), hashtextextended(value, 1), empty)"
    )
    op.execute(
        "CREATE INDEX tags_kind_name_value_owner_id_hashed ON tags (kind, name, hashtextextended(value, 0), owner_id)"
    )
