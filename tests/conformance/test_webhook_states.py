"""States of webhooks: disabling, failure, and restarting (HOOK-ST-*)."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.events import SOURCE_UPDATED
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.receiver import Receiver, Reply
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import LISTING, Hook, Hooks, put_webhook, read_webhook

ENDLESS = 1000
"""More replies than any server will request."""
BODY = b"what-a-receiver-says-is-not-for-the-users-of-the-service " * 40


def relabel(tams: TamsClient, source_id: str) -> str:
    """Give the source a new label, and return it."""
    label = fresh_name("label")
    assert tams.put(f"/sources/{source_id}/label", label).status_code == 204
    return label


def labels(hook: Hook) -> list[str]:
    return [event.body["source"].get("label") for event in hook.events(SOURCE_UPDATED)]


def receives_label(hook: Hook, label: str) -> bool:
    """Wait for the event of the change to this label, and return whether it was received."""
    return hook.wait_until(lambda: label in labels(hook))


def has_status(tams: TamsClient, hook: Hook, status: str) -> bool:
    return bool(read_webhook(tams, hook.document)["status"] == status)


# -- Stopped by a client


@dataclass(frozen=True, slots=True)
class Stopped:
    """A webhook that was disabled and restarted. meanwhile, later: labels given to a source while it was disabled, and
    after it was restarted. silent: it sent nothing before it was restarted."""

    hook: Hook
    meanwhile: str
    later: str
    silent: bool


@pytest.fixture(scope="module")
def stopped(
    http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None
) -> Iterator[dict[str, Stopped]]:
    """A webhook that was registered as disabled, and one that was disabled while running."""
    with shared_client(http) as tams:
        source_id = tams.make_flow()["source_id"]
        hooks = Hooks(tams, receiver, event_timeout)
        options: Json = {"source_ids": [source_id]}
        control, running, new = (hooks.make(SOURCE_UPDATED, **options) for _ in range(3))
        assert put_webhook(tams, new.document, status="disabled").status_code == 201
        first = relabel(tams, source_id)
        receives_label(running, first)
        assert put_webhook(tams, running.document, status="disabled").status_code == 201
        made = {"after it sent": running, "before it sent": new}
        meanwhile = relabel(tams, source_id)
        receives_label(control, meanwhile)
        # Once an event of the second change has arrived, an event of the first would have arrived too.
        receives_label(control, relabel(tams, source_id))
        silent = {name: meanwhile not in labels(hook) for name, hook in made.items()}
        for hook in made.values():
            assert put_webhook(tams, hook.document, status="created").status_code == 201
        later = relabel(tams, source_id)
        for hook in (control, *made.values()):
            receives_label(hook, later)
        assert {meanwhile, later} <= set(labels(control)), control.summary()
        yield {name: Stopped(hook, meanwhile, later, silent[name]) for name, hook in made.items()}


by_moment = pytest.mark.parametrize("moment", ["after it sent", "before it sent"])


@by_moment
@pytest.mark.behaviour("HOOK-ST-02", "HOOK-POST-05")
def test_a_disabled_webhook_sends_nothing(stopped: dict[str, Stopped], moment: str) -> None:
    assert stopped[moment].silent


@by_moment
@pytest.mark.behaviour("HOOK-ST-03", "AMB-16")
def test_a_restarted_webhook_sends(tams: TamsClient, stopped: dict[str, Stopped], moment: str) -> None:
    each = stopped[moment]
    assert each.later in labels(each.hook), each.hook.summary()
    wait_until(lambda: has_status(tams, each.hook, "started"), "the webhook to be started")


@by_moment
@pytest.mark.behaviour("HOOK-ST-07", "AMB-40")
def test_events_missed_while_disabled_are_not_sent_later(stopped: dict[str, Stopped], moment: str) -> None:
    assert stopped[moment].meanwhile not in labels(stopped[moment].hook)


# -- Stopped by failures


@dataclass(frozen=True, slots=True)
class Failed:
    """A webhook whose receiver has failed permanently. shown, listed: its documents once the server has given up.

    disabling: the status of the response to disabling it. after_disabling: its document afterwards. tries: the numbers
    of attempts by then, and after another event. restarting: the response to restarting it. later: a label given after.
    """

    hook: Hook
    shown: Json
    listed: Json
    disabling: int
    after_disabling: Json
    tries: tuple[int, int]
    restarting: httpx.Response
    later: str


@pytest.fixture(scope="module")
def failed(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Failed]:
    """Skips if the server does not give up within the timeout."""
    with shared_client(http) as tams:
        source_id, tag = tams.make_flow()["source_id"], fresh_name("tag")
        hooks = Hooks(tams, receiver, event_timeout)
        hook, control = (hooks.make(SOURCE_UPDATED, source_ids=[source_id], tags={"kit": tag}) for _ in range(2))
        hook.inbox.reply(*[Reply(410, {"Content-Type": "text/plain"}, BODY)] * ENDLESS)
        relabel(tams, source_id)
        if not given_up(tams, hook, event_timeout):
            pytest.skip(f"no webhook fails within {event_timeout:g} s, although its receiver returns 410")
        shown = read_webhook(tams, hook.document)
        listed = next(
            item for item in tams.get(LISTING, **{"tag.kit": tag}).json() if item["id"] == hook.document["id"]
        )
        disabling = put_webhook(tams, hook.document, status="disabled").status_code
        after_disabling = read_webhook(tams, hook.document)
        tries = len(hook.inbox.deliveries())
        for _ in range(2):
            receives_label(control, relabel(tams, source_id))
        tries_later = len(hook.inbox.deliveries())
        hook.inbox.stop_failing()
        restarting = put_webhook(tams, hook.document, status="created")
        later = relabel(tams, source_id)
        receives_label(hook, later)
        yield Failed(hook, shown, listed, disabling, after_disabling, (tries, tries_later), restarting, later)


def given_up(tams: TamsClient, hook: Hook, event_timeout: float) -> bool:
    try:
        return wait_until(lambda: has_status(tams, hook, "error"), "the webhook to fail", event_timeout)
    except AssertionError:
        return False


@pytest.mark.behaviour("HOOK-GET-03", "HOOK-ST-06", "HOOK-LIST-01")
def test_a_failed_webhook_shows_its_error(failed: Failed) -> None:
    assert failed.listed == failed.shown
    assert {"type", "summary", "time"} <= failed.shown["error"].keys()


@pytest.mark.behaviour("HOOK-ST-06")
def test_the_error_states_the_status_of_the_receiver(failed: Failed) -> None:
    assert "410" in str(failed.shown["error"])


@pytest.mark.behaviour("DLV-08")
def test_the_error_does_not_contain_the_receivers_body(failed: Failed) -> None:
    assert BODY.decode() not in str(failed.shown)


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_failed_webhook_sends_nothing(failed: Failed) -> None:
    assert failed.tries[0] == failed.tries[1]


@pytest.mark.behaviour("HOOK-ST-04", "AMB-15")
def test_a_failed_webhook_cannot_be_disabled(failed: Failed) -> None:
    assert failed.disabling == 400
    assert failed.after_disabling["status"] == "error"


@pytest.mark.behaviour("HOOK-ST-03")
def test_a_failed_webhook_can_be_restarted(tams: TamsClient, failed: Failed) -> None:
    assert failed.restarting.status_code == 201
    assert failed.later in labels(failed.hook), failed.hook.summary()
    wait_until(lambda: has_status(tams, failed.hook, "started"), "the webhook to be started")
    assert "error" not in read_webhook(tams, failed.hook.document)
