"""Webhooks: registered for the sake of their documents, or with an inbox of the kit's receiver to send to."""

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
ELSEWHERE = "https://example.com"
"""Where webhooks lead that send nothing: a name with a public address, as far as names can be looked up."""
READ_ONLY = ("error",)
"""Members of a webhook's document that a client does not send back."""


def webhook(**members: Any) -> Json:
    """What to register: a webhook that sends nothing, with a fresh URL; a member given as None is left out."""
    document = {"url": f"{ELSEWHERE}/{fresh_name()}", "events": ["flows/created"], "status": "disabled", **members}
    return {name: value for name, value in document.items() if value is not None}


def path_of(document: Json) -> str:
    return f"{LISTING}/{document['id']}"


def need_webhooks(tams: TamsClient) -> None:
    """Skip where the server has none."""
    if tams.get(LISTING).status_code == 404:
        not_implemented("webhooks")


def post_webhook(tams: TamsClient, body: Any) -> httpx.Response:
    """Try to register a webhook, deleted when the test is over; skips where the server has none."""
    answer = tams.post(LISTING, body)
    if answer.status_code == 404:
        not_implemented("webhooks")
    if answer.status_code == 201:
        tams.remember_at(path_of(answer.json()))
    return answer


def make_webhook(tams: TamsClient, **members: Any) -> Json:
    """Register a webhook (one that sends nothing, unless told otherwise); what the server answers."""
    with preparing("a webhook"):
        answer = post_webhook(tams, webhook(**members))
        assert answer.status_code == 201, answer.text
        document: Json = answer.json()
    return document


def read_webhook(tams: TamsClient, document: Json) -> Json:
    """The webhook as it is now."""
    answer = tams.get(path_of(document))
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def put_webhook(tams: TamsClient, document: Json, **members: Any) -> httpx.Response:
    """Try to replace a webhook by what it was with other members, those given as None left out."""
    status = "disabled" if document["status"] == "disabled" else "created"
    changed = {**document, "status": status, **members}
    body = {name: value for name, value in changed.items() if value is not None and name not in READ_ONLY}
    return tams.put(path_of(document), body)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that sends to `inbox`. document: as the server answered it; patience_s: how long to wait for events."""

    document: Json
    inbox: Inbox
    patience_s: float
    _known: dict[int, Event] = field(default_factory=dict)

    def events(self, *types: str, about: str | None = None) -> list[Event]:
        """What has come, of these types (any, where none are named) and about this flow or source (or any). Fails where
        one of them is not as the specification describes it."""
        found = self._found(types, about)
        for event in found:
            event.check()
        return found

    def seen(self) -> list[tuple[str, str]]:
        """Type and subject of everything that has come, whatever else is in it."""
        return [(event.type, event.about) for event in self._found((), None)]

    def hears(self, look: Callable[[], Found], timeout_s: float | None = None) -> Found:
        """Call `look` whenever an event comes, until it gives something true or patience ends; what it gave last."""
        return self.inbox.hears(lambda _: look(), self.patience_s if timeout_s is None else timeout_s)

    def has(self, count: int, *types: str, about: str | None = None) -> bool:
        """Whether so many events of these types about this flow or source have come."""
        return len(self._found(types, about)) >= count

    def gets(self, count: int, *types: str, about: str | None = None) -> bool:
        """Wait for that many events of these types about this flow or source; whether they came."""
        return self.hears(lambda: self.has(count, *types, about=about))

    def wait_for(self, type_: str, about: str, holds: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first event of this type, about this flow or source, of which something holds. Fails without one."""
        found = self.hears(lambda: next(filter(holds, self.events(type_, about=about)), None))
        assert found, f"not within {self.patience_s:g} s: {type_} of {about} as expected. {self.told()}"
        return found

    def told(self) -> str:
        """What has come, for the message of a failure."""
        came = self.inbox.came()
        return f"{len(came)} events came" + "".join(f"\n{each.body[:500].decode(errors='replace')}" for each in came)

    def _found(self, types: Sequence[str], about: str | None) -> list[Event]:
        events = (self._known.setdefault(number, Event(each)) for number, each in enumerate(self.inbox.came()))
        return [each for each in events if (not types or each.type in types) and about in (None, each.about)]


class Hooks:
    """Makes webhooks that send to a receiver."""

    def __init__(self, tams: TamsClient, receiver: Receiver, patience_s: float) -> None:
        self._tams = tams
        self._receiver = receiver
        self.patience_s = patience_s

    def make(self, *events: str, inbox: Inbox | None = None, **options: Any) -> Hook:
        """Register one for these events (for all of them, where none are named), to an inbox of its own."""
        inbox = inbox or self._receiver.inbox()
        document = make_webhook(self._tams, url=inbox.url, events=list(events or ALL), status=None, **options)
        return Hook(document, inbox, self.patience_s)

    def try_to_make(self, events: Sequence[str], **options: Any) -> Hook | None:
        """The same for exactly these events; None where the server refuses the options, as it may (HOOK-POST-04)."""
        inbox = self._receiver.inbox()
        answer = post_webhook(self._tams, webhook(url=inbox.url, events=list(events), status=None, **options))
        if answer.status_code == 400:
            return None
        with preparing("a webhook"):
            assert answer.status_code == 201, answer.text
        return Hook(answer.json(), inbox, self.patience_s)

    def inbox(self) -> Inbox:
        return self._receiver.inbox()


def each_hears(looks: Iterable[tuple[Hook, Callable[[], object]]]) -> None:
    """Wait until the look of each webhook gives something true, or patience ends, which begins for all of them now."""
    began = time.monotonic()
    for hook, look in looks:
        hook.hears(look, began + hook.patience_s - time.monotonic())


def mark(tams: TamsClient, source_id: str, *hooks: Hook) -> None:
    """Change the source, and wait until each of the webhooks has told of that: by then it has sent what came before.

    Each must be one for "sources/updated" of this source.
    """
    label = fresh_name("mark")
    with preparing("a change of a source"):
        assert tams.put(f"/sources/{source_id}/label", label).status_code == 204
    for hook in hooks:
        hook.wait_for(SOURCE_UPDATED, source_id, lambda event: event.body["source"].get("label") == label)
