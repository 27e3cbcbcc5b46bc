"""What arrives: how much, where some is missing, and where nothing comes any more."""

from storage.analytics.questions.question import DURATION, HOURS, SIZES, Parameter, Question

INGEST_RATE = Question(
    "ingest-by-hour",
    "What was registered in each hour, newest first. Hours without any are left out.",
    f"""
    SELECT coalesce(h.hour, b.hour) AS hour, coalesce(h.segments, 0) AS segments, coalesce(h.flows, 0) AS flows,
           coalesce(h.duration_ns, 0) AS duration_ns, {HOURS},
           coalesce(b.instances, 0) AS instances, coalesce(b.bytes, 0) AS bytes,
           coalesce(b.objects_without_size, 0) AS objects_without_size
    FROM (
        SELECT date_trunc('hour', s.created) AS hour, count(*) AS segments, count(DISTINCT s.flow_id) AS flows,
               {DURATION}
        FROM segments AS s
        WHERE s.created >= timestamp_us($now - $hours * 3600000000)
        GROUP BY date_trunc('hour', s.created)
    ) AS h
    FULL JOIN (
        SELECT date_trunc('hour', p.created) AS hour, count(*) AS instances, {SIZES}
        FROM instances AS p
        WHERE p.controlled AND p.created >= timestamp_us($now - $hours * 3600000000)
        GROUP BY date_trunc('hour', p.created)
    ) AS b ON b.hour = h.hour
    ORDER BY hour DESC
    """,
    {"hours": Parameter(24, "how many hours to look back")},
)

GAPS = Question(
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

STOPPED = Question(
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
