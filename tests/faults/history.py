"""Clients that change a store all the time, come what may, and know exactly which events must tell of it.

An author makes one change after another to a flow of its own. What was acknowledged has happened, what was refused has
not; where the answer was lost, it asks the store which of the two it was. So the events of each flow and of each
source are known to the last one, in order.
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
from tests.faults.receivers import Received

EVENTS = [
    *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added", "flows/segments_deleted"),
    *("sources/created", "sources/updated", "sources/deleted"),
]
_LOST_S = 120
"""How long an author tries to find out what became of a change."""

Told = tuple[str, Any]
"""The type of an event, and what tells it from others of its type and subject."""
History = dict[str, list[Told]]
"""Events in order, by the id of the flow or source."""


@dataclass(frozen=True, slots=True)
class Change:
    """events: (id of the flow or source, event) of what is told of it. took_place: asks the store; apply: is called
    once it has taken place."""

    method: str
    path: str
    body: Any
    events: Sequence[tuple[str, Told]]
    took_place: Callable[[httpx.Client], bool]
    apply: Callable[[], None] = lambda: None


@dataclass
class _State:
    """What the author knows of its present flow: segments of a second each, from `first` up to before `next`."""

    document: Json = field(default_factory=flow)
    made: bool = False
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
    """history: what must have been told. wrong: answers that should not have come. lost: changes without an answer."""

    def __init__(self, http: httpx.Client, pause_s: float) -> None:
        super().__init__(name="author", daemon=True)
        self.history: History = defaultdict(list)
        self.wrong: list[str] = []
        self.acknowledged = self.refused = self.lost = 0
        self._http = http
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._now = _State()
        self._gone: list[str] = []

    def end(self) -> None:
        """Finish the present change, and wait for that."""
        self._ending.set()
        self.join(2 * _LOST_S)

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                if random.random() < 0.2 and self._now.made:
                    self._try_in_vain()
                else:
                    self._make(self._next())
                self._ending.wait(random.uniform(0, self._pause_s))
        except Exception as error:
            self.wrong.append(repr(error))

    def check_store(self, http: httpx.Client) -> None:
        """The store is as the history says."""
        for flow_id in self._gone:
            assert http.get(f"/flows/{flow_id}").status_code == 404
        if self._now.made:
            assert _read(http, self._now.path).get("label") == self._now.label
            assert _starts(http, self._now.path) == list(range(self._now.first, self._now.next))

    def _make(self, change: Change) -> None:
        try:
            answer = self._http.request(change.method, change.path, json=change.body)
        except httpx.TransportError:
            self.lost += 1
            took_place = self._ask(change)
        else:
            took_place = answer.is_success
            self.acknowledged += took_place
            if not took_place and answer.status_code != 503:
                self.wrong.append(f"{change.method} {change.path}: {answer.status_code} {answer.text[:300]}")
        if took_place:
            for subject, told in change.events:
                self.history[subject].append(told)
            change.apply()

    def _ask(self, change: Change) -> bool:
        """Whether a change has taken place to which no answer came, once the server is there again."""
        for _ in range(_LOST_S * 20):
            try:
                return change.took_place(self._http)
            except (httpx.TransportError, httpx.HTTPStatusError):
                threading.Event().wait(0.05)
        raise RuntimeError("the server did not come back")

    def _try_in_vain(self) -> None:
        """A change that must be refused; where no answer comes it must not have taken place either."""
        now = self._now
        attempts = [
            ("PUT", f"{now.path}/label", 5),
            ("PUT", now.path, {**now.document, "format": "urn:x-nmos:format:audio", "label": "never"}),
            ("POST", f"{now.path}/segments", {"object_id": fresh(), "timerange": f"[{now.next}:0_{now.next + 1}:0)"}),
        ]
        if now.first < now.next:
            attempts.append(("POST", f"{now.path}/segments", _segment(now.first)))
        method, path, body = random.choice(attempts)
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.TransportError:
            return
        self.refused += 1
        if answer.status_code not in (400, 503):
            self.wrong.append(f"{method} {path} was not refused: {answer.status_code}")

    def _next(self) -> Change:
        if not self._now.made:
            return self._create()
        choices = [self._label, self._source_label, self._register, self._register, self._register_in_part]
        if self._now.next - self._now.first > 3:
            choices += [self._delete_segments]
        if random.random() < 0.05:
            return self._delete_flow()
        return random.choice(choices)()

    def _create(self) -> Change:
        now = self._now

        def apply() -> None:
            now.made = True

        told = [(now.source_id, ("sources/created", None)), (now.id, ("flows/created", None))]
        return Change("PUT", now.path, now.document, told, lambda http: _there(http, now.path), apply)

    def _label(self) -> Change:
        now, label = self._now, fresh()

        def apply() -> None:
            now.label = label

        told = [(now.id, ("flows/updated", label))]
        return Change(
            "PUT", f"{now.path}/label", label, told, lambda http: _read(http, now.path).get("label") == label, apply
        )

    def _source_label(self) -> Change:
        now, label = self._now, fresh()
        path = f"/sources/{now.source_id}"
        told = [(now.source_id, ("sources/updated", label))]
        return Change("PUT", f"{path}/label", label, told, lambda http: _read(http, path).get("label") == label)

    def _register(self) -> Change:
        count = random.choice((1, 1, 5))
        segments = [_segment(self._now.next + n) for n in range(count)]
        return self._registration(segments, segments)

    def _register_in_part(self) -> Change:
        """One request, of which an item in the middle is refused, since it overlaps the first."""
        first, second = _segment(self._now.next), _segment(self._now.next + 1)
        return self._registration([first, {**_segment(self._now.next), "object_id": fresh()}, second], [first, second])

    def _registration(self, body: list[Json], good: list[Json]) -> Change:
        now = self._now

        def apply() -> None:
            now.next += len(good)

        told = [(now.id, ("flows/segments_added", [segment["object_id"] for segment in good]))]
        last = now.next + len(good) - 1
        sent = body if len(body) > 1 else body[0]
        return Change("POST", f"{now.path}/segments", sent, told, lambda http: last in _starts(http, now.path), apply)

    def _delete_segments(self) -> Change:
        now = self._now
        until = random.randrange(now.first + 1, now.next)
        timerange = f"[{now.first}:0_{until}:0)"

        def apply() -> None:
            now.first = until

        told = [(now.id, ("flows/segments_deleted", timerange))]
        path = f"{now.path}/segments?timerange={timerange}"
        return Change("DELETE", path, None, told, lambda http: until - 1 not in _starts(http, now.path), apply)

    def _delete_flow(self) -> Change:
        now = self._now

        def apply() -> None:
            self._gone.append(now.id)
            self._now = _State()

        left = [(now.id, ("flows/segments_deleted", f"[{now.first}:0_{now.next}:0)"))] if now.first < now.next else []
        told = [*left, (now.id, ("flows/deleted", None)), (now.source_id, ("sources/deleted", None))]
        return Change("DELETE", now.path, None, told, lambda http: not _there(http, now.path), apply)


def _segment(second: int) -> Json:
    object_id = fresh()
    url = {"url": f"https://media.example.com/{object_id}", "label": "elsewhere"}
    return {"object_id": object_id, "timerange": f"[{second}:0_{second + 1}:0)", "get_urls": [url]}


def _there(http: httpx.Client, path: str) -> bool:
    answer = http.get(path)
    if answer.status_code != 404:
        answer.raise_for_status()
    return answer.status_code == 200


def _read(http: httpx.Client, path: str) -> Json:
    document: Json = http.get(path).raise_for_status().json()
    return document


def _starts(http: httpx.Client, path: str) -> list[int]:
    """The seconds at which the flow has segments."""
    answer = http.get(f"{path}/segments", params={"limit": 1000}).raise_for_status()
    found = list(answer.json())
    while "next" in answer.links:
        answer = http.get(answer.links["next"]["url"]).raise_for_status()
        found += answer.json()
    return [int(segment["timerange"][1:].partition(":")[0]) for segment in found]


DELIVERY_ID = "tams-delivery-id"


def distinct(received: Iterable[Received]) -> list[Received]:
    """The first arrival of each delivery, in order."""
    return list({request.headers[DELIVERY_ID]: request for request in reversed(list(received))}.values())[::-1]


def told(received: Iterable[Received]) -> History:
    """What deliveries tell, each counted once, in the order in which it first came."""
    history: History = defaultdict(list)
    for request in distinct(received):
        subject, event = _told(request.json)
        history[subject].append(event)
    return history


def _told(message: Json) -> tuple[str, Told]:
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
