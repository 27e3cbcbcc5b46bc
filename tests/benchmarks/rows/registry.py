"""Every row of the benchmark, in the order in which they run."""

from tests.benchmarks.frame import Row
from tests.benchmarks.rows.analytics import measure_analytics
from tests.benchmarks.rows.batches import measure_batches
from tests.benchmarks.rows.changes import measure_metrics, measure_webhooks
from tests.benchmarks.rows.classes import measure_classes
from tests.benchmarks.rows.flows import measure_flows
from tests.benchmarks.rows.ingest import measure_ingest
from tests.benchmarks.rows.listings import measure_listings
from tests.benchmarks.rows.media import measure_media
from tests.benchmarks.rows.pages import measure_object_filter, measure_pages
from tests.benchmarks.rows.processes import measure_processes
from tests.benchmarks.rows.rates import measure_concurrency, measure_page_rates
from tests.benchmarks.rows.registration import measure_bulk, measure_registration
from tests.benchmarks.rows.round_trips import measure_round_trips
from tests.benchmarks.rows.sizes import measure_sizes
from tests.benchmarks.rows.validation import measure_validation

ROWS = {
    row.id: row
    for row in (
        Row("P1", "a page of 30 segments by length of the flow", measure_pages),
        Row("P2", "segments?object_id= by length of the flow", measure_object_filter),
        Row("S1", "bytes of a segment in the catalogue", measure_sizes),
        Row("P3", "filtered pages of flows and sources by their number", measure_listings),
        Row("P4", "pages of segments with presigned URLs against a bare ASGI server", measure_page_rates),
        Row("P5", "20 flows against a bare ASGI server, bare Flask and Prism", measure_flows),
        Row("P6", "one segment registered against bare transactions of SQLite", measure_registration),
        Row("P7", "64 flows ingested at once", measure_ingest),
        Row("P8", "pages of segments for several clients at once", measure_concurrency),
        Row("P9", "media through the server against nginx", measure_media),
        Row("P10", "start and memory of a process", measure_processes),
        Row("P11", "responses validated against not", measure_validation),
        Row("P12", "segments registered in bulk", measure_bulk),
        Row("P13", "requests to VAST and rows read", measure_round_trips),
        Row("P14", "the questions of analytics, and a listing beside them", measure_analytics),
        Row("P15", "flows created in batches, against one by one", measure_batches),
        Row("P16", "pages of flows with classes in force, against without", measure_classes),
        Row("W1", "a change by number of webhooks", measure_webhooks),
        Row("W2", "request metrics", measure_metrics),
    )
}
