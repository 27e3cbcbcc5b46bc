"""Clients that change a store continuously, and know exactly which events must be delivered as a result.

Each author makes one change after another to its own flow. An acknowledged change has happened, a rejected one has not.
If the response was lost, the author asks the store which of the two it was. So it knows the complete, ordered events of
each flow and each source.
"""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.faults.behaviours import Received

EVENTS = [
    *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added", "flows/segments_deleted"),
    *("sources/created", "sources/updated", "sources/deleted"),
]
_LOST_S = 120
"""Time for which an author tries to find out whether a change without a response took place."""

Event = tuple[str, Any]
"""The type of an event, and a value that distinguishes it from others of the same type and subject."""
History = dict[str, list[Event]]
"""Events in order, by the id of their flow or source."""


@dataclass(frozen=True, slots=True)
class Change:
    """A request that changes the store.

    events: (id of the flow or source, event) for each event it causes. took_place: asks the store whether it happened.
    apply: called after it has happened.
    """

    method: str
    path: str
    body: Any
    events: Sequence[tuple[str, Event]]
    took_place: Callable[[httpx.Client], bool]
    apply: Callable[[], None] = lambda: None


@dataclass
class _FlowState:
    """The author's current flow. It has segments of one second each, from `first` to `next` (exclusive)."""

    document: Json = field(default_factory=flow)
    exists: bool = False
    label: str | None = None
    first: int = 0
    next: int = 0

    @property
    def id(self) -> str:
        id_: str = self.document["id"]
        return id_

    @property
    def source_id(self) -> str:
        id_: str = self.document["source_id"]
        return id_

    @property
    def path(self) -> str:
        return f"/flows/{self.id}"


class Author(threading.Thread):
    """A client that changes the store at random.

    history: the events expected. errors: unexpected responses. acknowledged, rejected, unanswered: numbers of requests.
    """

    def __init__(self, http: httpx.Client, pause_s: float) -> None:
        super().__init__(name="author", daemon=True)
        self.history: History = defaultdict(list)
        self.errors: list[str] = []
        self.acknowledged = self.rejected = self.unanswered = 0
        self._http = http
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._flow = _FlowState()
        self._deleted: list[str] = []

    def stop(self) -> None:
        """Finish the current change and stop."""
        self._stopping.set()
        self.join(2 * _LOST_S)

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                if random.random() < 0.2 and self._flow.exists:
                    self._send_invalid_request()
                else:
                    self._perform(self._choose())
                self._stopping.wait(random.uniform(0, self._pause_s))
        except Exception as error:
            self.errors.append(repr(error))

    def check_store(self, http: httpx.Client) -> None:
        """Assert that the store matches the history."""
        for flow_id in self._deleted:
            assert http.get(f"/flows/{flow_id}").status_code == 404
        if self._flow.exists:
            assert _read(http, self._flow.path).get("label") == self._flow.label
            assert _starts(http, self._flow.path) == list(range(self._flow.first, self._flow.next))

    def _perform(self, change: Change) -> None:
        try:
            response = self._http.request(change.method, change.path, json=change.body)
        except httpx.TransportError:
            self.unanswered += 1
            took_place = self._find_out(change)
        else:
            took_place = response.is_success
            self.acknowledged += took_place
            if not took_place and response.status_code != 503:
                self.errors.append(f"{change.method} {change.path}: {response.status_code} {response.text[:300]}")
        if took_place:
            for subject, event in change.events:
                self.history[subject].append(event)
            change.apply()

    def _find_out(self, change: Change) -> bool:
        """Wait for the server, and return whether a change that got no response took place."""
        for _ in range(_LOST_S * 20):
            try:
                return change.took_place(self._http)
            except (httpx.TransportError, httpx.HTTPStatusError):
                threading.Event().wait(0.05)
        raise RuntimeError("the server did not recover")

    def _send_invalid_request(self) -> None:
        """Send a request that must be rejected. If no response arrives, it must not have taken place either."""
        now = self._flow
        attempts = [
            ("PUT", f"{now.path}/label", 5),
            ("PUT", now.path, {**now.document, "format": "urn:x-nmos:format:audio", "label": "never"}),
            ("POST", f"{now.path}/segments", {"object_id": fresh(), "timerange": f"[{now.next}:0_{now.next + 1}:0)"}),
        ]
        if now.first < now.next:
            attempts.append(("POST", f"{now.path}/segments", _segment(now.first)))
        method, path, body = random.choice(attempts)
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError:
            return
        self.rejected += 1
        if response.status_code not in (400, 503):
            self.errors.append(f"{method} {path} was not rejected: {response.status_code}")

    def _choose(self) -> Change:
        if not self._flow.exists:
            return self._create()
        choices = [self._label, self._source_label, self._register, self._register, self._register_in_part]
        if self._flow.next - self._flow.first > 3:
            choices += [self._delete_segments]
        if random.random() < 0.05:
            return self._delete_flow()
        return random.choice(choices)()

    def _create(self) -> Change:
        now = self._flow

        def apply() -> None:
            now.exists = True

        events = [(now.source_id, ("sources/created", None)), (now.id, ("flows/created", None))]
        return Change("PUT", now.path, now.document, events, lambda http: _exists(http, now.path), apply)

    def _label(self) -> Change:
        now, label = self._flow, fresh()

        def apply() -> None:
            now.label = label

        events = [(now.id, ("flows/updated", label))]
        return Change(
            "PUT", f"{now.path}/label", label, events, lambda http: _read(http, now.path).get("label") == label, apply
        )

    def _source_label(self) -> Change:
        now, label = self._flow, fresh()
        path = f"/sources/{now.source_id}"
        events = [(now.source_id, ("sources/updated", label))]
        return Change("PUT", f"{path}/label", label, events, lambda http: _read(http, path).get("label") == label)

    def _register(self) -> Change:
        count = random.choice((1, 1, 5))
        segments = [_segment(self._flow.next + n) for n in range(count)]
        return self._registration(segments, segments)

    def _register_in_part(self) -> Change:
        """Register a list whose middle item must be rejected, because it overlaps the first."""
        first, second = _segment(self._flow.next), _segment(self._flow.next + 1)
        return self._registration([first, {**_segment(self._flow.next), "object_id": fresh()}, second], [first, second])

    def _registration(self, body: list[Json], good: list[Json]) -> Change:
        now = self._flow

        def apply() -> None:
            now.next += len(good)

        events = [(now.id, ("flows/segments_added", [segment["object_id"] for segment in good]))]
        last = now.next + len(good) - 1
        sent = body if len(body) > 1 else body[0]
        return Change("POST", f"{now.path}/segments", sent, events, lambda http: last in _starts(http, now.path), apply)

    def _delete_segments(self) -> Change:
        now = self._flow
        until = random.randrange(now.first + 1, now.next)
        timerange = f"[{now.first}:0_{until}:0)"

        def apply() -> None:
            now.first = until

        events = [(now.id, ("flows/segments_deleted", timerange))]
        path = f"{now.path}/segments?timerange={timerange}"
        return Change("DELETE", path, None, events, lambda http: until - 1 not in _starts(http, now.path), apply)

    def _delete_flow(self) -> Change:
        now = self._flow

        def apply() -> None:
            self._deleted.append(now.id)
            self._flow = _FlowState()

        deletion = (
            [(now.id, ("flows/segments_deleted", f"[{now.first}:0_{now.next}:0)"))] if now.first < now.next else []
        )
        events = [*deletion, (now.id, ("flows/deleted", None)), (now.source_id, ("sources/deleted", None))]
        return Change("DELETE", now.path, None, events, lambda http: not _exists(http, now.path), apply)


def _segment(second: int) -> Json:
    object_id = fresh()
    url = {"url": f"https://media.example.com/{object_id}", "label": "elsewhere"}
    return {"object_id": object_id, "timerange": f"[{second}:0_{second + 1}:0)", "get_urls": [url]}


def _exists(http: httpx.Client, path: str) -> bool:
    response = http.get(path)
    if response.status_code != 404:
        response.raise_for_status()
    return response.status_code == 200


def _read(http: httpx.Client, path: str) -> Json:
    document: Json = http.get(path).raise_for_status().json()
    return document


def _starts(http: httpx.Client, path: str) -> list[int]:
    """Return the start of each segment of the flow, in seconds."""
    response = http.get(f"{path}/segments", params={"limit": 1000}).raise_for_status()
    found = list(response.json())
    while "next" in response.links:
        response = http.get(response.links["next"]["url"]).raise_for_status()
        found += response.json()
    return [int(segment["timerange"][1:].partition(":")[0]) for segment in found]


DELIVERY_ID = "tams-delivery-id"


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


def _event_of(message: Json) -> tuple[str, Event]:
    """Return the id of the flow or source that a message is about, and the event."""
    type_, event = message["event_type"], message["event"]
    if type_ in ("flows/updated", "sources/updated"):
        document = event[type_.partition("s/")[0]]
        return document["id"], (type_, document.get("label"))
    if type_ in ("flows/created", "sources/created"):
        return event[type_.partition("s/")[0]]["id"], (type_, None)
    if type_ == "flows/segments_added":
        return event["flow_id"], (type_, [segment["object_id"] for segment in event["segments"]])
    if type_ == "flows/segments_deleted":
        return event["flow_id"], (type_, event["timerange"])
    return event["flow_id" if type_ == "flows/deleted" else "source_id"], (type_, None)
