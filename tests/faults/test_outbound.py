"""Deliveries to misbehaving receivers over real connections, and the addresses they connect to."""

import asyncio
import contextlib
import dataclasses
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from storage.errors import Unavailable
from tams_server.outbound import sender as sender_module
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.fetcher import Fetcher
from tams_server.outbound.sender import Sender
from tests.faults.receivers import (
    Behaviour,
    Exchange,
    Listener,
    Receiver,
    chunked,
    drip,
    drip_body,
    drip_head,
    hang,
    incomplete_body,
    incomplete_head,
    large_body,
    redirect,
    refusing_url,
    reset,
    respond,
    send_and_close,
    silent_url,
    unaccepting_url,
)

LOOPBACK = ("127.0.0.0/8",)
SECRET = "Bearer s3cr3t-value"
HEADERS = {"Content-Type": "application/json", "Authorization": SECRET}
BODY = b'{"event_type": "flows/created"}'
PUBLIC = "93.184.215.14"


def loopback_rules() -> AddressRules:
    return AddressRules(LOOPBACK)


def run(
    work: Callable[[Sender], Awaitable[Outcome]], rules: AddressRules | None = None, tls: ssl.SSLContext | None = None
) -> Outcome:
    return run_all(lambda sender: _one(work(sender)), rules, tls)[0]


async def _one(work: Awaitable[Outcome]) -> list[Outcome]:
    return [await work]


def run_all(
    work: Callable[[Sender], Awaitable[list[Outcome]]],
    rules: AddressRules | None = None,
    tls: ssl.SSLContext | None = None,
) -> list[Outcome]:
    async def main() -> list[Outcome]:
        sender = Sender(rules or loopback_rules(), ssl_context=tls)
        try:
            return await work(sender)
        finally:
            await sender.aclose()

    return asyncio.run(main())


def post(
    url: str, *, timeout_s: float = 10.0, rules: AddressRules | None = None, tls: ssl.SSLContext | None = None
) -> Outcome:
    return run(lambda sender: sender.post(url, HEADERS, BODY, timeout_s=timeout_s), rules, tls)


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


class TestAddressesAtTheConnection:
    @pytest.mark.behaviour("DLV-07")
    def test_dns_rebinding_after_the_check_is_not_connected_to(self) -> None:
        with Listener() as listener:
            lookups = iter([[PUBLIC], ["127.0.0.1"]])
            rules = AddressRules(resolver=lambda _: next(lookups))
            url = f"http://rebinding.example:{listener.port}/"
            rules.check_url(url, "url")
            outcome = post(url, rules=rules)
            assert (outcome.delivered, outcome.problem) == (False, "refused_address")
            assert listener.connections() == 0

    @pytest.mark.behaviour("DLV-07")
    def test_host_with_one_private_address_is_not_connected_to(self) -> None:
        with Listener() as listener:
            rules = AddressRules(resolver=lambda _: ["127.0.0.1", PUBLIC])
            assert post(f"http://mixed.example:{listener.port}/", rules=rules).problem == "refused_address"
            assert listener.connections() == 0

    @pytest.mark.behaviour("DLV-07")
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"])
    def test_loopback_is_not_connected_to(self, host: str) -> None:
        with Listener() as listener:
            outcome = post(f"http://{host}:{listener.port}/", rules=AddressRules())
            assert outcome.problem == "refused_address"
            assert listener.connections() == 0

    @pytest.mark.behaviour("DLV-07")
    def test_connection_goes_to_the_address_that_was_checked(self) -> None:
        looked_up: list[str] = []

        def resolve(name: str) -> Sequence[str]:
            looked_up.append(name)
            return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.2"]

        async def work(sender: Sender) -> list[Outcome]:
            url = f"http://pinned.example:{receiver.port}/"
            return [await sender.post(url, HEADERS, BODY, timeout_s=10) for _ in range(2)]

        with Receiver() as receiver:
            outcomes = run_all(work, AddressRules(["127.0.0.1"], resolver=resolve))
            assert [outcome.delivered for outcome in outcomes] == [True, True]
            assert looked_up == ["pinned.example"]
            assert receiver.received[0].headers["host"] == f"pinned.example:{receiver.port}"

    def test_next_address_is_tried(self) -> None:
        rules = AddressRules(LOOPBACK, resolver=lambda _: ["127.0.0.2", "127.0.0.1"])
        with Receiver() as receiver:
            assert post(f"http://two.example:{receiver.port}/", rules=rules).delivered

    def test_localhost_resolves_to_the_allowed_loopback_address(self) -> None:
        with Receiver() as receiver:
            assert post(f"http://localhost:{receiver.port}/").delivered


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for secure.example and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    name, pem = "secure.example", folder / "both.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    pem.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return pem


@pytest.fixture
def secure(certificate: Path) -> Iterator[tuple[Receiver, ssl.SSLContext, list[str | None]]]:
    """A receiver with that certificate, a client context that trusts it, and the server names of clients (SNI)."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    with Receiver(tls=server) as receiver:
        yield receiver, ssl.create_default_context(cafile=str(certificate)), names


Secure = tuple[Receiver, ssl.SSLContext, list[str | None]]


class TestTls:
    rules = AddressRules(LOOPBACK, resolver=lambda _: ["127.0.0.1"])

    @pytest.mark.behaviour("DLV-07")
    def test_certificate_is_checked_for_the_name(self, secure: Secure) -> None:
        receiver, trusting, names = secure
        for name, problem in (("secure.example", None), ("other.example", "tls")):
            assert post(f"https://{name}:{receiver.port}/", rules=self.rules, tls=trusting).problem == problem
        assert names == ["secure.example", "other.example"]
        assert [request.headers["host"] for request in receiver.received] == [f"secure.example:{receiver.port}"]

    def test_untrusted_certificate_is_rejected(self, secure: Secure) -> None:
        receiver, _, _ = secure
        url = f"https://secure.example:{receiver.port}/"
        assert post(url, rules=self.rules).problem == "tls"
        with pytest.raises(Unavailable, match="no connection"), Fetcher(self.rules).open(url):
            pass
        assert receiver.received == []

    def test_download_over_tls(self, secure: Secure) -> None:
        receiver, trusting, _ = secure
        receiver.behave([respond(body=b"media")])
        with Fetcher(self.rules, ssl_context=trusting).open(f"https://secure.example:{receiver.port}/") as download:
            assert b"".join(download.chunks()) == b"media"


class TestReceiver:
    """The receivers themselves: other tests rely on what they record."""

    def test_overlapping_requests_are_recorded(self) -> None:
        async def work(sender: Sender) -> list[Outcome]:
            first = asyncio.create_task(sender.post(receiver.url, HEADERS, b"first", timeout_s=10))
            await asyncio.to_thread(receiver.wait_for, lambda received: len(received) == 1)
            second = await sender.post(receiver.url, HEADERS, b"second", timeout_s=10)
            release.set()
            return [await first, second, await sender.post(receiver.url, HEADERS, b"third", timeout_s=10)]

        def held(exchange: Exchange) -> bool:
            release.wait(10)
            return respond()(exchange)

        release = threading.Event()
        with Receiver(lambda request: held if request.body == b"first" else respond()) as receiver:
            assert all(outcome.delivered for outcome in run_all(work))
            received = receiver.wait_for(lambda requests: all(request.responded_at for request in requests))
            assert [sorted(request.overlaps) for request in received] == [[], [0], []]
            assert received[1].connection != received[0].connection

    def test_broken_requests_are_counted_separately(self) -> None:
        with Receiver() as receiver:
            with socket.create_connection(("127.0.0.1", receiver.port)) as broken:
                broken.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            post(receiver.url)
            receiver.wait_for(lambda received: len(received) == 1 and receiver.broken == 1)
            with pytest.raises(AssertionError, match="got 1 requests"):
                receiver.wait_for(lambda received: len(received) == 2, timeout=0.01)
