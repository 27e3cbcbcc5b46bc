"""The questions of operators: named queries over the views, the same on every engine.

`$now` is the time of the question in microseconds since 1970; other `$names` are the parameters that a question
declares. Durations are exact, in ns; `hours` is the same, rounded to thousandths. Bytes are sums of verified sizes, and
`objects_without_size` counts the instances whose size is not known, which are missing in them.
"""

from storage.analytics.questions import ingest, removal, storage_use, webhooks
from storage.analytics.questions.question import Question

QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        storage_use.BY_SOURCE,
        storage_use.BY_FLOW,
        storage_use.BY_BACKEND,
        ingest.INGEST_RATE,
        ingest.GAPS,
        storage_use.SHARED,
        removal.UNREFERENCED,
        ingest.STOPPED,
        storage_use.BY_FORMAT,
        removal.RETENTION,
        storage_use.ONE_COPY,
        webhooks.BEHIND,
    )
}
