"""Requests whose head is too large, too slow or invalid, on real sockets: a response of ours, and nothing held."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tams_server.http.limits import HEADER_BYTES, HEADER_LINES, TARGET_BYTES
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, own_server
from tests.fuzz.raw_client import RawClient, Response

HEAD_TIMEOUT_S = 1.0
PATHS = ("/service", "/media/x/y", "/healthz", "/docs", "/nowhere")
CORS = "access-control-allow-origin"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    settings = {"TAMS_REQUEST_HEAD_TIMEOUT": str(HEAD_TIMEOUT_S), "TAMS_WORKERS": "1"}
    with own_server(tmp_path_factory.mktemp("server"), settings) as subject:
        yield subject


@pytest.fixture
def client(own: Subject) -> Iterator[RawClient]:
    """A raw client. The server must still respond after the test."""
    client = RawClient(own)
    yield client
    assert client.request("GET", "/service").status == 200


def check_problem(response: Response, status: int) -> None:
    """The response is one of ours, although no handler has seen the request, and ends the connection."""
    assert response.status == status, response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers[CORS] == "*"
    assert response.headers["connection"] == "close"
    problem = json.loads(response.body)
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("path", PATHS)
def test_headers_are_limited_in_bytes_on_every_path(client: RawClient, path: str) -> None:
    check_problem(client.request("GET", path, None, {"X-Large": "x" * HEADER_BYTES}), 431)
    many = {f"X-{number}": "x" * 1000 for number in range(HEADER_BYTES // 1000 + 1)}
    check_problem(client.request("GET", path, None, many), 431)
    assert client.request("GET", path, None, {"X-Large": "x" * (HEADER_BYTES - 500)}).status != 431


@pytest.mark.parametrize("path", PATHS)
def test_headers_are_limited_in_number_on_every_path(client: RawClient, path: str) -> None:
    check_problem(client.request("GET", path, None, {f"X-{n}": "" for n in range(HEADER_LINES)}), 431)
    assert client.request("GET", path, None, {f"X-{n}": "" for n in range(HEADER_LINES - 10)}).status != 431


def test_trailers_count_as_headers_and_never_become_any(client: RawClient) -> None:
    start = client.build("POST", "/service", None, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    trailers = b"".join(b"X-%d: x\r\n" % number for number in range(HEADER_LINES))
    [response] = client.exchange(start + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n")
    check_problem(response, 431)


@pytest.mark.parametrize("path", PATHS)
def test_targets_are_limited_on_every_path(client: RawClient, path: str) -> None:
    check_problem(client.request("GET", path + "?x=" + "a" * TARGET_BYTES), 414)
    assert client.request("GET", path + "?x=" + "a" * (TARGET_BYTES - 100)).status not in (400, 414)


def test_responses_arrive_while_a_client_is_still_sending(client: RawClient) -> None:
    """Closing the connection at once would reset it, and the response could be lost."""
    for size in (10**5, 10**6, 5 * 10**6):
        check_problem(client.request("GET", "/service", None, {"X-Large": "x" * size}), 431)
        check_problem(client.request("GET", "/service?" + "x" * size), 414)


def test_large_heads_are_not_held_in_memory(own: Subject) -> None:
    assert own.process is not None
    before = memory_kib(own.process.pid)
    with connect(own) as connection:
        connection.sendall(b"GET /service HTTP/1.1\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(b"x" * 2**16)
        assert memory_kib(own.process.pid) - before < 16 * 1024


def test_an_endless_trailer_is_not_held_in_memory(own: Subject, client: RawClient) -> None:
    assert own.process is not None
    start = client.build("POST", "/service", None, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    before = memory_kib(own.process.pid)
    with connect(own) as connection:
        connection.sendall(start + b"2\r\n{}\r\n0\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(b"x" * 2**16)
        assert memory_kib(own.process.pid) - before < 16 * 1024


def test_a_request_behind_one_for_an_upgrade_is_served(client: RawClient) -> None:
    upgrade = client.build("GET", "/service", None, {"Connection": "Upgrade, keep-alive", "Upgrade": "h2c"})
    responses = client.exchange(upgrade + client.build("GET", "/flows", None, {}))
    assert [response.status for response in responses] == [200, 200]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_of_a_request_for_an_upgrade_is_not_a_request(client: RawClient, chunked: bool) -> None:
    """Java's HttpClient asks for an upgrade with every first request."""
    body = client.build("GET", "/flows", None, {})
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    upgrade = {"Connection": "Upgrade", "Upgrade": "h2c", "Content-Type": "application/json", **framing}
    head = client.build("POST", "/service", None, upgrade)
    responses = client.exchange(head + framed + client.build("GET", "/service", None, {}))
    assert [response.status for response in responses] == [400, 200]


@pytest.mark.parametrize("path", ["/service", "/media/x/y"])
def test_an_error_closes_a_connection_whose_client_waits_to_send(client: RawClient, path: str) -> None:
    """Otherwise the next request could be read as the body of this one."""
    method = "PUT" if path.startswith("/media") else "POST"
    waiting = {"Authorization": "Bearer wrong", "Expect": "100-continue", "Content-Length": "100"}
    sent = client.build(method, path, None, waiting) + client.build("GET", "/healthz", None, {})
    [response] = client.exchange(sent)
    assert response.status >= 400
    assert response.headers["connection"] == "close"


def memory_kib(pid: int) -> int:
    """The resident memory of the children of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [line for child in children for line in Path(f"/proc/{child}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"])
def test_connections_without_a_request_are_closed(own: Subject, sent: bytes) -> None:
    started = time.monotonic()
    with connect(own) as connection:
        connection.sendall(sent)
        assert connection.recv(1000) == b""
    assert HEAD_TIMEOUT_S * 0.9 <= time.monotonic() - started < HEAD_TIMEOUT_S + 2


@pytest.mark.parametrize("sent", [b"G", b"GET /service HTTP/1.1\r\n", b"GET /service HTTP/1.1\r\nHost: a\r\nX: y"])
def test_incomplete_heads_time_out(client: RawClient, sent: bytes) -> None:
    [response] = client.exchange(sent)
    check_problem(response, 408)


def test_one_header_line_at_a_time_does_not_extend_the_deadline(own: Subject) -> None:
    started = time.monotonic()
    with connect(own) as connection:
        connection.sendall(b"GET /service HTTP/1.1\r\n")
        received = b""
        while not received and time.monotonic() < started + 10:
            connection.sendall(b"X: y\r\n")
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < HEAD_TIMEOUT_S + 2


def test_the_deadline_holds_for_every_request_of_a_connection(own: Subject, client: RawClient) -> None:
    first = client.build("GET", "/healthz", None, {"Connection": "keep-alive"})
    responses = client.exchange(first + b"GET /he")
    assert [response.status for response in responses] == [200, 408]


def test_idle_connections_stay_open_between_requests(own: Subject, client: RawClient) -> None:
    request = client.build("GET", "/healthz", None, {"Connection": "keep-alive"})
    with connect(own) as connection:
        for _ in range(2):
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            time.sleep(HEAD_TIMEOUT_S * 1.5)


def test_blank_lines_do_not_keep_a_connection_open(own: Subject, client: RawClient) -> None:
    with connect(own) as connection:
        connection.sendall(client.build("GET", "/healthz", None, {"Connection": "keep-alive"}))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        closed = False
        deadline = time.monotonic() + 10
        while not closed and time.monotonic() < deadline:
            connection.sendall(b"\r\n")
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                closed = connection.recv(100) == b""
    assert closed


def test_errors_keep_their_place_among_pipelined_requests(client: RawClient) -> None:
    good = client.build("GET", "/service", None, {"Connection": "keep-alive"})
    for bad, status in ((b"nonsense\r\n\r\n", 400), (b"GET /" + b"x" * TARGET_BYTES + b" HTTP/1.1\r\n\r\n", 414)):
        responses = client.exchange(good * 3 + bad + good)
        assert [response.status for response in responses] == [200, 200, 200, status]
        check_problem(responses[-1], status)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"FOO /service HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /service\r\n\r\n",
        b"GET /service HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET /service HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET service HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        b"POST /service HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /service HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /service HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_requests_get_a_problem_document(client: RawClient, sent: bytes) -> None:
    [response] = client.exchange(sent)
    check_problem(response, 400)


def test_error_for_a_head_request_has_no_body(client: RawClient) -> None:
    [response] = client.exchange(b"HEAD /service HTTP/1.1\r\nHost: a/b\r\n\r\n")
    assert response.status == 400
    assert response.body == b""


def test_request_id_of_a_rejected_request_is_kept_and_logged(client: RawClient, own: Subject) -> None:
    [response] = client.exchange(b"GET /flows HTTP/1.1\r\nX-Request-Id: my-own-id\r\n\r\n")
    check_problem(response, 400)
    assert response.headers["x-request-id"] == "my-own-id"
    assert json.loads(response.body)["instance"] == "/flows"


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([], 400),
        (["a", "a"], 400),
        (["a", "b"], 400),
        ([""], 400),
        (["a/b?c"], 400),
        (["a b"], 400),
        (["u@a"], 400),
        (["a:99999"], 400),
        (["[::1"], 400),
        (["a.example"], 200),
        (["[::1]:4010"], 200),
    ],
)
@pytest.mark.parametrize("target", ["/service", "http://a.example/service"])
def test_hosts_are_checked(own: Subject, client: RawClient, hosts: list[str], status: int, target: str) -> None:
    lines = [f"GET {target} HTTP/1.1", f"Authorization: Bearer {own.token}", "Connection: close"]
    lines += [f"Host: {host}" for host in hosts]
    [response] = client.exchange("\r\n".join([*lines, "", ""]).encode())
    assert response.status == status
    if status == 400:
        check_problem(response, 400)
        assert json.loads(response.body)["field"] == "Host"


def test_http_1_0_needs_no_host(own: Subject, client: RawClient) -> None:
    [response] = client.exchange(f"GET /service HTTP/1.0\r\nAuthorization: Bearer {own.token}\r\n\r\n".encode())
    assert response.status == 200


@pytest.mark.parametrize(
    ("target", "base"), [("http://A.example:81", "http://A.example:81"), ("HTTPS://a.example", "https://a.example")]
)
def test_a_target_in_absolute_form_wins_over_the_host(client: RawClient, target: str, base: str) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    assert client.request("PUT", path, json.dumps(document).encode()).status == 201
    response = client.request("POST", f"{target}{path}/storage", b'{"limit":1}', {"Host": "other.example"})
    assert response.status == 201
    assert json.loads(response.body)["media_objects"][0]["put_url"]["url"].startswith(f"{base}/media/")


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity", "deflate", "x", "chunked;a=b"])
def test_transfer_codings_other_than_chunked_are_not_implemented(client: RawClient, coding: str) -> None:
    start = client.build("POST", "/service", None, {"Content-Type": "application/json", "Transfer-Encoding": coding})
    [response] = client.exchange(start + b"2\r\n{}\r\n0\r\n\r\n")
    check_problem(response, 501)


def test_chunked_twice_is_malformed(client: RawClient) -> None:
    start = client.build("POST", "/service", None, {"Transfer-Encoding": "chunked, chunked"})
    [response] = client.exchange(start + b"2\r\n{}\r\n0\r\n\r\n")
    check_problem(response, 400)


def test_a_rejected_body_that_is_too_large_gets_its_response(tmp_path: Path) -> None:
    with own_server(tmp_path, {"TAMS_MAX_BODY_BYTES": "1000", "TAMS_WORKERS": "1"}) as subject:
        client = RawClient(subject)
        response = client.request("POST", "/service", b"x" * 5 * 10**6)
        assert response.status == 413


@pytest.mark.parametrize("encoded", ["%C3%A9" * 100, "%zz" * 300, "%41/" * 200])
def test_paths_with_much_encoding_arrive_as_they_were_sent(client: RawClient, encoded: str) -> None:
    """uvicorn decodes paths, at a cost for everyone; long ones reach the application encoded."""
    path = f"/objects/{encoded}"
    problem = json.loads(client.request("GET", f"{path}?a=%41{'%42' * 200}").body)
    assert problem["status"] == 404
    assert problem["instance"] == path
    answer = client.request("GET", f"/healthz?{'%' * 1000}")
    assert answer.status == 200


def test_rejected_connections_are_closed_on_the_server(own: Subject, client: RawClient) -> None:
    assert own.process is not None
    children = Path(f"/proc/{own.process.pid}/task/{own.process.pid}/children")

    def sockets() -> int:
        pids = children.read_text().split()
        links = [link for pid in pids for link in Path(f"/proc/{pid}/fd").glob("*")]
        return sum(link.is_symlink() and "socket" in str(link.readlink()) for link in links)

    before = sockets()
    for _ in range(20):
        client.exchange(b"nonsense\r\n\r\n")
    wait_until(lambda: sockets() <= before, "the connections to be closed", timeout_s=10)


def connect(subject: Subject) -> socket.socket:
    host, _, port = subject.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)
