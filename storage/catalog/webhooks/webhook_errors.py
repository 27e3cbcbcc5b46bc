"""What a webhook's `error` says of events that could not be delivered (HOOK-GET-03, HOOK-ST-05, -06)."""

from typing import Any

from storage.catalog.clock import rfc3339
from storage.catalog.webhooks.delivery_progress import Rejection
from storage.tables.limits import MESSAGE, clip
from storage.tables.rows import WebhookRow


def set_aside_columns(row: WebhookRow, event_id: str, rejection: Rejection, now: int) -> dict[str, Any]:
    """Return the columns that say in a webhook's `error` that a part of an event is not sent; its status stays.

    now: microseconds since 1970.
    """
    what = f"{rejection.segments} of the segments of event" if rejection.segments else "Event"
    summary = f"{what} {event_id} could not be delivered and was set aside. {rejection.summary}"
    error = {"type": "set_aside", "summary": clip(summary, MESSAGE), "time": rfc3339(now)}
    values: dict[str, Any] = {"doc": row["doc"] | {"error": error}, "status": "started"}
    return values | {"failing_since": None} if rejection.too_large else values


def error_columns(row: WebhookRow, kind: str, summary: str, now: int) -> dict[str, Any]:
    """Return the columns that set a webhook's status to `error` (HOOK-GET-03, HOOK-ST-05).

    kind: a short, stable name of the problem. summary: one sentence. now: microseconds since 1970.
    """
    error = {"type": kind, "summary": clip(summary, MESSAGE), "time": rfc3339(now)}
    return {"status": "error", "enabled": False, "doc": row["doc"] | {"error": error}}
