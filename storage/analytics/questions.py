"""The questions of operators: named queries over the views, the same on every engine.

`$now` is the time of the question in microseconds since 1970; other `$names` are the parameters that a question
declares. Durations are exact, in ns; `hours` is the same, rounded to thousandths. Bytes are sums of verified sizes, and
`objects_without_size` counts the instances whose size is not known, which are missing in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number from 1. about: what it means, with its unit."""

    default: int
    about: str


@dataclass(frozen=True, slots=True)
class Question:
    """sql: one SELECT over the views (storage.analytics.views)."""

    name: str
    about: str
    sql: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


_SIZES = """
    CAST(coalesce(sum(CAST(p.bytes AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS bytes,
    count(*) - count(p.bytes) AS objects_without_size
"""
_DURATION = "CAST(coalesce(sum(CAST(s.duration_ns AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS duration_ns"
_HOURS = "round(CAST(coalesce(h.duration_ns, 0) AS DOUBLE) / 3600000000000.0, 3) AS hours"

_BY_SOURCE = Question(
    "usage-by-source",
    "Bytes and hours of each source. An object that several of its flows use counts once.",
    f"""
    SELECT f.source_id, coalesce(h.flows, 0) AS flows, coalesce(h.segments, 0) AS segments,
           coalesce(h.duration_ns, 0) AS duration_ns, {_HOURS},
           coalesce(b.objects, 0) AS objects, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM (SELECT DISTINCT o.source_id FROM flows AS o) AS f
    LEFT JOIN (
        SELECT o.source_id, count(*) AS flows, CAST(sum(s.segments) AS BIGINT) AS segments, {_DURATION}
        FROM flows AS o
        JOIN (
            SELECT s.flow_id, count(*) AS segments, sum(CAST(s.duration_ns AS DECIMAL(38, 0))) AS duration_ns
            FROM segments AS s GROUP BY s.flow_id
        ) AS s ON s.flow_id = o.flow_id
        GROUP BY o.source_id
    ) AS h ON h.source_id = f.source_id
    LEFT JOIN (
        SELECT p.source_id, count(*) AS objects, CAST(sum(i.bytes) AS DECIMAL(38, 0)) AS bytes,
               CAST(sum(i.objects_without_size) AS BIGINT) AS objects_without_size
        FROM (
            SELECT DISTINCT o.source_id, r.object_id
            FROM object_references AS r
            JOIN flows AS o ON o.flow_id = r.flow_id
        ) AS p
        JOIN (
            SELECT p.object_id, {_SIZES} FROM instances AS p WHERE p.controlled GROUP BY p.object_id
        ) AS i ON i.object_id = p.object_id
        GROUP BY p.source_id
    ) AS b ON b.source_id = f.source_id
    ORDER BY bytes DESC, duration_ns DESC, f.source_id
    """,
)
_BY_FLOW = Question(
    "usage-by-flow",
    "Bytes and hours of each flow. An object that several flows use counts in each of them.",
    f"""
    SELECT f.flow_id, f.source_id, f.label, f.format, f.codec, coalesce(h.segments, 0) AS segments,
           coalesce(h.duration_ns, 0) AS duration_ns, {_HOURS},
           coalesce(b.objects, 0) AS objects, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM flows AS f
    LEFT JOIN (
        SELECT s.flow_id, count(*) AS segments, {_DURATION} FROM segments AS s GROUP BY s.flow_id
    ) AS h ON h.flow_id = f.flow_id
    LEFT JOIN (
        SELECT u.flow_id, CAST(sum(u.objects) AS BIGINT) AS objects, sum(u.bytes) AS bytes,
               CAST(sum(u.objects_without_size) AS BIGINT) AS objects_without_size
        FROM usage AS u GROUP BY u.flow_id
    ) AS b ON b.flow_id = f.flow_id
    ORDER BY bytes DESC, duration_ns DESC, f.flow_id
    """,
)
_BY_BACKEND = Question(
    "usage-by-backend",
    "Bytes and hours of media in each storage backend, of objects that are used and of those that wait to be removed.",
    f"""
    SELECT p.storage_id, count(*) AS objects, count(p.duration_ns) AS objects_with_duration,
           CAST(coalesce(sum(CAST(p.duration_ns AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS duration_ns,
           round(coalesce(sum(CAST(p.duration_ns AS DOUBLE)), 0) / 3600000000000.0, 3) AS hours, {_SIZES},
           CAST(sum(CASE WHEN p.unreferenced THEN 1 ELSE 0 END) AS BIGINT) AS unreferenced_objects
    FROM (
        SELECT i.storage_id, o.duration_ns, i.bytes, o.expires IS NOT NULL AS unreferenced
        FROM instances AS i
        JOIN objects AS o ON o.object_id = i.object_id
        WHERE i.controlled AND o.state <> 'allocated'
    ) AS p
    GROUP BY p.storage_id
    ORDER BY bytes DESC, p.storage_id
    """,
)
_INGEST_RATE = Question(
    "ingest-by-hour",
    "What was registered in each hour, newest first. Hours without any are left out.",
    f"""
    SELECT coalesce(h.hour, b.hour) AS hour, coalesce(h.segments, 0) AS segments, coalesce(h.flows, 0) AS flows,
           coalesce(h.duration_ns, 0) AS duration_ns, {_HOURS},
           coalesce(b.instances, 0) AS instances, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM (
        SELECT date_trunc('hour', s.created) AS hour, count(*) AS segments, count(DISTINCT s.flow_id) AS flows,
               {_DURATION}
        FROM segments AS s
        WHERE s.created >= timestamp_us($now - $hours * 3600000000)
        GROUP BY date_trunc('hour', s.created)
    ) AS h
    FULL JOIN (
        SELECT date_trunc('hour', p.created) AS hour, count(*) AS instances, {_SIZES}
        FROM instances AS p
        WHERE p.controlled AND p.created >= timestamp_us($now - $hours * 3600000000)
        GROUP BY date_trunc('hour', p.created)
    ) AS b ON b.hour = h.hour
    ORDER BY hour DESC
    """,
    {"hours": Parameter(24, "how many hours to look back")},
)
_GAPS = Question(
    "gaps-by-flow",
    "Flows with time between their segments that no segment covers.",
    """
    SELECT g.flow_id, f.label, count(*) AS gaps, min(g.start_ns) AS first_ns, max(g.end_ns) AS last_ns,
           max(g.duration_ns) AS longest_ns,
           CAST(sum(CAST(g.duration_ns AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS missing_ns
    FROM gaps AS g
    JOIN flows AS f ON f.flow_id = g.flow_id
    GROUP BY g.flow_id, f.label
    ORDER BY missing_ns DESC, g.flow_id
    """,
)
_SHARED = Question(
    "shared-objects",
    "Objects that segments use more than once. bytes_saved: what a copy for each further flow would take.",
    """
    SELECT r.object_id, r.flows, r.uses, b.bytes AS bytes,
           CAST(b.bytes AS DECIMAL(38, 0)) * (r.flows - 1) AS bytes_saved
    FROM (
        SELECT u.object_id, count(*) AS flows, CAST(sum(u.segments) AS BIGINT) AS uses
        FROM object_references AS u
        GROUP BY u.object_id
        HAVING sum(u.segments) > 1
    ) AS r
    LEFT JOIN (
        SELECT i.object_id, max(i.bytes) AS bytes FROM instances AS i WHERE i.controlled GROUP BY i.object_id
    ) AS b ON b.object_id = r.object_id
    ORDER BY bytes_saved DESC NULLS LAST, r.uses DESC, r.object_id
    """,
)
_UNREFERENCED = Question(
    "unreferenced-objects",
    "Objects that no segment uses, and from when they may be removed.",
    """
    SELECT o.object_id, o.state, o.flow_id, o.expires, o.expires <= timestamp_us($now) AS due,
           count(i.object_id) AS instances, max(i.bytes) AS bytes
    FROM objects AS o
    LEFT JOIN instances AS i ON i.object_id = o.object_id AND i.controlled
    WHERE o.expires IS NOT NULL
    GROUP BY o.object_id, o.state, o.flow_id, o.expires
    ORDER BY o.expires, o.object_id
    """,
)
_STOPPED = Question(
    "stopped-ingests",
    "Flows that say they are being filled, and have got no segment for a while.",
    """
    SELECT f.flow_id, f.source_id, f.label, f.status, coalesce(f.segments_updated, f.created) AS since
    FROM flows AS f
    WHERE f.status IN ('ingesting', 'replication_in_progress')
      AND coalesce(f.segments_updated, f.created) < timestamp_us($now - $minutes * 60000000)
    ORDER BY since, f.flow_id
    """,
    {"minutes": Parameter(10, "for how many minutes nothing has come")},
)
_BY_FORMAT = Question(
    "hours-by-format",
    "Hours by format, codec and profile.",
    f"""
    SELECT h.format, h.codec, h.profile_id, h.flows, h.segments, h.duration_ns, {_HOURS}
    FROM (
        SELECT f.format, f.codec, f.profile_id, count(*) AS flows,
               CAST(sum(coalesce(s.segments, 0)) AS BIGINT) AS segments, {_DURATION}
        FROM flows AS f
        LEFT JOIN (
            SELECT s.flow_id, count(*) AS segments, sum(CAST(s.duration_ns AS DECIMAL(38, 0))) AS duration_ns
            FROM segments AS s GROUP BY s.flow_id
        ) AS s ON s.flow_id = f.flow_id
        GROUP BY f.format, f.codec, f.profile_id
    ) AS h
    ORDER BY h.duration_ns DESC, h.format, h.codec NULLS LAST, h.profile_id NULLS LAST
    """,
)
_RETENTION = Question(
    "retention",
    "What the retention tags of flows delete in the coming days, of the segments that are there already, by flow and"
    " tag. problem: why a tag is not followed.",
    """
    WITH rules AS (
        SELECT f.flow_id, f.label, t.name AS rule, t.value AS given,
               coalesce(f.segments_updated, f.metadata_updated) AS segments_updated, f.metadata_updated,
               CASE WHEN t.name = 'loop_recorder_duration'
                    THEN CAST(TRY_CAST(t.value AS DECIMAL(19, 9)) * 1000000000 AS BIGINT)
                    ELSE TRY_CAST(split_part(t.value, ':', 1) AS BIGINT) * 1000000000
                         + TRY_CAST(coalesce(nullif(split_part(t.value, ':', 2), ''), '0') AS BIGINT) END AS offset_ns
        FROM tags AS t
        JOIN flows AS f ON f.flow_id = t.owner_id
        WHERE t.kind = 'flow' AND NOT f.read_only
          AND t.name IN ('segment_retention_offset', 'flow_retention_offset', 'loop_recorder_duration')
    ),
    due AS (
        SELECT r.flow_id, r.rule, s.object_id, s.duration_ns
        FROM rules AS r
        JOIN segments AS s ON s.flow_id = r.flow_id
        JOIN (
            SELECT l.flow_id, max(l.end_ns) AS last_ns FROM segments AS l GROUP BY l.flow_id
        ) AS e ON e.flow_id = r.flow_id
        WHERE (r.rule = 'segment_retention_offset'
               AND s.end_ns <= $tai_ns + $days * 86400000000000 - r.offset_ns)
           OR (r.rule = 'loop_recorder_duration' AND s.end_ns <= e.last_ns - r.offset_ns)
           OR (r.rule = 'flow_retention_offset'
               AND greatest(r.segments_updated, r.metadata_updated)
                   <= timestamp_us($now + $days * 86400000000 - r.offset_ns // 1000))
    ),
    sizes AS (
        SELECT d.flow_id, d.rule, max(i.bytes) AS bytes
        FROM due AS d
        JOIN instances AS i ON i.object_id = d.object_id
        WHERE i.controlled
        GROUP BY d.flow_id, d.rule, d.object_id
    )
    SELECT r.flow_id, r.label, r.rule, r.given, coalesce(n.segments, 0) AS segments,
           coalesce(n.duration_ns, 0) AS duration_ns, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size,
           CASE WHEN r.offset_ns IS NULL THEN 'the value is not a duration' END AS problem
    FROM rules AS r
    LEFT JOIN (
        SELECT s.flow_id, s.rule, count(*) AS segments,
               CAST(sum(CAST(s.duration_ns AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS duration_ns
        FROM due AS s GROUP BY s.flow_id, s.rule
    ) AS n ON n.flow_id = r.flow_id AND n.rule = r.rule
    LEFT JOIN (
        SELECT p.flow_id, p.rule,
               CAST(coalesce(sum(CAST(p.bytes AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS bytes,
               count(*) - count(p.bytes) AS objects_without_size
        FROM sizes AS p GROUP BY p.flow_id, p.rule
    ) AS b ON b.flow_id = r.flow_id AND b.rule = r.rule
    ORDER BY coalesce(n.segments, 0) DESC, r.flow_id, r.rule, r.given
    """,
    {"days": Parameter(7, "how many days to look ahead")},
)
_ONE_COPY = Question(
    "single-copies",
    "Objects in use that are in one storage backend only, by that backend.",
    f"""
    SELECT p.storage_id, count(*) AS objects, {_SIZES}
    FROM (
        SELECT i.object_id, min(i.storage_id) AS storage_id, max(i.bytes) AS bytes
        FROM instances AS i
        JOIN objects AS o ON o.object_id = i.object_id
        WHERE i.controlled AND o.state <> 'allocated' AND o.expires IS NULL
        GROUP BY i.object_id
        HAVING count(*) = 1
    ) AS p
    GROUP BY p.storage_id
    ORDER BY count(*) DESC, p.storage_id
    """,
)
_BEHIND = Question(
    "webhooks-behind",
    "Webhooks with events that wait to be sent, and those that the server has given up.",
    """
    SELECT w.webhook_id, w.host, w.status, w.waiting, w.oldest, w.failing_since
    FROM webhooks AS w
    WHERE w.waiting > 0 OR w.failing_since IS NOT NULL OR w.status = 'error'
    ORDER BY w.waiting DESC, w.webhook_id
    """,
)

QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        _BY_SOURCE,
        _BY_FLOW,
        _BY_BACKEND,
        _INGEST_RATE,
        _GAPS,
        _SHARED,
        _UNREFERENCED,
        _STOPPED,
        _BY_FORMAT,
        _RETENTION,
        _ONE_COPY,
        _BEHIND,
    )
}
