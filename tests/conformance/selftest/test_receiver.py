"""The receiver of events: it records deliveries by path and responds as configured."""

from collections.abc import Iterator
from threading import Thread

import httpx
import pytest

from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.receiver import HANG_UP, Delivery, Receiver, Reply, receiver_at


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiver_at("127.0.0.1", Receiver) as listening:
        yield listening


@pytest.mark.parametrize("content", [b"content", iter([b"con", b"", b"tent"])], ids=["whole", "in chunks"])
def test_deliveries_are_kept_by_path(receiver: Receiver, content: bytes | Iterator[bytes]) -> None:
    inbox, other = receiver.inbox(), receiver.inbox()
    response = httpx.post(inbox.url, content=content, headers={"X-Key": "a"})
    assert (response.status_code, response.content) == (200, b"")
    (delivery,) = inbox.deliveries()
    assert (delivery.method, delivery.headers["x-key"], delivery.body) == ("POST", "a", b"content")
    assert other.deliveries() == []


def test_an_unknown_path_returns_410(receiver: Receiver) -> None:
    assert httpx.post(f"{receiver.url}/{fresh()}").status_code == 410


def test_configured_replies_are_used_in_turn_and_then_200(receiver: Receiver) -> None:
    inbox = receiver.inbox()
    inbox.reply(Reply(503, {"Retry-After": "1"}, b"later"), HANG_UP)
    with httpx.Client() as client:
        first = client.post(inbox.url)
        assert (first.status_code, first.headers["Retry-After"], first.content) == (503, "1", b"later")
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(inbox.url)
        assert client.post(inbox.url).status_code == 200
    assert len(inbox.deliveries()) == 3


def test_waiting_ends_as_soon_as_the_condition_holds(receiver: Receiver) -> None:
    inbox = receiver.inbox()
    sender = Thread(target=lambda: [httpx.post(inbox.url, content=str(number)) for number in range(3)])
    sender.start()
    assert inbox.wait_until(lambda came: [each.body for each in came] == [b"0", b"1", b"2"], timeout_s=30)
    assert not inbox.wait_until(lambda came: len(came) > 3, timeout_s=0)
    sender.join()


def test_a_response_can_be_held_back(receiver: Receiver) -> None:
    inbox = receiver.inbox()
    responses: list[int] = []
    sender = Thread(target=lambda: responses.append(httpx.post(inbox.url, timeout=30).status_code))
    with inbox.holding_responses():
        sender.start()
        assert inbox.wait_until(list, timeout_s=30)
        assert responses == []
    wait_until(lambda: responses, "the response")
    assert responses == [200]


def test_a_callback_runs_before_the_response(receiver: Receiver) -> None:
    inbox = receiver.inbox()
    seen: list[Delivery] = []
    inbox.on_delivery = seen.append
    httpx.post(inbox.url)
    assert seen == inbox.deliveries()
