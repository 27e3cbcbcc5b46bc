"""Every table of the catalogue, declared once; each engine builds its own form of them from here.

Types are "string", "int64", "bool" and "json" (any JSON value). Times on a media timeline are ns (`*_ns`), moments of
the calendar are microseconds since 1970 (`created`, `updated`, ...). Columns are what is filtered, sorted or joined
on; `doc` is the rest of the document as it was sent. They are declared without a database library's own types so that
an engine that is not used is not imported.
"""

from dataclasses import dataclass
from typing import Literal

from storage.tables.conditions import Compare

Type = Literal["string", "int64", "bool", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: Type
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class PresenceFlag:
    """A question that writers ask often: does any row of the declaring table meet `condition`?

    An engine may store the answer beside the rows of the table `read_with`, which those writers lock in any case, and
    so save them a query. It must then keep the stored answer right whenever the declaring table changes.
    """

    name: str
    condition: Compare
    read_with: str


@dataclass(frozen=True, slots=True)
class Table:
    """key: the columns that tell rows apart, in the order in which the table is best sorted.
    indexes: further column lists that queries come by.
    span: the columns (owner, start, end) of half-open spans that never overlap within one owner.
    clustered: rows are read in ranges of the key, and are best stored in its order.
    presence_flags: questions about the whole table that an engine may answer without a query.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    span: tuple[str, str, str] | None = None
    clustered: bool = False
    presence_flags: tuple[PresenceFlag, ...] = ()


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from "name type, name type?": a question mark makes one nullable."""
    columns = []
    for part in text.split(","):
        name, type_ = part.split()
        columns.append(Column(name, type_.rstrip("?"), type_.endswith("?")))  # type: ignore[arg-type]
    return tuple(columns)


_TABLES = (
    # Facts of this installation: its name, the id of its default backend, secrets.
    Table("service", _columns("key string, value json"), key=("key",)),
    # Who may come in: hashes of tokens and passwords.
    Table(
        "credentials",
        _columns("id string, kind string, name string, secret string, scopes string, created int64, expires int64?"),
        key=("id",),
    ),
    Table(
        "profiles",
        _columns("id string, format string, codec string, label string, unlabelled bool, created int64, doc json"),
        key=("id",),
        indexes=(("unlabelled", "label", "id"),),
    ),
    Table(
        "sources",
        _columns("id string, format string, label string, unlabelled bool, created int64, updated int64, doc json"),
        key=("id",),
        indexes=(("created", "id"), ("updated", "id"), ("unlabelled", "label", "id")),
    ),
    # source_collection and collected_by of sources, derived from the collections of their flows.
    Table(
        "source_collections",
        _columns("collector_id string, position int64, member_id string, role string?"),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    # Writers of a flow's segments change its row first. Every segment lies within [content_start, content_end), though
    # there may be room at both ends; equal where there is none, and null where that has not been looked up yet.
    Table(
        "flows",
        _columns(
            "id string, source_id string, profile_id string?, format string, codec string?, container string?,"
            " label string, unlabelled bool, status string?, frame_width int64?, frame_height int64?,"
            " init_segments bool, read_only bool, created int64, metadata_updated int64, segments_updated int64?,"
            " content_start int64?, content_end int64?, doc json"
        ),
        key=("id",),
        indexes=(
            ("source_id", "created"),
            ("profile_id",),
            ("created", "id"),
            ("metadata_updated", "id"),
            ("unlabelled", "label", "id"),
        ),
    ),
    Table(
        "collections",
        _columns("collector_id string, position int64, member_id string, role string?"),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    # One row a value, for filters; an empty list has one row with `empty` true.
    Table(
        "tags",
        _columns("kind string, owner_id string, name string, value string, empty bool"),
        key=("kind", "owner_id", "name", "value", "empty"),
        indexes=(("kind", "name", "value", "owner_id"),),
        clustered=True,
    ),
    Table(
        "segments",
        _columns(
            "flow_id string, start_ns int64, end_ns int64, object_id string, init_object_id string?, timerange string,"
            " created int64, doc json"
        ),
        key=("flow_id", "start_ns"),
        indexes=(("flow_id", "end_ns", "start_ns"), ("object_id", "flow_id", "start_ns")),
        span=("flow_id", "start_ns", "end_ns"),
        clustered=True,
    ),
    # state: "allocated" until a segment names the object, then "media" or "init".
    # flow_id: the flow it was allocated for, then the first that used it.
    # expires: when an object that no segment names is to be collected; null while one does.
    Table(
        "objects",
        _columns(
            "id string, state string, flow_id string?, content_type string?, timerange string?, start_ns int64?,"
            " end_ns int64?, key_frame_count int64?, init_object_id string?, created int64, expires int64?"
        ),
        key=("id",),
        indexes=(("expires",), ("flow_id",)),
    ),
    # Where the bytes are. `instance` is the backend's id, or "label:" and the label of an uncontrolled URL.
    Table(
        "instances",
        _columns("object_id string, instance string, storage_id string?, label string?, url string?, created int64"),
        key=("object_id", "instance"),
        clustered=True,
    ),
    # How many segments of a flow name an object, directly or as the init object of one.
    Table(
        "object_refs",
        _columns("object_id string, flow_id string, segments int64"),
        key=("object_id", "flow_id"),
        indexes=(("flow_id", "object_id"),),
        clustered=True,
    ),
    Table(
        "deletion_requests",
        _columns("id string, flow_id string, status string, created int64, expiry int64, doc json"),
        key=("id",),
        indexes=(("created", "id"), ("expiry", "id"), ("status", "created"), ("flow_id",)),
    ),
    # Where events go. enabled: status is "created" or "started"; since: from when on events are meant for it.
    # failing_since: of the first failure in a row.
    # base_url: by which the service was reached when the webhook was last set, for URLs of its own in events.
    Table(
        "webhooks",
        _columns(
            "id string, url string, enabled bool, status string, owner string, secret string?, base_url string,"
            " created int64, since int64, failing_since int64?, doc json"
        ),
        key=("id",),
        indexes=(("url", "id"), ("enabled", "id")),
        # Every writer of segments asks whether anybody listens, and locks the flow first.
        presence_flags=(PresenceFlag("any_enabled", Compare("enabled", "==", True), read_with="flows"),),
    ),
    # The outbox: what has happened, in order of `position` (microseconds since 1970, then a count within the
    # transaction). pending: not yet passed on to the webhooks that it matches.
    Table(
        "events",
        _columns("id string, position int64, pending bool, doc json"),
        key=("id",),
        indexes=(("pending", "position"),),
    ),
    # What each webhook is still to be sent.
    Table(
        "deliveries",
        _columns("webhook_id string, position int64, event_id string"),
        key=("webhook_id", "position", "event_id"),
        indexes=(("event_id",),),
        clustered=True,
    ),
    # Work for workers. due: when it may be taken; for work that a worker holds, the end of its lease; null once it has
    # failed for good. token: of the worker that holds it.
    Table(
        "jobs",
        _columns(
            "kind string, key string, due int64?, token string?, worker string?, attempts int64, created int64,"
            " error string?, doc json"
        ),
        key=("kind", "key"),
        indexes=(("due",),),
    ),
    # Bytes that nothing names any more, to be removed.
    Table(
        "garbage",
        _columns("storage_id string, object_id string, due int64"),
        key=("storage_id", "object_id"),
        indexes=(("object_id",),),
        clustered=True,
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
