"""What may happen to an event on its way to the receiver, made to be put together into faults."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from tests.conformance.kit.documents import Json
from tests.conformance.kit.receiver import Delivery, Reply

Forward = Callable[[Delivery], Reply]
OnTheWay = Callable[[Delivery, Forward], Reply]
Matches = Callable[[Json], bool]


def of(*types: str) -> Matches:
    """Events of these types."""
    return lambda document: document["event_type"] in types


def straight_on(delivery: Delivery, forward: Forward) -> Reply:
    return forward(delivery)


def telling(matches: Matches, change: Callable[[Json], Json]) -> OnTheWay:
    """Another body of the events that match."""

    def spoil(delivery: Delivery, forward: Forward) -> Reply:
        document = json.loads(delivery.body)
        return forward(_with(delivery, change(document)) if matches(document) else delivery)

    return spoil


def telling_also(matches: Matches, change: Callable[[Json], Json]) -> OnTheWay:
    """After an event that matches, another one made of it."""

    def spoil(delivery: Delivery, forward: Forward) -> Reply:
        document = json.loads(delivery.body)
        reply = forward(delivery)
        return forward(_with(delivery, change(document))) if matches(document) else reply

    return spoil


def losing(matches: Matches) -> OnTheWay:
    """Events that match do not arrive, though the server believes that they did."""

    def spoil(delivery: Delivery, forward: Forward) -> Reply:
        return Reply() if matches(json.loads(delivery.body)) else forward(delivery)

    return spoil


def with_headers(changes: Mapping[str, str | None]) -> OnTheWay:
    """With these headers, and without those that are None."""

    def spoil(delivery: Delivery, forward: Forward) -> Reply:
        headers = {**delivery.headers, **{name.lower(): value for name, value in changes.items()}}
        kept = httpx.Headers({name: value for name, value in headers.items() if value is not None})
        return forward(replace(delivery, headers=kept))

    return spoil


def never_again(delivery: Delivery, forward: Forward) -> Reply:
    """The server takes every answer for a good one."""
    forward(delivery)
    return Reply()


def led_on(delivery: Delivery, forward: Forward) -> Reply:
    """Redirects are followed."""
    reply = forward(delivery)
    if 300 <= reply.status < 400:
        httpx.post(reply.headers["location"], content=delivery.body, headers={"Content-Type": "application/json"})
    return reply


def event(change: Callable[[Any], Any]) -> Callable[[Json], Json]:
    """Another member `event`."""
    return lambda document: {**document, "event": change(document["event"])}


def _with(delivery: Delivery, document: Json) -> Delivery:
    return replace(delivery, body=json.dumps(document).encode())
