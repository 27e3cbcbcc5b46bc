"""Events as they arrive: each held against the specification's `webhooks`, and what it is about."""

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
"""The events of flows, and of their segments."""
OF_SOURCES = (SOURCE_CREATED, SOURCE_UPDATED, SOURCE_DELETED)
ALL = OF_FLOWS + OF_SOURCES


@dataclass(frozen=True)
class Event:
    """delivery: the request that brought it. What is missing or malformed is empty here, and found by `check`."""

    delivery: Delivery

    def check(self) -> None:
        """Fail where the request is not as the specification describes it."""
        check_event(self.delivery.method, self.delivery.headers.get("content-type", ""), self.delivery.body)

    @cached_property
    def document(self) -> Json:
        """The whole body."""
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
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.document["event_timestamp"])

    @property
    def about(self) -> str:
        """The id of the flow, or of the source."""
        kind = self.type.partition("s/")[0]
        whole = self.body.get(kind)
        return str(whole.get("id", "") if isinstance(whole, dict) else self.body.get(f"{kind}_id", ""))

    def __str__(self) -> str:
        return f"{self.type} of {self.about}"


def distinct(events: Sequence[Event]) -> list[Event]:
    """Without those that came again: a server may send what it does not know to have arrived (DLV-11)."""
    return list({event.delivery.body: event for event in events}.values())


def only(events: Sequence[Event]) -> Event:
    """The one event that there is. Fails where there is none, or another one."""
    assert len(events) == 1, f"{len(events)} events instead of one: {', '.join(map(str, events))}"
    return events[0]
