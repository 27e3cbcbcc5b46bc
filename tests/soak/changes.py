"""The changes that an author makes, each with the events it causes and a way to find out whether it took place."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.faults.history import Event
from tests.soak.books import Books, FlowState, Segment, elsewhere
from tests.soak.reading import document_at, exists, listed, seconds

DELETION_THRESHOLD = 12
"""Segments above which the servers under test delete in the background (TAMS_ASYNC_DELETION_THRESHOLD)."""
_WEBHOOKS = "/service/webhooks"
_MAX_WEBHOOKS = 3
_MAX_SEGMENTS = 40


@dataclass(frozen=True, slots=True)
class Change:
    """A request that changes the store.

    events: (id of the flow or source, event) for each event it causes. took_place: asks the store whether it happened.
    apply: called after it has happened, with the response if there was one. repeatable: sending it again after it has
    taken place is rejected with 400, so that it takes place only once.
    """

    method: str
    path: str
    body: Any
    took_place: Callable[[httpx.Client], bool]
    events: Sequence[tuple[str, Event]] = ()
    apply: Callable[[httpx.Response | None, httpx.Client], None] = lambda _response, _http: None
    repeatable: bool = False


def choose(books: Books) -> Change:
    """A random change that must succeed."""
    now = books.flow
    if not now.exists:
        return _create(now)
    if len(now.segments) > _MAX_SEGMENTS:
        return _delete_segments(now)
    choices = [_label, _source_label, _tag, _register, _register, _register_in_part]
    if len(now.segments) > DELETION_THRESHOLD:
        choices.append(_delete_segments)
    if now.tags:
        choices.append(_delete_tag)
    if random.random() < 0.05:
        return delete_flow(books)
    if random.random() < 0.1:
        return _change_webhooks(books)
    return random.choice(choices)(now)


def registration(now: FlowState, segments: Sequence[Segment]) -> Change:
    """Register these segments, one second each, at the end of the flow."""
    bodies = [segment.body(now.next + n) for n, segment in enumerate(segments)]
    return _registration(now, bodies, segments)


def copy(now: FlowState, object_id: str, storage_id: str) -> Change:
    """Copy an object to a second storage backend. Without a response, the copy may still be made later."""
    path = f"/objects/{object_id}/instances"
    return Change(
        "POST",
        path,
        {"storage_id": storage_id},
        lambda http: len(document_at(http, f"/objects/{object_id}?presigned=true")["get_urls"]) > 1,
        apply=lambda _response, _http: now.copied.add(object_id),
        repeatable=True,
    )


def invalid(now: FlowState) -> tuple[str, str, Json | int]:
    """A request that must be rejected: method, path, body."""
    attempts: list[tuple[str, str, Any]] = [
        ("PUT", f"{now.path}/label", 5),
        ("PUT", now.path, {**now.document, "format": "urn:x-nmos:format:audio", "label": "never"}),
        ("POST", f"{now.path}/segments", {"object_id": fresh(), "timerange": f"[{now.next}:0_{now.next + 1}:0)"}),
    ]
    if now.segments:
        attempts.append(("POST", f"{now.path}/segments", elsewhere().body(now.first)))
    return random.choice(attempts)


def delete_flow(books: Books) -> Change:
    """Delete the flow with its source and segments; in the background if it has many."""
    now = books.flow

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        books.deleted.append((now.path, now.source_path))
        books.flow = FlowState()

    segments = [(now.id, ("flows/segments_deleted", f"[{now.first}:0_{now.next}:0)"))] if now.segments else []
    end = (now.id, ("flows/deleted", None))
    in_background = len(now.segments) > DELETION_THRESHOLD
    events = [end, *segments] if in_background else [*segments, end]
    events.append((now.source_id, ("sources/deleted", None)))
    return Change("DELETE", now.path, None, lambda http: not exists(http, now.path), events, apply)


def delete_webhook(books: Books) -> Change:
    path = random.choice(list(books.webhooks))

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        del books.webhooks[path]
        books.deleted_webhooks.append(path)

    return Change("DELETE", path, None, lambda http: not exists(http, path), apply=apply)


def _create(now: FlowState) -> Change:
    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.exists = True

    events = [(now.source_id, ("sources/created", None)), (now.id, ("flows/created", None))]
    return Change("PUT", now.path, now.document, lambda http: exists(http, now.path), events, apply)


def _updated(label: str | None, tags: dict[str, str]) -> Event:
    return "flows/updated", (label, json.dumps(tags, sort_keys=True))


def _label(now: FlowState) -> Change:
    label = fresh()

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.label = label

    return Change(
        "PUT",
        f"{now.path}/label",
        label,
        lambda http: document_at(http, now.path).get("label") == label,
        [(now.id, _updated(label, now.tags))],
        apply,
    )


def _tag(now: FlowState) -> Change:
    name, value = f"tag {random.randrange(3)}", fresh()

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.tags[name] = value

    return Change(
        "PUT",
        f"{now.path}/tags/{name}",
        value,
        lambda http: document_at(http, now.path).get("tags", {}).get(name) == value,
        [(now.id, _updated(now.label, {**now.tags, name: value}))],
        apply,
    )


def _delete_tag(now: FlowState) -> Change:
    name = random.choice(list(now.tags))

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        del now.tags[name]

    left = {other: value for other, value in now.tags.items() if other != name}
    return Change(
        "DELETE",
        f"{now.path}/tags/{name}",
        None,
        lambda http: name not in document_at(http, now.path).get("tags", {}),
        [(now.id, _updated(now.label, left))],
        apply,
    )


def _source_label(now: FlowState) -> Change:
    label = fresh()

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.source_label = label

    return Change(
        "PUT",
        f"{now.source_path}/label",
        label,
        lambda http: document_at(http, now.source_path).get("label") == label,
        [(now.source_id, ("sources/updated", (label, "{}")))],
        apply,
    )


def _register(now: FlowState) -> Change:
    return registration(now, [elsewhere() for _ in range(random.choice((1, 1, 5)))])


def _register_in_part(now: FlowState) -> Change:
    """Register a list whose middle item must be rejected, because it overlaps the first."""
    good = [elsewhere(), elsewhere()]
    first, second = (segment.body(now.next + n) for n, segment in enumerate(good))
    return _registration(now, [first, elsewhere().body(now.next), second], good)


def _registration(now: FlowState, bodies: list[Json], good: Sequence[Segment]) -> Change:
    start, last = now.next, now.next + len(good) - 1

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.segments |= {start + n: segment for n, segment in enumerate(good)}
        now.next = last + 1

    return Change(
        "POST",
        f"{now.path}/segments",
        bodies if len(bodies) > 1 else bodies[0],
        lambda http: last in seconds(http, now.path),
        [(now.id, ("flows/segments_added", [segment.object_id for segment in good]))],
        apply,
        repeatable=len(bodies) == len(good),
    )


def _delete_segments(now: FlowState) -> Change:
    until = random.randrange(now.first + 1, min(now.next, now.first + DELETION_THRESHOLD) + 1)
    timerange = f"[{now.first}:0_{until}:0)"

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        now.segments = {second: segment for second, segment in now.segments.items() if second >= until}

    return Change(
        "DELETE",
        f"{now.path}/segments?timerange={timerange}",
        None,
        lambda http: until - 1 not in seconds(http, now.path),
        [(now.id, ("flows/segments_deleted", timerange))],
        apply,
    )


def _change_webhooks(books: Books) -> Change:
    if len(books.webhooks) == _MAX_WEBHOOKS:
        return delete_webhook(books)
    return _replace_webhook(books) if books.webhooks and random.random() < 0.5 else _add_webhook(books)


def _add_webhook(books: Books) -> Change:
    document = {"url": f"https://example.com/{fresh_name()}", "events": ["flows/created"], "status": "disabled"}

    def mine(http: httpx.Client) -> list[Json]:
        return [each for each in listed(http, _WEBHOOKS) if each["url"] == document["url"]]

    def apply(response: httpx.Response | None, http: httpx.Client) -> None:
        id_ = (response.json() if response is not None else mine(http)[0])["id"]
        books.webhooks[f"{_WEBHOOKS}/{id_}"] = document

    return Change("POST", _WEBHOOKS, document, lambda http: bool(mine(http)), apply=apply)


def _replace_webhook(books: Books) -> Change:
    path = random.choice(list(books.webhooks))
    document = {**books.webhooks[path], "url": f"https://example.com/{fresh_name()}"}

    def apply(_response: httpx.Response | None, _http: httpx.Client) -> None:
        books.webhooks[path] = document

    return Change(
        "PUT",
        path,
        {**document, "id": path.rpartition("/")[2]},
        lambda http: document_at(http, path)["url"] == document["url"],
        apply=apply,
    )
