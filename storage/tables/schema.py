"""Every table of the catalogue: its columns, from the typed dicts of storage.tables.rows, its key and its indexes.

Each engine builds its own tables from these declarations.
"""

from storage.tables import rows
from storage.tables.conditions import Compare
from storage.tables.declaration import Listing, PresenceFlag, Table, columns_of

_TABLES = (
    Table("service", columns_of(rows.ServiceRow), key=("key",)),
    Table(
        "credentials",
        columns_of(rows.CredentialRow),
        key=("id",),
    ),
    Table(
        "profiles",
        columns_of(rows.ProfileRow),
        key=("id",),
        indexes=(("unlabelled", "label", "id"),),
        listing=Listing(("unlabelled", "label", "id"), filters=(("format",), ("codec",))),
    ),
    Table(
        "sources",
        columns_of(rows.SourceRow),
        key=("id",),
        indexes=(("created", "id"), ("updated", "id"), ("unlabelled", "label", "id")),
        listing=Listing(("created", "id"), filters=(("format",), ("unlabelled", "label"))),
    ),
    Table(
        "deleted_sources",
        columns_of(rows.DeletedSourceRow),
        key=("id",),
        indexes=(("created", "id"), ("updated", "id"), ("unlabelled", "label", "id")),
        listing=Listing(("created", "id")),
        is_later_addition=True,
        former=("subject",),
    ),
    Table(
        "source_collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    Table(
        "flows",
        columns_of(rows.FlowRow),
        key=("id",),
        indexes=(
            ("source_id", "created"),
            ("profile_id",),
            ("created", "id"),
            ("metadata_updated", "id"),
            ("unlabelled", "label", "id"),
        ),
        listing=Listing(
            ("created", "id"),
            filters=(
                ("source_id",),
                ("format",),
                ("codec",),
                ("frame_width",),
                ("frame_height",),
                ("unlabelled", "label"),
            ),
            outlined="segments",
        ),
    ),
    Table(
        "collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    Table(
        "deleted_flows",
        columns_of(rows.DeletedFlowRow),
        key=("id",),
        indexes=(
            ("created", "id"),
            ("metadata_updated", "id"),
            ("unlabelled", "label", "id"),
            ("expires", "id"),
            ("source_id", "expires"),
        ),
        listing=Listing(("created", "id"), filters=(("source_id",),), outlined="segments"),
        is_later_addition=True,
    ),
    Table(
        "deleted_collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position", "member_id"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "webhooks",
        columns_of(rows.WebhookRow),
        key=("id",),
        indexes=(("url", "id"), ("enabled", "id"), ("enabled", "since")),
        listing=Listing(("url", "id"), filters=(("owner",),)),
        # Every writer of segments asks whether any webhook is enabled, and locks the flow first.
        presence_flags=(PresenceFlag("any_enabled", Compare("enabled", "==", True), read_with="flows"),),
    ),
    Table(
        "tags",
        columns_of(rows.TagRow),
        key=("kind", "owner_id", "name", "value", "empty"),
        indexes=(("kind", "name", "value", "empty", "created", "owner_id"), ("kind", "name", "created", "owner_id")),
        repeats={"created": "created", "id": "owner_id"},
        clustered=True,
        hashed=("value",),
    ),
    Table(
        "classes",
        columns_of(rows.ClassRow),
        key=("kind", "owner_id", "name"),
        indexes=(("kind", "name", "created", "owner_id"),),
        repeats={"created": "created", "id": "owner_id"},
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "segments",
        columns_of(rows.SegmentRow),
        key=("flow_id", "start_ns"),
        indexes=(("flow_id", "end_ns", "start_ns"), ("object_id", "flow_id", "start_ns")),
        span=("flow_id", "start_ns", "end_ns"),
        clustered=True,
    ),
    Table(
        "segment_tags",
        columns_of(rows.SegmentTagRow),
        key=("flow_id", "start_ns", "name", "value", "empty"),
        indexes=(("flow_id", "name", "value", "empty", "start_ns"), ("flow_id", "name", "start_ns")),
        clustered=True,
        hashed=("value",),
        is_later_addition=True,
    ),
    Table(
        "objects",
        columns_of(rows.ObjectRow),
        key=("id",),
        indexes=(("expires",), ("flow_id",)),
    ),
    Table(
        "instances",
        columns_of(rows.InstanceRow),
        key=("object_id", "instance"),
        clustered=True,
    ),
    Table(
        "object_refs",
        columns_of(rows.ObjectRefRow),
        key=("object_id", "flow_id"),
        indexes=(("flow_id", "object_id"),),
        clustered=True,
    ),
    Table(
        "deletion_requests",
        columns_of(rows.DeletionRequestRow),
        key=("id",),
        indexes=(("created", "id"), ("expiry", "id"), ("status", "created"), ("flow_id",)),
    ),
    Table(
        "flows_to_delete",
        columns_of(rows.FlowToDeleteRow),
        key=("request_id", "position"),
        indexes=(("flow_id",),),
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "events",
        columns_of(rows.EventRow),
        key=("id",),
        indexes=(("pending", "position"),),
    ),
    Table(
        "deliveries",
        columns_of(rows.DeliveryRow),
        key=("webhook_id", "position", "event_id"),
        indexes=(("event_id",),),
        clustered=True,
    ),
    Table(
        "jobs",
        columns_of(rows.JobRow),
        key=("kind", "key"),
        indexes=(("due",),),
    ),
    Table(
        "garbage",
        columns_of(rows.GarbageRow),
        key=("storage_id", "object_id"),
        indexes=(("object_id",),),
        clustered=True,
    ),
    Table("usage", columns_of(rows.UsageRow), key=("principal",), is_later_addition=True),
    Table("principals", columns_of(rows.PrincipalRow), key=("name",), is_later_addition=True),
    Table(
        "violations",
        columns_of(rows.ViolationRow),
        key=("id",),
        indexes=(("day", "id"),),
        is_later_addition=True,
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
