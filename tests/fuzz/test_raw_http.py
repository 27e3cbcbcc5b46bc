"""Requests that violate HTTP: the server responds or closes the connection, and keeps serving others."""

from collections.abc import Iterator

import pytest

from tests.conformance.kit.server import Subject
from tests.fuzz.raw_client import RawClient, Response

TIMEOUT_S = 1.0


@pytest.fixture
def raw_client(subject: Subject) -> Iterator[RawClient]:
    """A raw client. The server must still respond after the test."""
    raw_client = RawClient(subject)
    yield raw_client
    assert raw_client.request("GET", "/service").status == 200


TOO_LONG = ("5", "100")
LENGTHS = (
    *TOO_LONG,
    *("0", "1", "3", "4", "-1", "+4", "4.0", "0x4", "4, 4", "4, 5", "", "abc", "9" * 30, "٤"),
)
CODINGS = (
    "chunked",
    "chunked, chunked",
    "xchunked",
    "gzip",
    "gzip, chunked",
    "identity",
    "",
    "chunked;q=1",
    "CHUNKED",
    "\x0bchunked",
)
CHUNKS = (
    *(
        "4\r\ntrue\r\n0\r\n\r\n",
        "4;a=b\r\ntrue\r\n0\r\n\r\n",
        "4\r\ntrue\r\n0\r\nX: y\r\n\r\n",
        "4\r\ntrueX\r\n0\r\n\r\n",
    ),
    *(
        "-4\r\ntrue\r\n0\r\n\r\n",
        "0x4\r\ntrue\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\ntrue",
        "zz\r\n",
        "4\ntrue\n0\n\n",
        "0\r\n\r\n",
    ),
)
METHODS = (
    "get",
    "GeT",
    "head",
    "FOO",
    "GET\x00",
    "GÉT",
    "TRACE",
    "CONNECT",
    "PATCH",
    "G" * 10000,
    "",
    "GET GET",
    "PRI",
)
FIRST_LINES = (
    *(
        "GET /service",
        "GET /service HTTP/0.9",
        "GET /service HTTP/2.0",
        "GET /service HTTP/1.1 x",
        "GET  /service HTTP/1.1",
    ),
    *(
        "GET http://elsewhere/service HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET service HTTP/1.1",
        "\x16\x03\x01",
        "",
    ),
    *("GET //service HTTP/1.1", "GET /../service HTTP/1.1", "GET /service#x HTTP/1.1", "GET /%2e%2e/service HTTP/1.1"),
    *(
        "PRI * HTTP/2.0",
        "GET /?x y HTTP/1.1",
        "GET /\x00 HTTP/1.1",
        "GET /\x7f\xff HTTP/1.1",
        "\r\n\r\nGET /service HTTP/1.1",
    ),
)
HEADER_LINES = (
    *(
        "NoColon",
        ": empty name",
        "Na me: x",
        "X: a\r\n folded",
        "X\x00: y",
        "X: y\x00",
        "Host: again",
        "X: " + "a" * 10**6,
    ),
    *(
        "Connection: keep-alive, close, upgrade",
        "Upgrade: websocket",
        "Upgrade: h2c",
        "Expect: 100-continue",
        "Expect: 200-ok",
    ),
)


@pytest.mark.parametrize("length", LENGTHS)
def test_wrong_content_lengths(raw_client: RawClient, length: str) -> None:
    responses = _exchange(
        raw_client, raw_client.build("POST", "/service", b"true", {"Content-Length": length.encode()})
    )
    assert bool(responses) == (length not in TOO_LONG)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("also_length", [True, False], ids=["with a length", "alone"])
def test_transfer_codings(raw_client: RawClient, coding: str, also_length: bool) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": coding}
    if also_length:
        headers["Content-Length"] = "4"
    request = raw_client.build("POST", "/service", None, headers)
    assert _exchange(raw_client, request + b"4\r\ntrue\r\n0\r\n\r\n")


@pytest.mark.parametrize("chunks", CHUNKS)
def test_chunks(raw_client: RawClient, chunks: str) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    assert _exchange(raw_client, raw_client.build("POST", "/service", None, headers) + chunks.encode())


@pytest.mark.parametrize("method", METHODS)
def test_methods(raw_client: RawClient, method: str) -> None:
    assert _exchange(raw_client, raw_client.build(method, "/service"))


@pytest.mark.parametrize("line", FIRST_LINES)
def test_first_lines(raw_client: RawClient, line: str) -> None:
    request = raw_client.build("GET", "/service")
    assert _exchange(raw_client, request.replace(b"GET /service HTTP/1.1", line.encode("latin-1"), 1))


@pytest.mark.parametrize("line", HEADER_LINES)
def test_header_lines(raw_client: RawClient, line: str) -> None:
    assert _exchange(
        raw_client, raw_client.build("GET", "/service").replace(b"\r\n", b"\r\n" + line.encode("latin-1") + b"\r\n", 1)
    )


@pytest.mark.parametrize("size", [2000, 10_000, 70_000, 2_000_000])
@pytest.mark.parametrize(
    "target", ["/flows/{}", "/flows?label={}", "/objects/{}", "/flows?page={}", "/{}", "/flows?{}"]
)
def test_long_urls(raw_client: RawClient, target: str, size: int) -> None:
    assert _exchange(raw_client, raw_client.build("GET", target.format("a" * size)))


@pytest.mark.parametrize("count", [10_000], ids=["10,000"])
def test_many_parameters_and_headers(raw_client: RawClient, count: int) -> None:
    assert _exchange(raw_client, raw_client.build("GET", f"/flows?{'&'.join(f'tag.t{n}=x' for n in range(count))}"))
    assert _exchange(raw_client, raw_client.build("GET", "/flows", None, {f"X-{n}": "x" for n in range(count)}))


def test_pipelined_requests_are_served_in_order(raw_client: RawClient) -> None:
    """Valid and invalid requests are mixed."""
    paths = ["/service", "/nowhere", "/flows/none", "/sources?limit=1", "/flows?limit=none"] * 4
    requests = [raw_client.build("GET", path, None, {"Connection": "keep-alive"}) for path in paths[:-1]]
    responses = raw_client.exchange(b"".join(requests) + raw_client.build("GET", paths[-1]))
    assert [response.status for response in responses] == [200, 404, 404, 200, 400] * 4


def test_truncated_requests_are_abandoned(raw_client: RawClient) -> None:
    request = raw_client.build("POST", "/service", b'{"name": "text"}')
    for end in range(0, len(request), 7):
        raw_client.exchange(request[:end], timeout_s=0.02)


def _exchange(raw_client: RawClient, sent: bytes) -> list[Response]:
    responses = raw_client.exchange(sent, TIMEOUT_S)
    for response in responses:
        response.check()
    return responses
