"""Faults in the delivery of events, to be inserted between the worker and the receiver."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from tests.conformance.kit.documents import Json
from tests.conformance.kit.receiver import Delivery, Reply

Forward = Callable[[Delivery], Reply]
DeliveryFault = Callable[[Delivery, Forward], Reply]
Matches = Callable[[Json], bool]


def of_types(*types: str) -> Matches:
    """Events of these types."""
    return lambda document: document["event_type"] in types


def deliver_unchanged(delivery: Delivery, forward: Forward) -> Reply:
    return forward(delivery)


def change_body(matches: Matches, change: Callable[[Json], Json]) -> DeliveryFault:
    """Change the body of matching events."""

    def deliver(delivery: Delivery, forward: Forward) -> Reply:
        document = json.loads(delivery.body)
        return forward(_with(delivery, change(document)) if matches(document) else delivery)

    return deliver


def add_event(matches: Matches, change: Callable[[Json], Json]) -> DeliveryFault:
    """After each matching event, send another one made from it."""

    def deliver(delivery: Delivery, forward: Forward) -> Reply:
        document = json.loads(delivery.body)
        reply = forward(delivery)
        return forward(_with(delivery, change(document))) if matches(document) else reply

    return deliver


def lose(matches: Matches) -> DeliveryFault:
    """Drop matching events, but report their delivery as successful."""

    def deliver(delivery: Delivery, forward: Forward) -> Reply:
        return Reply() if matches(json.loads(delivery.body)) else forward(delivery)

    return deliver


def change_headers(changes: Mapping[str, str | None]) -> DeliveryFault:
    """Set these headers, and remove those given as None."""

    def deliver(delivery: Delivery, forward: Forward) -> Reply:
        headers = {**delivery.headers, **{name.lower(): value for name, value in changes.items()}}
        kept = httpx.Headers({name: value for name, value in headers.items() if value is not None})
        return forward(replace(delivery, headers=kept))

    return deliver


def report_success(delivery: Delivery, forward: Forward) -> Reply:
    """Report every delivery as successful, so that none is retried."""
    forward(delivery)
    return Reply()


def follow_redirect(delivery: Delivery, forward: Forward) -> Reply:
    """Follow redirects, which a server must not."""
    reply = forward(delivery)
    if 300 <= reply.status < 400:
        httpx.post(reply.headers["location"], content=delivery.body, headers={"Content-Type": "application/json"})
    return reply


def change_event(change: Callable[[Any], Any]) -> Callable[[Json], Json]:
    """A change of the member `event` of a body."""
    return lambda document: {**document, "event": change(document["event"])}


def _with(delivery: Delivery, document: Json) -> Delivery:
    return replace(delivery, body=json.dumps(document).encode())
