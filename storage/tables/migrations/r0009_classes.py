"""The classes of flows, sources and webhooks in rows of their own, and the groups of those who own webhooks."""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TAG = "auth_classes"
_LONGEST = 256
_BATCH = 1_000


def upgrade() -> None:
    classes = op.create_table(
        "classes",
        sa.Column("kind", TEXT, primary_key=True, nullable=False),
        sa.Column("owner_id", TEXT, primary_key=True, nullable=False),
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("classes_kind_name_created_owner_id", "classes", ["kind", "name", "created", "owner_id"])
    op.create_table(
        "principals",
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
    )
    for kind, table in (("flow", "flows"), ("source", "sources"), ("webhook", "webhooks")):
        _add_classes(op.get_bind(), classes, kind, table)


def _add_classes(connection: sa.Connection, classes: sa.Table, kind: str, table: str) -> None:
    """Add the rows of the resources that have the tag."""
    owners = sa.table(table, sa.column("id"), sa.column("created"), sa.column("doc", sa.JSON()))
    tags = sa.table("tags", sa.column("kind"), sa.column("owner_id"), sa.column("name"))
    tagged = sa.select(tags.c.owner_id).where(tags.c.kind == kind, tags.c.name == _TAG)
    last = ""
    while True:
        query = sa.select(owners).where(owners.c.id.in_(tagged), owners.c.id > last).order_by(owners.c.id)
        found = connection.execute(query.limit(_BATCH)).all()
        if not found:
            return
        rows = [
            {"kind": kind, "owner_id": id_, "name": name, "created": created}
            for id_, created, doc in found
            for name in _names(orjson.loads(doc) if isinstance(doc, str) else doc)
        ]
        if rows:
            connection.execute(sa.insert(classes), rows)
        last = found[-1][0]


def _names(doc: dict[str, dict[str, str | list[str]]]) -> list[str]:
    """The classes of a document, as this release defines them."""
    value = doc.get("tags", {}).get(_TAG, [])
    names = {item.strip() for item in (value.split(",") if isinstance(value, str) else value)}
    return sorted(name for name in names if name and len(name.encode()) <= _LONGEST)
