"""Downloads from misbehaving sources, over real connections."""

import contextlib
import time
from collections.abc import Callable

import httpx
import pytest

from storage.errors import Invalid, Unavailable
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.fetcher import Fetcher
from tests.faults.behaviours import (
    Behaviour,
    chunked,
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
from tests.faults.receivers import Receiver
from tests.faults.unreachable import Listener, refusing_url, silent_url, unaccepting_url


def loopback_rules() -> AddressRules:
    return AddressRules(["127.0.0.0/8"])


def fetch(url: str, rules: AddressRules | None = None, *, idle_s: float = 10.0, max_bytes: int | None = None) -> bytes:
    fetcher = Fetcher(rules or loopback_rules(), idle_s=idle_s)
    try:
        with fetcher.open(url, max_bytes=max_bytes) as download:
            return b"".join(download.chunks())
    finally:
        fetcher.close()


def test_download_has_the_declared_size_and_content_type() -> None:
    media = bytes(range(256)) * 1000
    with Receiver([respond(headers={"Content-Type": "video/mp2t"}, body=media)]) as source:
        fetcher = Fetcher(loopback_rules())
        with fetcher.open(f"{source.url}?signature=x") as download:
            assert (download.size, download.content_type) == (len(media), "video/mp2t")
            assert b"".join(download.chunks()) == media
        (request,) = source.received
        assert (request.method, request.target) == ("GET", "/hook?signature=x")
        assert request.headers["accept-encoding"] == "identity"
        assert not {"authorization", "cookie"} & request.headers.keys()


def test_size_may_be_unknown() -> None:
    with Receiver([chunked(b"abc", b"def")]) as source, Fetcher(loopback_rules()).open(source.url) as download:
        assert download.size is None
        assert b"".join(download.chunks()) == b"abcdef"


def test_large_download_is_streamed() -> None:
    with Receiver([large_body(50_000_000)]) as source, Fetcher(loopback_rules()).open(source.url) as download:
        sizes = [len(chunk) for chunk in download.chunks()]
        assert sum(sizes) == download.size == 50_000_000
        assert max(sizes) <= 65536


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(incomplete_body(), id="short-body"),
        pytest.param(chunked(b"abc", complete=False), id="chunks-without-end"),
        pytest.param(incomplete_head(), id="half-a-head"),
        pytest.param(send_and_close(b""), id="closed"),
        pytest.param(reset(), id="reset"),
        pytest.param(send_and_close(b"nonsense\r\n\r\n"), id="not-http"),
        pytest.param(respond(500), id="500"),
        pytest.param(respond(503), id="503"),
        pytest.param(respond(429), id="429"),
        pytest.param(hang(), id="hang"),
        pytest.param(drip_head(), id="drip-head"),
        pytest.param(drip_body(), id="drip-body"),
    ],
)
def test_temporary_failures_are_unavailable(behaviour: Behaviour) -> None:
    with Receiver([behaviour]) as source:
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            fetch(f"{source.url}?signature=s3cr3t", idle_s=0.5)
        assert time.monotonic() - started < 5
        assert caught.value.field == "url"
        assert source.url in caught.value.message
        assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        pytest.param(respond(404), "404", id="404"),
        pytest.param(respond(403), "403", id="403"),
        pytest.param(respond(204), "204", id="204"),
        pytest.param(respond(206, body=b"x"), "206", id="206"),
        pytest.param(redirect("http://127.0.0.1/"), "redirects are not followed", id="redirect"),
        pytest.param(respond(headers={"Content-Encoding": "gzip"}, body=b"x"), "content encoding", id="encoded"),
    ],
)
def test_permanent_failures_are_invalid(behaviour: Behaviour, words: str) -> None:
    with Receiver([behaviour]) as source, pytest.raises(Invalid, match=words):
        fetch(source.url)


@pytest.mark.parametrize("behaviour", [respond(body=b"x" * 101), chunked(b"x" * 50, b"x" * 51)])
def test_too_many_bytes_are_rejected(behaviour: Behaviour) -> None:
    with Receiver([behaviour]) as source:
        with pytest.raises(Invalid, match="more than 100 bytes"):
            fetch(source.url, max_bytes=100)
        assert len(fetch(source.url, max_bytes=101)) == 101


def test_a_whole_download_has_a_deadline_whatever_its_rate() -> None:
    with Receiver([large_body(50 * 2**20)]) as source:
        fetcher = Fetcher(loopback_rules(), timeout_s=0.2)
        with pytest.raises(Unavailable, match="longer than permitted"), fetcher.open(source.url) as download:
            for _ in download.chunks():
                time.sleep(0.01)
        fetcher.close()


def test_source_without_connection_or_address_is_unavailable() -> None:
    with refusing_url() as url, pytest.raises(Unavailable, match="no connection"):
        fetch(url)
    with pytest.raises(Unavailable, match="no address"):
        fetch("http://nobody.example/", AddressRules(resolver=lambda _: []))


@pytest.mark.parametrize("unreachable", [unaccepting_url, silent_url])
def test_connection_that_is_not_accepted_is_unavailable(
    unreachable: Callable[[], contextlib.AbstractContextManager[str]],
) -> None:
    with unreachable() as url, pytest.raises(Unavailable):
        fetch(url, idle_s=0.3)


@pytest.mark.behaviour("HOOK-POST-08")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "rebinding.example"])
def test_disallowed_address_is_not_connected_to(host: str) -> None:
    with Listener() as listener, pytest.raises(Invalid, match="not public"):
        fetch(f"http://{host}:{listener.port}/", AddressRules(resolver=lambda _: ["127.0.0.1"]))
    with pytest.raises(Invalid, match="http://"):
        fetch("file:///etc/passwd")


def test_errors_of_the_caller_are_not_attributed_to_the_source() -> None:
    with (
        Receiver([respond(body=b"media")]) as source,
        pytest.raises(httpx.ConnectError, match="of the store"),
        Fetcher(loopback_rules()).open(source.url),
    ):
        raise httpx.ConnectError("of the store")
