"""The addresses that deliveries connect to, TLS, and what receivers record."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from storage.errors import Unavailable
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.fetcher import Fetcher
from tams_server.outbound.sender import Sender
from tests.faults.behaviours import (
    Exchange,
    respond,
)
from tests.faults.deliveries import BODY, HEADERS, LOOPBACK, PUBLIC, post, run_all
from tests.faults.receivers import Receiver
from tests.faults.unreachable import Listener


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
