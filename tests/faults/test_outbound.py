"""Deliveries to misbehaving receivers over real connections, and the addresses they connect to."""

import asyncio
import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tams_server.outbound import sender as sender_module
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.header_rules import DELIVERY_ID
from tams_server.outbound.sender import Sender
from tests.faults.behaviours import (
    Behaviour,
    Exchange,
    chunked,
    drip,
    drip_body,
    drip_head,
    hang,
    incomplete_body,
    incomplete_head,
    large_body,
    redirect,
    reset,
    respond,
    send_and_close,
)
from tests.faults.deliveries import BODY, HEADERS, LOOPBACK, SECRET, post, run, run_all
from tests.faults.receivers import Receiver
from tests.faults.unreachable import refusing_url, silent_url, unaccepting_url


class TestDelivery:
    @pytest.mark.behaviour("DLV-01", "DLV-02", "DLV-03", "DLV-04")
    def test_request_is_sent_unchanged(self) -> None:
        with Receiver() as receiver:
            outcome = post(f"{receiver.url}?a=b#c")
            assert outcome == Outcome(True, 200, None, "The receiver responded with 200 OK.")
            (request,) = receiver.received
            assert (request.method, request.target, request.body) == ("POST", "/hook?a=b", BODY)
            assert request.headers == {
                "host": f"127.0.0.1:{receiver.port}",
                "user-agent": "tams-server",
                "accept": "*/*",
                "accept-encoding": "identity",
                "connection": "keep-alive",
                "content-type": "application/json",
                "content-length": str(len(BODY)),
                "authorization": SECRET,
            }

    @pytest.mark.behaviour("DLV-04")
    def test_204_is_delivered(self) -> None:
        with Receiver([respond(204)]) as receiver:
            outcome = post(receiver.url)
            assert (outcome.delivered, outcome.status) == (True, 204)

    def test_deliveries_share_a_connection(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            return [await sender.post(receiver.url, HEADERS, BODY, timeout_s=10) for _ in range(3)]

        with Receiver([respond(body=b"{}")]) as receiver:
            assert all(outcome.delivered for outcome in run_all(work))
            assert [request.connection for request in receiver.received] == [0, 0, 0]
            assert receiver.connections == 1

    def test_connection_is_reused_after_an_error_response(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            return [await sender.post(receiver.url, HEADERS, BODY, timeout_s=10) for _ in range(2)]

        with Receiver([respond(500, body=b"sorry"), respond(200)]) as receiver:
            assert [outcome.status for outcome in run_all(work)] == [500, 200]
            assert receiver.connections == 1

    def test_delivery_succeeds_once_the_receiver_recovers(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            outcomes = [await sender.post(receiver.url, HEADERS, BODY, timeout_s=10)]
            await asyncio.to_thread(receiver.refuse)
            outcomes.append(await sender.post(receiver.url, HEADERS, BODY, timeout_s=10))
            receiver.accept()
            return [*outcomes, await sender.post(receiver.url, HEADERS, BODY, timeout_s=10)]

        with Receiver() as receiver:
            assert [outcome.delivered for outcome in run_all(work)] == [True, False, True]

    @pytest.mark.behaviour("DLV-10")
    def test_slow_receivers_do_not_delay_others(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            slow = [asyncio.create_task(sender.post(hanging.url, HEADERS, BODY, timeout_s=20)) for _ in range(20)]
            await asyncio.to_thread(hanging.wait_for, lambda received: len(received) == 20)
            outcome = await sender.post(quick.url, HEADERS, BODY, timeout_s=5)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            return [outcome]

        with Receiver([hang()]) as hanging, Receiver() as quick:
            assert run_all(work)[0].delivered

    @pytest.mark.behaviour("DLV-03")
    def test_cookies_are_not_kept(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            return [await sender.post(receiver.url, HEADERS, BODY, timeout_s=10) for _ in range(2)]

        with Receiver([respond(headers={"Set-Cookie": "a=b; Path=/"})]) as receiver:
            run_all(work)
            assert all("cookie" not in request.headers for request in receiver.received)

    def test_settings_for_proxies_are_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Receiver() as receiver, refusing_url() as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy)
            assert post(receiver.url).delivered

    @pytest.mark.behaviour("DLV-02", "DLV-08")
    def test_deliveries_that_time_out_keep_no_connection(self) -> None:
        """Their time ends at every stage of an exchange. If any kept one of the two connections, the last had none."""

        async def work(sender: Sender) -> list[Outcome]:
            timeouts_s = [0.0001 * step for step in range(1, 201)] * 3
            for first in range(0, len(timeouts_s), 4):
                posts = [sender.post(slow.url, HEADERS, BODY, timeout_s=s) for s in timeouts_s[first : first + 4]]
                await asyncio.gather(*posts)
            return [await sender.post(slow.url, HEADERS, BODY, timeout_s=10)]

        with Receiver([respond(after_s=0.005)]) as slow:
            assert run_all(work, connections=2)[0].delivered


class TestMisbehaviour:
    @pytest.mark.behaviour("DLV-05", "DLV-06", "DLV-08")
    @pytest.mark.parametrize(
        ("behaviour", "status", "problem"),
        [
            pytest.param(respond(500, body=b"private words"), 500, "status", id="500"),
            pytest.param(respond(410), 410, "status", id="410"),
            pytest.param(respond(401), 401, "status", id="401"),
            pytest.param(incomplete_head(), None, "connection", id="half-a-head"),
            pytest.param(send_and_close(b""), None, "connection", id="closed-without-response"),
            pytest.param(reset(), None, "connection", id="reset"),
            pytest.param(send_and_close(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), None, "bad_answer", id="not-http"),
            pytest.param(send_and_close(b"HTTP/1.1 20x OK\r\n\r\n"), None, "bad_answer", id="bad-status"),
            pytest.param(send_and_close(b"\x00" * 200_000), None, "bad_answer", id="zeros"),
            pytest.param(
                send_and_close(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000), None, "bad_answer", id="endless-head"
            ),
            pytest.param(
                send_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
                None,
                "bad_answer",
                id="two-lengths",
            ),
            pytest.param(hang(), None, "timeout", id="hang"),
            pytest.param(drip_head(), None, "timeout", id="drip-head"),
            pytest.param(drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, every_s=0.01), None, "timeout", id="only-100"),
        ],
    )
    def test_failure_is_reported(self, behaviour: Behaviour, status: int | None, problem: str) -> None:
        with Receiver([behaviour]) as receiver:
            started = time.monotonic()
            outcome = post(receiver.url, timeout_s=1)
            assert time.monotonic() - started < 5
            assert (outcome.delivered, outcome.status, outcome.problem) == (False, status, problem)
            assert len(receiver.received) == 1
            assert "private words" not in repr(outcome)
            assert "Private reason" not in repr(outcome)

    @pytest.mark.behaviour("DLV-06")
    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
    def test_redirect_is_not_followed(self, status: int) -> None:
        with Receiver() as elsewhere, Receiver([redirect(elsewhere.url, status)]) as receiver:
            outcome = post(receiver.url)
            assert (outcome.delivered, outcome.status, outcome.problem) == (False, status, "redirect")
            assert len(receiver.received) == 1
            assert elsewhere.connections == 0

    @pytest.mark.parametrize("location", ["", "http://[", "//", "javascript:alert(1)", "\xff", "http://a:b:c/"])
    def test_redirect_with_an_invalid_location_is_a_redirect(self, location: str) -> None:
        with Receiver([redirect(location)]) as receiver:
            assert post(receiver.url).problem == "redirect"

    def test_refused_connection(self) -> None:
        with refusing_url() as url:
            assert post(url).problem == "connection"

    @pytest.mark.behaviour("DLV-08")
    @pytest.mark.parametrize("unreachable", [unaccepting_url, silent_url])
    def test_connection_that_is_not_accepted_times_out(
        self, unreachable: Callable[[], contextlib.AbstractContextManager[str]]
    ) -> None:
        with unreachable() as url:
            started = time.monotonic()
            outcome = post(url, timeout_s=0.5)
            assert (outcome.delivered, outcome.problem) == (False, "timeout")
            assert 0.4 < time.monotonic() - started < 5

    def test_body_that_is_not_read_times_out(self) -> None:
        with unaccepting_url() as url:
            large = run(lambda sender: sender.post(url, HEADERS, b"x" * 50_000_000, timeout_s=1))
            assert large.problem == "timeout"

    def test_lookup_counts_towards_the_timeout(self) -> None:
        resolved = threading.Event()

        def resolve(_: str) -> Sequence[str]:
            resolved.wait(30)
            return ["127.0.0.1"]

        started = time.monotonic()
        outcome = post("http://slow.example/", timeout_s=0.3, rules=AddressRules(LOOPBACK, resolver=resolve))
        resolved.set()
        assert outcome.problem in ("timeout", "lookup")
        assert time.monotonic() - started < 5

    def test_name_without_address(self) -> None:
        outcome = post("http://nobody.example/", rules=AddressRules(resolver=lambda _: []))
        assert (outcome.delivered, outcome.problem) == (False, "lookup")

    @pytest.mark.behaviour("DLV-04", "DLV-08")
    @pytest.mark.parametrize(
        "behaviour",
        [
            pytest.param(drip_body(), id="drip"),
            pytest.param(large_body(1_000_000_000), id="large_body"),
            pytest.param(incomplete_body(), id="half"),
            pytest.param(chunked(b"a", b"b", complete=False), id="chunks-without-end"),
            pytest.param(
                send_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), id="bad-chunk"
            ),
        ],
    )
    def test_2xx_is_delivered_whatever_happens_to_the_body(self, behaviour: Behaviour) -> None:
        with Receiver([behaviour]) as receiver:
            started = time.monotonic()
            assert post(receiver.url, timeout_s=1).delivered
            assert time.monotonic() - started < 5

    def test_slow_body_does_not_use_up_a_long_timeout(self) -> None:
        with Receiver([drip_body(500)]) as receiver:
            started = time.monotonic()
            assert post(receiver.url, timeout_s=60).status == 500
            assert time.monotonic() - started < sender_module.RESPONSE_BODY_S + 5

    @pytest.mark.behaviour("DLV-05", "DLV-08")
    def test_endless_interim_responses_are_given_up_soon(self) -> None:
        sent: list[int] = []

        def flooding(exchange: Exchange) -> bool:
            for _ in range(2_000):
                exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
                sent.append(28_000)
            return False

        with Receiver([flooding]) as receiver:
            assert post(receiver.url, timeout_s=30).problem == "bad_answer"
            receiver.wait_for(lambda received: received[0].responded_at is not None)
        assert sum(sent) < 20_000_000  # no more than the socket buffers hold

    @pytest.mark.behaviour("DLV-08")
    def test_large_response_is_not_read(self) -> None:
        sent: list[int] = []

        def counting(exchange: Exchange) -> bool:
            exchange.send(b"HTTP/1.1 500 No\r\nContent-Length: 1000000000\r\n\r\n")
            for _ in range(15_000):
                exchange.send(b"x" * 65536)
                sent.append(65536)
            return False

        with Receiver([counting]) as receiver:
            assert post(receiver.url, timeout_s=30).status == 500
            receiver.wait_for(lambda received: received[0].responded_at is not None)
        assert sum(sent) < 20_000_000  # no more than the socket buffers hold

    @pytest.mark.behaviour("DLV-05")
    def test_retry_after_is_reported(self) -> None:
        with Receiver([respond(429, {"Retry-After": "30"}), respond(503, {"Retry-After": "soon"})]) as receiver:
            assert post(receiver.url).retry_after_s == 30.0
            assert post(receiver.url).retry_after_s is None

    def test_invalid_url_is_rejected(self) -> None:
        assert post("ftp://public.example/").problem == "refused_url"

    @pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Other: 1", f"{SECRET}€", f"{SECRET}\x00", f" {SECRET}"])
    @pytest.mark.behaviour("HOOK-POST-14")
    def test_invalid_header_is_not_sent(self, value: str) -> None:
        with Receiver() as receiver:
            outcome = run(lambda sender: sender.post(receiver.url, {"X-Key": value}, BODY, timeout_s=5))
            assert outcome.problem == "header"
            assert "s3cr3t" not in repr(outcome)
            assert receiver.connections == 0

    @pytest.mark.parametrize("name", ["content-type", "HOST", "user_agent", DELIVERY_ID, "Content-Length", "x-own"])
    @pytest.mark.behaviour("HOOK-POST-14")
    def test_key_of_an_earlier_release_replaces_no_header_of_the_server(self, name: str) -> None:
        own = {**HEADERS, "X-Own": "1"}
        with Receiver() as receiver:
            outcome = run(lambda sender: sender.post(receiver.url, own, BODY, timeout_s=5, key=(name, "x")))
            assert outcome.problem == "header"
            assert "api_key_name" in outcome.summary
            assert receiver.connections == 0

    @pytest.mark.behaviour("HOOK-LIST-06")
    def test_secret_is_in_no_log_line_and_no_outcome(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        behaviours = [
            respond(),
            respond(500),
            incomplete_head(),
            hang(),
            send_and_close(b"nonsense\r\n\r\n"),
            redirect("/x"),
        ]

        async def work(sender: Sender) -> list[Outcome]:
            return [await sender.post(receiver.url, HEADERS, BODY, timeout_s=0.5) for _ in behaviours]

        with Receiver(behaviours) as receiver:
            outcomes = run_all(work)
            assert {request.headers["authorization"] for request in receiver.received} == {SECRET}
        assert caplog.records
        assert "s3cr3t" not in "".join([caplog.text, *(repr(record.__dict__) for record in caplog.records)])
        assert "s3cr3t" not in repr([dataclasses.asdict(outcome) for outcome in outcomes])
