"""Which events a webhook is sent (FLT-*)."""

from collections.abc import Sequence

from storage.catalog.event_journal import Subject
from storage.tables.rows import EventRow, WebhookRow


def event_matches(event: EventRow, hook: WebhookRow) -> bool:
    """Whether an event passes all filters of a webhook (FLT-01 to -07).

    An empty list of flow or source ids matches nothing (AMB-10).
    """
    doc = hook["doc"]
    if event["position"] < hook["since"] * 1000 or event["doc"]["message"]["event_type"] not in doc["events"]:
        return False
    subject = Subject(**event["doc"]["subject"])
    if "source_ids" in doc and subject.source_id not in doc["source_ids"]:
        return False
    if not _matches_collections(doc.get("source_collected_by_ids"), subject.source_collected_by):
        return False
    if subject.flow_id is None:
        return True
    if "flow_ids" in doc and subject.flow_id not in doc["flow_ids"]:
        return False
    return _matches_collections(doc.get("flow_collected_by_ids"), subject.flow_collected_by)


def _matches_collections(wanted: Sequence[str] | None, collectors: Sequence[str]) -> bool:
    """Whether a filter by collections passes what `collectors` collect (FLT-04 to -06).

    No filter passes everything; an empty one, what is in no collection.
    """
    if wanted is None:
        return True
    return not collectors if not wanted else not set(wanted).isdisjoint(collectors)
