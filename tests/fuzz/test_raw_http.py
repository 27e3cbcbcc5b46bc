"""Requests that bend or break HTTP itself: an answer or a closed connection, and others are served as before."""

from collections.abc import Iterator

import pytest

from tests.conformance.kit.server import Subject
from tests.fuzz.wire import Response, Wire

PATIENCE_S = 1.0


@pytest.fixture
def wire(subject: Subject) -> Iterator[Wire]:
    """The server must still be there when a test is over."""
    wire = Wire(subject)
    yield wire
    assert wire.ask("GET", "/service").status == 200


LONGER = ("5", "100")
LENGTHS = (
    *LONGER,
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
def test_wrong_content_lengths(wire: Wire, length: str) -> None:
    responses = _speak(wire, wire.request("POST", "/service", b"true", {"Content-Length": length.encode()}))
    assert bool(responses) == (length not in LONGER)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("also_length", [True, False], ids=["with a length", "alone"])
def test_transfer_codings(wire: Wire, coding: str, also_length: bool) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": coding}
    if also_length:
        headers["Content-Length"] = "4"
    request = wire.request("POST", "/service", None, headers)
    assert _speak(wire, request + b"4\r\ntrue\r\n0\r\n\r\n")


@pytest.mark.parametrize("chunks", CHUNKS)
def test_chunks(wire: Wire, chunks: str) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    assert _speak(wire, wire.request("POST", "/service", None, headers) + chunks.encode())


@pytest.mark.parametrize("method", METHODS)
def test_methods(wire: Wire, method: str) -> None:
    assert _speak(wire, wire.request(method, "/service"))


@pytest.mark.parametrize("line", FIRST_LINES)
def test_first_lines(wire: Wire, line: str) -> None:
    request = wire.request("GET", "/service")
    assert _speak(wire, request.replace(b"GET /service HTTP/1.1", line.encode("latin-1"), 1))


@pytest.mark.parametrize("line", HEADER_LINES)
def test_header_lines(wire: Wire, line: str) -> None:
    assert _speak(wire, wire.request("GET", "/service").replace(b"\r\n", b"\r\n" + line.encode("latin-1") + b"\r\n", 1))


@pytest.mark.parametrize("size", [2000, 10_000, 70_000, 2_000_000])
@pytest.mark.parametrize(
    "target", ["/flows/{}", "/flows?label={}", "/objects/{}", "/flows?page={}", "/{}", "/flows?{}"]
)
def test_long_urls(wire: Wire, target: str, size: int) -> None:
    assert _speak(wire, wire.request("GET", target.format("a" * size)))


@pytest.mark.parametrize("count", [10_000], ids=["10,000"])
def test_many_parameters_and_headers(wire: Wire, count: int) -> None:
    assert _speak(wire, wire.request("GET", f"/flows?{'&'.join(f'tag.t{n}=x' for n in range(count))}"))
    assert _speak(wire, wire.request("GET", "/flows", None, {f"X-{n}": "x" for n in range(count)}))


def test_pipelined_requests_are_served_in_order(wire: Wire) -> None:
    """Right and wrong ones between one another."""
    paths = ["/service", "/nowhere", "/flows/none", "/sources?limit=1", "/flows?limit=none"] * 4
    requests = [wire.request("GET", path, None, {"Connection": "keep-alive"}) for path in paths[:-1]]
    responses = wire.speak(b"".join(requests) + wire.request("GET", paths[-1]))
    assert [response.status for response in responses] == [200, 404, 404, 200, 400] * 4


def test_truncated_requests_are_abandoned(wire: Wire) -> None:
    request = wire.request("POST", "/service", b'{"name": "text"}')
    for end in range(0, len(request), 7):
        wire.speak(request[:end], patience_s=0.02)


def _speak(wire: Wire, sent: bytes) -> list[Response]:
    responses = wire.speak(sent, PATIENCE_S)
    for response in responses:
        response.check()
    return responses
