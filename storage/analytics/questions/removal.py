"""What is about to be removed: unreferenced objects, and segments by the retention tags of their flows."""

from storage.analytics.questions.question import Parameter, Question

UNREFERENCED = Question(
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

RETENTION = Question(
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
