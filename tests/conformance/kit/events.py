"""Received events: their validation against the specification's `webhooks`, and their subjects."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tests.conformance.kit.checker import check_event
from tests.conformance.kit.documents import Json
from tests.conformance.kit.receiver import Delivery

FLOW_CREATED = "flows/created"
FLOW_UPDATED = "flows/updated"
FLOW_DELETED = "flows/deleted"
SEGMENTS_ADDED = "flows/segments_added"
SEGMENTS_DELETED = "flows/segments_deleted"
SOURCE_CREATED = "sources/created"
SOURCE_UPDATED = "sources/updated"
SOURCE_DELETED = "sources/deleted"

OF_FLOWS = (FLOW_CREATED, FLOW_UPDATED, FLOW_DELETED, SEGMENTS_ADDED, SEGMENTS_DELETED)
"""Event types of flows and their segments."""
OF_SOURCES = (SOURCE_CREATED, SOURCE_UPDATED, SOURCE_DELETED)
ALL = OF_FLOWS + OF_SOURCES


@dataclass(frozen=True)
class Event:
    """An event and the request that delivered it. Missing or malformed members read as empty; `check` reports them."""

    delivery: Delivery

    def check(self) -> None:
        """Fail if the request does not match the specification of the event."""
        check_event(self.delivery.method, self.delivery.headers.get("content-type", ""), self.delivery.body)

    @cached_property
    def document(self) -> Json:
        """The whole request body."""
        try:
            document = json.loads(self.delivery.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def type(self) -> str:
        return str(self.document.get("event_type", ""))

    @property
    def body(self) -> Json:
        body = self.document.get("event")
        return body if isinstance(body, dict) else {}

    @property
    def timestamp(self) -> datetime:
        return datetime.fromisoformat(self.document["event_timestamp"])

    @property
    def about(self) -> str:
        """The id of the flow or source that the event is about."""
        kind = self.type.partition("s/")[0]
        whole = self.body.get(kind)
        return str(whole.get("id", "") if isinstance(whole, dict) else self.body.get(f"{kind}_id", ""))

    def __str__(self) -> str:
        return f"{self.type} of {self.about}"


def without_repeats(events: Sequence[Event]) -> list[Event]:
    """Drop redeliveries: a server may repeat an event that it does not know to have arrived (DLV-11)."""
    return list({event.delivery.body: event for event in events}.values())


def single_event(events: Sequence[Event]) -> Event:
    """The only event in the list. Fails if there is none, or more than one."""
    assert len(events) == 1, f"expected one event, got {len(events)}: {', '.join(map(str, events))}"
    return events[0]
