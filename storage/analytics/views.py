"""The views that analytics offers: documented, versioned, and the same on every engine.

They are written once, in the SQL of DuckDB, over the tables of the catalogue as `base.<table> AS <alias>`, with the
alias before every column. storage.analytics.dialect turns them into the SQL of an engine. `timestamp_us(x)` is a
timestamp in UTC, from microseconds since 1970.

VERSION changes when a column goes or changes its meaning; new views and columns do not change it.
"""

from dataclasses import dataclass

VERSION = 1


@dataclass(frozen=True, slots=True)
class View:
    """sql: one SELECT. columns: what each column holds, by name, in order."""

    name: str
    about: str
    sql: str
    columns: dict[str, str]


_SOURCES = View(
    "sources",
    "Sources.",
    """
    SELECT t.id AS source_id, t.format AS format, nullif(t.label, '') AS label,
           timestamp_us(t.created) AS created, timestamp_us(t.updated) AS updated
    FROM base.sources AS t
    """,
    {
        "source_id": "id",
        "format": "URN of the format",
        "label": "null without a label",
        "created": "timestamp in UTC",
        "updated": "timestamp in UTC",
    },
)
_FLOWS = View(
    "flows",
    "Flows.",
    # The id of no flow is empty, but VAST Database keeps a row of its own with such an id.
    """
    SELECT t.id AS flow_id, t.source_id AS source_id, t.profile_id AS profile_id, t.format AS format, t.codec AS codec,
           t.container AS container, nullif(t.label, '') AS label, t.status AS status, t.frame_width AS frame_width,
           t.frame_height AS frame_height, t.read_only AS read_only, timestamp_us(t.created) AS created,
           timestamp_us(t.metadata_updated) AS metadata_updated, timestamp_us(t.segments_updated) AS segments_updated
    FROM base.flows AS t
    WHERE t.id <> ''
    """,
    {
        "flow_id": "id",
        "source_id": "id of its source",
        "profile_id": "id of its profile, or null",
        "format": "URN of the format",
        "codec": "MIME type of the codec, or null",
        "container": "MIME type of the container, or null",
        "label": "null without a label",
        "status": "flow_status, or null",
        "frame_width": "pixels; null unless the flow is video or images",
        "frame_height": "pixels; null unless the flow is video or images",
        "read_only": "whether it must not be changed",
        "created": "timestamp in UTC",
        "metadata_updated": "timestamp in UTC",
        "segments_updated": "timestamp in UTC of the last change of its segments, or null",
    },
)
_TAGS = View(
    "tags",
    "Tags of sources and flows: a row for each value.",
    """
    SELECT t.kind AS kind, t.owner_id AS owner_id, t.name AS name, t.value AS value
    FROM base.tags AS t
    WHERE t.kind IN ('flow', 'source') AND NOT t.empty
    """,
    {
        "kind": "flow or source",
        "owner_id": "id of the flow or source",
        "name": "of the tag",
        "value": "one value of it",
    },
)
_SEGMENTS = View(
    "segments",
    "Segments of flows. Those of a flow never overlap.",
    """
    SELECT t.flow_id AS flow_id, t.start_ns AS start_ns, t.end_ns AS end_ns, t.end_ns - t.start_ns AS duration_ns,
           t.timerange AS timerange, t.object_id AS object_id, t.init_object_id AS init_object_id,
           timestamp_us(t.created) AS created
    FROM base.segments AS t
    WHERE t.flow_id IN (SELECT f.id FROM base.flows AS f)
    """,
    {
        "flow_id": "id of the flow",
        "start_ns": "start on the flow's timeline, in ns, inclusive",
        "end_ns": "end on the flow's timeline, in ns, exclusive",
        "duration_ns": "end_ns - start_ns, exact",
        "timerange": "the same as text",
        "object_id": "id of its media object",
        "init_object_id": "id of its init object, or null",
        "created": "timestamp in UTC of its registration",
    },
)
_SEGMENT_TAGS = View(
    "segment_tags",
    "Tags of segments: a row for each value.",
    """
    SELECT t.flow_id AS flow_id, t.start_ns AS start_ns, t.name AS name, t.value AS value
    FROM base.segment_tags AS t
    WHERE t.flow_id IN (SELECT f.id FROM base.flows AS f) AND NOT t.empty
    """,
    {
        "flow_id": "id of the flow",
        "start_ns": "start of the segment, as in `segments`",
        "name": "of the tag",
        "value": "one value of it",
    },
)
_OBJECTS = View(
    "objects",
    "Media objects and init objects, and those that are only allocated.",
    # The bytes of a deleted flow that can be restored are stored, and count, but such a flow is not named.
    """
    SELECT t.id AS object_id, t.state AS state,
           CASE WHEN NOT t.flow_id IN (SELECT d.id FROM base.deleted_flows AS d) THEN t.flow_id END AS flow_id,
           t.content_type AS content_type,
           t.start_ns AS start_ns, t.end_ns AS end_ns, t.end_ns - t.start_ns AS duration_ns,
           t.key_frame_count AS key_frame_count, timestamp_us(t.created) AS created,
           timestamp_us(t.expires) AS expires
    FROM base.objects AS t
    """,
    {
        "object_id": "id",
        "state": "allocated, media or init",
        "flow_id": "the flow it was allocated for, then the first flow that used it; null if unknown or not visible",
        "content_type": "MIME type of its upload, or null",
        "start_ns": "start on its own timeline, in ns, inclusive; null if unknown",
        "end_ns": "end on its own timeline, in ns, exclusive; null if unknown",
        "duration_ns": "end_ns - start_ns, exact",
        "key_frame_count": "as registered, or null",
        "created": "timestamp in UTC",
        "expires": "timestamp in UTC from which it may be removed; null while a segment refers to it",
    },
)
_INSTANCES = View(
    "instances",
    "Places where the bytes of objects are.",
    """
    SELECT t.object_id AS object_id, t.storage_id AS storage_id, t.storage_id IS NOT NULL AS controlled,
           t.label AS label, coalesce(t.size, t.charged_bytes) AS bytes, timestamp_us(t.created) AS created
    FROM base.instances AS t
    """,
    {
        "object_id": "id of the object",
        "storage_id": "id of the storage backend; null for a URL elsewhere",
        "controlled": "whether it is in a storage backend of this service",
        "label": "of a URL elsewhere",
        "bytes": "size; null where the server has neither verified nor counted it",
        "created": "timestamp in UTC",
    },
)
_OBJECT_REFERENCES = View(
    "object_references",
    "Which flows use which objects.",
    """
    SELECT t.object_id AS object_id, t.flow_id AS flow_id, t.segments AS segments
    FROM base.object_refs AS t
    WHERE t.flow_id IN (SELECT f.id FROM base.flows AS f)
    """,
    {
        "object_id": "id of the object",
        "flow_id": "id of the flow",
        "segments": "how many segments of the flow refer to it, directly or as their init object",
    },
)
_USAGE = View(
    "usage",
    "What each flow takes in each storage backend. An object that several flows use counts in each of them.",
    """
    SELECT r.flow_id AS flow_id, i.storage_id AS storage_id, count(*) AS objects,
           CAST(coalesce(sum(CAST(coalesce(i.size, i.charged_bytes) AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS bytes,
           count(*) - count(coalesce(i.size, i.charged_bytes)) AS objects_without_size
    FROM base.object_refs AS r
    JOIN base.instances AS i ON i.object_id = r.object_id
    WHERE i.storage_id IS NOT NULL AND r.flow_id IN (SELECT f.id FROM base.flows AS f)
    GROUP BY r.flow_id, i.storage_id
    """,
    {
        "flow_id": "id of the flow",
        "storage_id": "id of the storage backend",
        "objects": "objects of the flow with an instance there",
        "bytes": "sum of the known sizes of these instances",
        "objects_without_size": "how many of them have no known size, and are missing in `bytes`",
    },
)
_GAPS = View(
    "gaps",
    "Time without a segment between two segments of a flow.",
    """
    SELECT g.flow_id AS flow_id, g.start_ns AS start_ns, g.end_ns AS end_ns, g.end_ns - g.start_ns AS duration_ns
    FROM (
        SELECT t.flow_id AS flow_id, t.end_ns AS start_ns,
               lead(t.start_ns) OVER (PARTITION BY t.flow_id ORDER BY t.start_ns) AS end_ns
        FROM base.segments AS t
        WHERE t.flow_id IN (SELECT f.id FROM base.flows AS f)
    ) AS g
    WHERE g.end_ns > g.start_ns
    """,
    {
        "flow_id": "id of the flow",
        "start_ns": "end of the segment before, in ns",
        "end_ns": "start of the segment after, in ns",
        "duration_ns": "end_ns - start_ns, exact",
    },
)
_WEBHOOKS = View(
    "webhooks",
    "Webhooks, and the events that wait to be sent to them.",
    """
    SELECT t.id AS webhook_id,
           reverse(split_part(reverse(split_part(split_part(split_part(t.url, '/', 3), '?', 1), '#', 1)), '@', 1))
               AS host,
           t.status AS status, t.enabled AS enabled, timestamp_us(t.failing_since) AS failing_since,
           coalesce(d.waiting, 0) AS waiting, timestamp_us(d.oldest) AS oldest
    FROM base.webhooks AS t
    LEFT JOIN (
        SELECT q.webhook_id AS webhook_id, count(*) AS waiting, min(q.position) // 1000 AS oldest
        FROM base.deliveries AS q
        GROUP BY q.webhook_id
    ) AS d ON d.webhook_id = t.id
    """,
    {
        "webhook_id": "id",
        "host": "the host in its URL, without anything that may be a secret",
        "status": "created, started, disabled or error",
        "enabled": "whether events are sent",
        "failing_since": "timestamp in UTC of the first of the failures without a success between them, or null",
        "waiting": "events that wait to be sent",
        "oldest": "timestamp in UTC of the oldest of them, or null",
    },
)

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        _SOURCES,
        _FLOWS,
        _TAGS,
        _SEGMENTS,
        _SEGMENT_TAGS,
        _OBJECTS,
        _INSTANCES,
        _OBJECT_REFERENCES,
        _USAGE,
        _GAPS,
        _WEBHOOKS,
    )
}
