"""The events that webhooks have delivered, as the ordered history of each flow and source."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json
from tests.faults.behaviours import Received

EVENTS = [
    *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added", "flows/segments_deleted"),
    *("sources/created", "sources/updated", "sources/deleted"),
]
DELIVERY_ID = "tams-delivery-id"

Event = tuple[str, Any]
"""The type of an event, and a value that distinguishes it from others of the same type and subject."""
History = dict[str, list[Event]]
"""Events in order, by the id of their flow or source."""


def distinct(received: Iterable[Received]) -> list[Received]:
    """Return the first request of each delivery, in order."""
    return list({request.headers[DELIVERY_ID]: request for request in reversed(list(received))}.values())[::-1]


def delivered_events(received: Iterable[Received]) -> History:
    """Return the events of deliveries, without repeats, in the order of their first arrival."""
    history: History = defaultdict(list)
    for request in distinct(received):
        subject, event = _event_of(request.json)
        history[subject].append(event)
    return history


def updated(document: Json) -> Any:
    """What distinguishes an update of a flow or source from others: its label and tags."""
    return document.get("label"), json.dumps(document.get("tags") or {}, sort_keys=True)


def joined(events: Iterable[Event]) -> list[Event]:
    """The events, with adjacent deletions of adjacent timeranges as one: a large deletion is made in batches."""
    found: list[Event] = []
    for type_, value in events:
        if type_ == "flows/segments_deleted" and found and found[-1][0] == type_:
            first, second = parse_timerange(found[-1][1]), parse_timerange(value)
            if first.end == second.start:
                found[-1] = type_, f"{found[-1][1].partition('_')[0]}_{value.partition('_')[2]}"
                continue
        found.append((type_, value))
    return found


def _event_of(message: Json) -> tuple[str, Event]:
    """Return the id of the flow or source that a message is about, and the event."""
    type_, event = message["event_type"], message["event"]
    if type_ in ("flows/updated", "sources/updated"):
        document = event[type_.partition("s/")[0]]
        return document["id"], (type_, updated(document))
    if type_ in ("flows/created", "sources/created"):
        return event[type_.partition("s/")[0]]["id"], (type_, None)
    if type_ == "flows/segments_added":
        return event["flow_id"], (type_, [segment["object_id"] for segment in event["segments"]])
    if type_ == "flows/segments_deleted":
        return event["flow_id"], (type_, event["timerange"])
    return event["flow_id" if type_ == "flows/deleted" else "source_id"], (type_, None)
