"""Webhooks, events, deliveries and jobs. A job replaces the lease of a flow delete request."""

import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIGINT = sa.BigInteger()
BOOLEAN = sa.Boolean()
JSON = sa.JSON(none_as_null=True)


def _column(name: str, type_: sa.types.TypeEngine[Any], primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False, primary_key=primary_key, autoincrement=False)


def _nullable(name: str, type_: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=True)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        _column("id", TEXT, primary_key=True),
        _column("url", TEXT),
        _column("enabled", BOOLEAN),
        _column("status", TEXT),
        _column("owner", TEXT),
        _nullable("secret", TEXT),
        _column("base_url", TEXT),
        _column("created", BIGINT),
        _column("since", BIGINT),
        _nullable("failing_since", BIGINT),
        _column("doc", JSON),
    )
    op.create_index("webhooks_url_id", "webhooks", ["url", "id"])
    op.create_index("webhooks_enabled_id", "webhooks", ["enabled", "id"])
    op.create_table(
        "events",
        _column("id", TEXT, primary_key=True),
        _column("position", BIGINT),
        _column("pending", BOOLEAN),
        _column("doc", JSON),
    )
    op.create_index("events_pending_position", "events", ["pending", "position"])
    op.create_table(
        "deliveries",
        _column("webhook_id", TEXT, primary_key=True),
        _column("position", BIGINT, primary_key=True),
        _column("event_id", TEXT, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("deliveries_event_id", "deliveries", ["event_id"])
    op.create_table(
        "jobs",
        _column("kind", TEXT, primary_key=True),
        _column("key", TEXT, primary_key=True),
        _nullable("due", BIGINT),
        _nullable("token", TEXT),
        _nullable("worker", TEXT),
        _column("attempts", BIGINT),
        _column("created", BIGINT),
        _nullable("error", TEXT),
        _column("doc", JSON),
    )
    op.create_index("jobs_due", "jobs", ["due"])
    _add_jobs()
    op.drop_column("deletion_requests", "leased_until")
    if op.get_context().dialect.name == "sqlite":
        _cluster_garbage()
    else:
        op.drop_index("garbage_due", "garbage")
    op.create_index("garbage_object_id", "garbage", ["object_id"])


def _cluster_garbage() -> None:
    """Create the table again: SQLite keeps rows in the order of their key only in tables that are created that way."""
    op.rename_table("garbage", "old_garbage")
    op.create_table(
        "garbage",
        _column("storage_id", TEXT, primary_key=True),
        _column("object_id", TEXT, primary_key=True),
        _column("due", BIGINT),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO garbage SELECT storage_id, object_id, due FROM old_garbage")
    op.drop_table("old_garbage")


def _add_jobs() -> None:
    """Add a job for each unfinished flow delete request, and for each storage backend with bytes to remove."""
    now = time.time_ns() // 1000
    jobs = sa.table("jobs", *(sa.column(name) for name in ("kind", "key", "due", "attempts", "created", "doc")))
    requests = sa.table("deletion_requests", *(sa.column(name) for name in ("id", "status", "created")))
    garbage = sa.table("garbage", sa.column("storage_id"))

    def job(kind: str, key: sa.ColumnElement[Any], created: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return sa.select(sa.literal(kind), key, sa.literal(now, BIGINT), sa.literal(0), created, sa.literal({}, JSON))

    unfinished = requests.c.status.in_(["created", "started"])
    for rows in (
        job("flow-deletion", requests.c.id, requests.c.created).where(unfinished),
        job("removal", garbage.c.storage_id, sa.literal(now, BIGINT)).group_by(garbage.c.storage_id),
    ):
        op.execute(sa.insert(jobs).from_select([column.name for column in jobs.columns], rows))
