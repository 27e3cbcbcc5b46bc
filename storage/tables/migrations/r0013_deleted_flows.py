"""Flows and sources that have been deleted and can be restored, the collections that they were in, and the flows that
the deletion of a source has still to delete."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "deleted_sources",
        *_key(),
        _text("format"),
        _text("label"),
        sa.Column("unlabelled", sa.Boolean(), nullable=False),
        _integer("created"),
        _integer("updated"),
        *_deletion(),
    )
    op.create_table(
        "deleted_flows",
        *_key(),
        _text("source_id"),
        _text("profile_id", nullable=True),
        _text("format"),
        _text("codec", nullable=True),
        _text("container", nullable=True),
        _text("label"),
        sa.Column("unlabelled", sa.Boolean(), nullable=False),
        _text("status", nullable=True),
        _integer("frame_width", nullable=True),
        _integer("frame_height", nullable=True),
        sa.Column("init_segments", sa.Boolean(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        _integer("created"),
        _integer("metadata_updated"),
        *(_integer(name, nullable=True) for name in ("segments_updated", "content_start", "content_end")),
        *(_integer(name, nullable=True) for name in ("outline_node", "outline_start", "outline_end")),
        *_deletion(),
    )
    op.create_table(
        "deleted_collections",
        sa.Column("collector_id", TEXT, primary_key=True, nullable=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("member_id", TEXT, primary_key=True, nullable=False),
        _text("role", nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flows_to_delete",
        sa.Column("request_id", TEXT, primary_key=True, nullable=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        _text("flow_id"),
        sqlite_with_rowid=False,
    )
    for table, names in (
        ("deleted_sources", ["created", "id"]),
        ("deleted_sources", ["updated", "id"]),
        ("deleted_sources", ["unlabelled", "label", "id"]),
        ("deleted_flows", ["created", "id"]),
        ("deleted_flows", ["metadata_updated", "id"]),
        ("deleted_flows", ["unlabelled", "label", "id"]),
        ("deleted_flows", ["expires", "id"]),
        ("deleted_flows", ["source_id", "expires"]),
        ("deleted_flows", ["source_id", "created", "id"]),
        ("deleted_flows", ["outline_node", "outline_start"]),
        ("deleted_flows", ["outline_node", "outline_end"]),
        ("deleted_collections", ["member_id", "collector_id"]),
        ("flows_to_delete", ["flow_id"]),
    ):
        op.create_index(f"{table}_{'_'.join(names)}", table, names)


def _key() -> list[sa.Column[str]]:
    return [sa.Column("id", TEXT, primary_key=True, nullable=False)]


def _deletion() -> list[sa.Column[object]]:
    return [
        sa.Column("doc", sa.JSON(), nullable=False),
        _integer("deleted"),
        _integer("expires"),
        _text("deleted_by"),
        sa.Column("subject", sa.JSON(), nullable=False),
    ]


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, TEXT, nullable=nullable)


def _integer(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)
