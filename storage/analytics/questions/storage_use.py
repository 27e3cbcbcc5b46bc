"""What is stored: bytes and hours, by source, flow, backend and format, and how often each object."""

from storage.analytics.questions.question import DURATION, HOURS, SIZES, Question

BY_SOURCE = Question(
    "usage-by-source",
    "Bytes and hours of each source. An object that several of its flows use counts once.",
    f"""
    SELECT f.source_id, coalesce(h.flows, 0) AS flows, coalesce(h.segments, 0) AS segments,
           coalesce(h.duration_ns, 0) AS duration_ns, {HOURS},
           coalesce(b.objects, 0) AS objects, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM (SELECT DISTINCT o.source_id FROM flows AS o) AS f
    LEFT JOIN (
        SELECT o.source_id, count(*) AS flows, CAST(sum(s.segments) AS BIGINT) AS segments, {DURATION}
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
            SELECT p.object_id, {SIZES} FROM instances AS p WHERE p.controlled GROUP BY p.object_id
        ) AS i ON i.object_id = p.object_id
        GROUP BY p.source_id
    ) AS b ON b.source_id = f.source_id
    ORDER BY bytes DESC, duration_ns DESC, f.source_id
    """,
)

BY_FLOW = Question(
    "usage-by-flow",
    "Bytes and hours of each flow. An object that several flows use counts in each of them.",
    f"""
    SELECT f.flow_id, f.source_id, f.label, f.format, f.codec, coalesce(h.segments, 0) AS segments,
           coalesce(h.duration_ns, 0) AS duration_ns, {HOURS},
           coalesce(b.objects, 0) AS objects, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM flows AS f
    LEFT JOIN (
        SELECT s.flow_id, count(*) AS segments, {DURATION} FROM segments AS s GROUP BY s.flow_id
    ) AS h ON h.flow_id = f.flow_id
    LEFT JOIN (
        SELECT u.flow_id, CAST(sum(u.objects) AS BIGINT) AS objects, sum(u.bytes) AS bytes,
               CAST(sum(u.objects_without_size) AS BIGINT) AS objects_without_size
        FROM usage AS u GROUP BY u.flow_id
    ) AS b ON b.flow_id = f.flow_id
    ORDER BY bytes DESC, duration_ns DESC, f.flow_id
    """,
)

BY_BACKEND = Question(
    "usage-by-backend",
    "Bytes and hours of media in each storage backend, of objects that are used and of those that wait to be removed.",
    f"""
    SELECT p.storage_id, count(*) AS objects, count(p.duration_ns) AS objects_with_duration,
           CAST(coalesce(sum(CAST(p.duration_ns AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS duration_ns,
           round(coalesce(sum(CAST(p.duration_ns AS DOUBLE)), 0) / 3600000000000.0, 3) AS hours, {SIZES},
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

BY_FORMAT = Question(
    "hours-by-format",
    "Hours by format, codec and profile.",
    f"""
    SELECT h.format, h.codec, h.profile_id, h.flows, h.segments, h.duration_ns, {HOURS}
    FROM (
        SELECT f.format, f.codec, f.profile_id, count(*) AS flows,
               CAST(sum(coalesce(s.segments, 0)) AS BIGINT) AS segments, {DURATION}
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

SHARED = Question(
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

ONE_COPY = Question(
    "single-copies",
    "Objects in use that are in one storage backend only, by that backend.",
    f"""
    SELECT p.storage_id, count(*) AS objects, {SIZES}
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
