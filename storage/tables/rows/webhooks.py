"""Webhooks, events, and which of these a webhook is still to be sent."""

from typing import Literal, NotRequired, TypedDict

from storage.tables.rows.document import Document

WebhookStatus = Literal["created", "started", "disabled", "error"]
"""webhook.json: events are sent while it is "created" or "started"."""


class WebhookRow(TypedDict):
    """A webhook. enabled: its status is "created" or "started". since: events from then on are meant for it.

    failing_since: time of the first of the failures without a success between them.
    base_url: of this service when the webhook was last set, for URLs of this service in events.
    """

    id: str
    url: str
    enabled: bool
    status: WebhookStatus
    owner: str
    secret: NotRequired[str | None]
    base_url: str
    created: int
    since: int
    failing_since: NotRequired[int | None]
    doc: Document


class EventRow(TypedDict):
    """An event in the outbox. position: microseconds since 1970 times 1000, plus its number within the transaction.

    pending: not yet queued for the webhooks that it matches.
    """

    id: str
    position: int
    pending: bool
    doc: Document


class DeliveryRow(TypedDict):
    """An event that a webhook is still to be sent."""

    webhook_id: str
    position: int
    event_id: str
