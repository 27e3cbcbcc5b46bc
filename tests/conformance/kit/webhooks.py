"""Webhooks: disabled ones for tests of their documents, and ones that send to the kit's receiver."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.events import ALL, SOURCE_UPDATED, Event
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.preparation import preparing
from tests.conformance.kit.receiver import Found, Inbox, Receiver
from tests.conformance.kit.skips import not_implemented

LISTING = "/service/webhooks"
UNUSED_ORIGIN = "https://example.com"
"""The origin of webhooks that send nothing: a public name, for servers that resolve it at registration."""
READ_ONLY = ("error",)
"""Members of a webhook's document that a client does not send back."""


def webhook(**members: Any) -> Json:
    """The document of a disabled webhook with a fresh URL. Members given as None are left out."""
    document = {"url": f"{UNUSED_ORIGIN}/{fresh_name()}", "events": ["flows/created"], "status": "disabled", **members}
    return {name: value for name, value in document.items() if value is not None}


def path_of(document: Json) -> str:
    return f"{LISTING}/{document['id']}"


def require_webhooks(tams: TamsClient) -> None:
    """Skip if the server has no webhooks."""
    if tams.get(LISTING).status_code == 404:
        not_implemented("webhooks")


def post_webhook(tams: TamsClient, body: Any) -> httpx.Response:
    """Try to register a webhook, which is deleted when the test ends. Skips if the server has no webhooks."""
    response = tams.post(LISTING, body)
    if response.status_code == 404:
        not_implemented("webhooks")
    if response.status_code == 201:
        tams.delete_path_later(path_of(response.json()))
    return response


def make_webhook(tams: TamsClient, **members: Any) -> Json:
    """Register a webhook (disabled by default), and return the document from the server."""
    with preparing("a webhook"):
        response = post_webhook(tams, webhook(**members))
        assert response.status_code == 201, response.text
        document: Json = response.json()
    return document


def read_webhook(tams: TamsClient, document: Json) -> Json:
    """The current document of the webhook."""
    response = tams.get(path_of(document))
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def put_webhook(tams: TamsClient, document: Json, **members: Any) -> httpx.Response:
    """Try to replace a webhook by its document with some members changed, or left out if given as None."""
    status = "disabled" if document["status"] == "disabled" else "created"
    changed = {**document, "status": status, **members}
    body = {name: value for name, value in changed.items() if value is not None and name not in READ_ONLY}
    return tams.put(path_of(document), body)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that sends to `inbox`. document: as returned by the server. timeout_s: seconds to wait for events."""

    document: Json
    inbox: Inbox
    timeout_s: float
    _known: dict[int, Event] = field(default_factory=dict)

    def events(self, *types: str, about: str | None = None) -> list[Event]:
        """The events received so far, optionally only those of these types, or about this flow or source.

        Fails if one of them does not match the specification.
        """
        found = self._found(types, about)
        for event in found:
            event.check()
        return found

    def received(self) -> list[tuple[str, str]]:
        """The type and subject of each event received so far, without validating it."""
        return [(event.type, event.about) for event in self._found((), None)]

    def wait_until(self, look: Callable[[], Found], timeout_s: float | None = None) -> Found:
        """Call `look` after each event until it returns a true value or the timeout expires, and return its result."""
        return self.inbox.wait_until(lambda _: look(), self.timeout_s if timeout_s is None else timeout_s)

    def has_received(self, count: int, *types: str, about: str | None = None) -> bool:
        """Whether at least `count` such events have been received."""
        return len(self._found(types, about)) >= count

    def receives(self, count: int, *types: str, about: str | None = None) -> bool:
        """Wait for `count` such events. Returns whether they were received within the timeout."""
        return self.wait_until(lambda: self.has_received(count, *types, about=about))

    def wait_for(self, type_: str, about: str, holds: Callable[[Event], bool] = lambda _: True) -> Event:
        """Wait for the first event of this type about this flow or source for which `holds` is true, and return it."""
        found = self.wait_until(lambda: next(filter(holds, self.events(type_, about=about)), None))
        assert found, f"no matching {type_} of {about} within {self.timeout_s:g} s. {self.summary()}"
        return found

    def summary(self) -> str:
        """What has been received, for the message of a failure."""
        deliveries = self.inbox.deliveries()
        return f"{len(deliveries)} events were received" + "".join(
            f"\n{each.body[:500].decode(errors='replace')}" for each in deliveries
        )

    def _found(self, types: Sequence[str], about: str | None) -> list[Event]:
        events = (self._known.setdefault(number, Event(each)) for number, each in enumerate(self.inbox.deliveries()))
        return [each for each in events if (not types or each.type in types) and about in (None, each.about)]


class Hooks:
    """A factory of webhooks that send to a receiver."""

    def __init__(self, tams: TamsClient, receiver: Receiver, timeout_s: float) -> None:
        self._tams = tams
        self._receiver = receiver
        self.timeout_s = timeout_s

    def make(self, *events: str, inbox: Inbox | None = None, **options: Any) -> Hook:
        """Register a webhook for these event types (all of them if none are named), by default with a new inbox."""
        inbox = inbox or self._receiver.inbox()
        document = make_webhook(self._tams, url=inbox.url, events=list(events or ALL), status=None, **options)
        return Hook(document, inbox, self.timeout_s)

    def make_if_supported(self, events: Sequence[str], **options: Any) -> Hook | None:
        """Register a webhook for exactly these event types. Returns None if the server rejects the options, as it may
        (HOOK-POST-04)."""
        inbox = self._receiver.inbox()
        response = post_webhook(self._tams, webhook(url=inbox.url, events=list(events), status=None, **options))
        if response.status_code == 400:
            return None
        with preparing("a webhook"):
            assert response.status_code == 201, response.text
        return Hook(response.json(), inbox, self.timeout_s)

    def inbox(self) -> Inbox:
        return self._receiver.inbox()


def wait_for_each(looks: Iterable[tuple[Hook, Callable[[], object]]]) -> None:
    """Wait until the `look` of each webhook returns a true value. The timeout starts for all of them now."""
    began = time.monotonic()
    for hook, look in looks:
        hook.wait_until(look, began + hook.timeout_s - time.monotonic())


def wait_for_marker(tams: TamsClient, source_id: str, *hooks: Hook) -> None:
    """Change the source, and wait until each webhook has sent that event: all earlier events have then been sent.

    Each webhook must be registered for "sources/updated" of this source.
    """
    label = fresh_name("mark")
    with preparing("a change of a source"):
        assert tams.put(f"/sources/{source_id}/label", label).status_code == 204
    for hook in hooks:
        hook.wait_for(SOURCE_UPDATED, source_id, lambda event: event.body["source"].get("label") == label)
