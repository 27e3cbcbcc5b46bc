"""The tables of the first release, which did not record versions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

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
        "service",
        _column("key", TEXT, primary_key=True),
        _column("value", JSON),
    )
    op.create_table(
        "credentials",
        _column("id", TEXT, primary_key=True),
        _column("kind", TEXT),
        _column("name", TEXT),
        _column("secret", TEXT),
        _column("scopes", TEXT),
        _column("created", BIGINT),
        _nullable("expires", BIGINT),
    )
    op.create_table(
        "profiles",
        _column("id", TEXT, primary_key=True),
        _column("format", TEXT),
        _column("codec", TEXT),
        _column("label", TEXT),
        _column("unlabelled", BOOLEAN),
        _column("created", BIGINT),
        _column("doc", JSON),
    )
    op.create_index("profiles_unlabelled_label_id", "profiles", ["unlabelled", "label", "id"])
    op.create_table(
        "sources",
        _column("id", TEXT, primary_key=True),
        _column("format", TEXT),
        _column("label", TEXT),
        _column("unlabelled", BOOLEAN),
        _column("created", BIGINT),
        _column("updated", BIGINT),
        _column("doc", JSON),
    )
    op.create_index("sources_created_id", "sources", ["created", "id"])
    op.create_index("sources_updated_id", "sources", ["updated", "id"])
    op.create_index("sources_unlabelled_label_id", "sources", ["unlabelled", "label", "id"])
    op.create_table(
        "source_collections",
        _column("collector_id", TEXT, primary_key=True),
        _column("position", BIGINT, primary_key=True),
        _column("member_id", TEXT),
        _nullable("role", TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("source_collections_member_id_collector_id", "source_collections", ["member_id", "collector_id"])
    op.create_table(
        "flows",
        _column("id", TEXT, primary_key=True),
        _column("source_id", TEXT),
        _nullable("profile_id", TEXT),
        _column("format", TEXT),
        _nullable("codec", TEXT),
        _nullable("container", TEXT),
        _column("label", TEXT),
        _column("unlabelled", BOOLEAN),
        _nullable("status", TEXT),
        _nullable("frame_width", BIGINT),
        _nullable("frame_height", BIGINT),
        _column("init_segments", BOOLEAN),
        _column("read_only", BOOLEAN),
        _column("created", BIGINT),
        _column("metadata_updated", BIGINT),
        _column("doc", JSON),
    )
    op.create_index("flows_source_id_created", "flows", ["source_id", "created"])
    op.create_index("flows_profile_id", "flows", ["profile_id"])
    op.create_index("flows_created_id", "flows", ["created", "id"])
    op.create_index("flows_metadata_updated_id", "flows", ["metadata_updated", "id"])
    op.create_index("flows_unlabelled_label_id", "flows", ["unlabelled", "label", "id"])
    op.create_table(
        "flow_state",
        _column("flow_id", TEXT, primary_key=True),
        _column("version", BIGINT),
        _nullable("segments_updated", BIGINT),
    )
    op.create_table(
        "collections",
        _column("collector_id", TEXT, primary_key=True),
        _column("position", BIGINT, primary_key=True),
        _column("member_id", TEXT),
        _nullable("role", TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("collections_member_id_collector_id", "collections", ["member_id", "collector_id"])
    op.create_table(
        "tags",
        _column("kind", TEXT, primary_key=True),
        _column("owner_id", TEXT, primary_key=True),
        _column("name", TEXT, primary_key=True),
        _column("value", TEXT, primary_key=True),
        _column("empty", BOOLEAN, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_kind_name_value_owner_id", "tags", ["kind", "name", "value", "owner_id"])
    op.create_table(
        "segments",
        _column("flow_id", TEXT, primary_key=True),
        _column("start_ns", BIGINT, primary_key=True),
        _column("end_ns", BIGINT),
        _column("object_id", TEXT),
        _nullable("init_object_id", TEXT),
        _column("timerange", TEXT),
        _column("created", BIGINT),
        _column("doc", JSON),
        sqlite_with_rowid=False,
    )
    op.create_index("segments_flow_id_end_ns_start_ns", "segments", ["flow_id", "end_ns", "start_ns"])
    op.create_index("segments_object_id_flow_id_start_ns", "segments", ["object_id", "flow_id", "start_ns"])
    op.create_table(
        "objects",
        _column("id", TEXT, primary_key=True),
        _column("state", TEXT),
        _nullable("flow_id", TEXT),
        _nullable("content_type", TEXT),
        _nullable("timerange", TEXT),
        _nullable("start_ns", BIGINT),
        _nullable("end_ns", BIGINT),
        _nullable("key_frame_count", BIGINT),
        _nullable("init_object_id", TEXT),
        _column("created", BIGINT),
        _nullable("expires", BIGINT),
    )
    op.create_index("objects_expires", "objects", ["expires"])
    op.create_index("objects_flow_id", "objects", ["flow_id"])
    op.create_table(
        "instances",
        _column("object_id", TEXT, primary_key=True),
        _column("instance", TEXT, primary_key=True),
        _nullable("storage_id", TEXT),
        _nullable("label", TEXT),
        _nullable("url", TEXT),
        _column("created", BIGINT),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "object_refs",
        _column("object_id", TEXT, primary_key=True),
        _column("flow_id", TEXT, primary_key=True),
        _column("segments", BIGINT),
        sqlite_with_rowid=False,
    )
    op.create_index("object_refs_flow_id_object_id", "object_refs", ["flow_id", "object_id"])
    op.create_table(
        "deletion_requests",
        _column("id", TEXT, primary_key=True),
        _column("flow_id", TEXT),
        _column("status", TEXT),
        _column("created", BIGINT),
        _column("expiry", BIGINT),
        _nullable("leased_until", BIGINT),
        _column("doc", JSON),
    )
    op.create_index("deletion_requests_created_id", "deletion_requests", ["created", "id"])
    op.create_index("deletion_requests_expiry_id", "deletion_requests", ["expiry", "id"])
    op.create_index("deletion_requests_status_created", "deletion_requests", ["status", "created"])
    op.create_index("deletion_requests_flow_id", "deletion_requests", ["flow_id"])
    op.create_table(
        "garbage",
        _column("storage_id", TEXT, primary_key=True),
        _column("object_id", TEXT, primary_key=True),
        _column("due", BIGINT),
    )
    op.create_index("garbage_due", "garbage", ["due"])
