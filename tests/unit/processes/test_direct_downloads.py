"""Downloads that the kernel sends from the file, over real connections."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tams_server.processes import direct_transfer
from tams_server.processes.direct_socket import DirectSocket
from tams_server.processes.file_response import send_file
from tests.conformance.kit.polling import wait_until
from tests.unit.media.plane.media_requests import get_url, stored
from tests.unit.processes.media_server import MediaServer, media_server, open_sockets

DATA = os.urandom(9_000_001)
SMALL = b"small" * 100


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MediaServer]:
    with media_server(tmp_path) as server:
        stored(server.store, DATA)
        stored(server.store, SMALL, "small")
        yield server


def test_bytes_arrive_and_the_connection_serves_the_next_request(server: MediaServer) -> None:
    with server.connect() as client:
        for _ in range(3):
            client.send("GET", get_url(server.store))
            status, headers, body = client.response()
            assert (status, headers["content-length"], body == DATA) == (200, str(len(DATA)), True)
            client.send("GET", get_url(server.store, "small"))
            assert client.response()[2] == SMALL


def test_pipelined_requests_are_served_in_order(server: MediaServer) -> None:
    with server.connect() as client:
        for _ in range(2):
            client.send("GET", get_url(server.store))
            client.send("GET", get_url(server.store, "small"))
        assert [client.response()[2] for _ in range(4)] == [DATA, SMALL, DATA, SMALL]


@pytest.mark.parametrize(("first", "last"), [(0, 299_999), (4_000_000, 8_999_999), (5, 9_000_000)])
def test_ranges_are_exact(server: MediaServer, first: int, last: int) -> None:
    with server.connect() as client:
        client.send("GET", get_url(server.store), range=f"bytes={first}-{last}")
        status, headers, body = client.response()
        assert (status, headers["content-range"]) == (206, f"bytes {first}-{last}/{len(DATA)}")
        assert body == DATA[first : last + 1]


def test_head_has_no_body(server: MediaServer) -> None:
    with server.connect() as client:
        client.send("HEAD", get_url(server.store))
        status, headers = client.head()
        assert (status, headers["content-length"]) == (200, str(len(DATA)))
        client.send("GET", get_url(server.store, "small"))
        assert client.response()[2] == SMALL


def test_connection_closes_after_the_file_if_the_client_asks_for_it(server: MediaServer) -> None:
    with server.connect() as client:
        client.send("GET", get_url(server.store), connection="close")
        assert client.head()[1]["connection"] == "close"
        assert client.rest() == DATA


def test_clients_that_do_not_read_hold_nobody_up(server: MediaServer) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(server.connect(receive_buffer=4096)).send("GET", get_url(server.store))
        client = stack.enter_context(server.connect())
        client.send("GET", get_url(server.store))
        assert client.response()[2] == DATA


def test_slow_client_gets_every_byte(server: MediaServer) -> None:
    with server.connect(receive_buffer=4096) as client:
        client.send("GET", get_url(server.store), range="bytes=0-599999")
        assert client.response()[2] == DATA[:600_000]


def test_disconnected_clients_leave_nothing_open(server: MediaServer) -> None:
    before = open_sockets()
    for linger in (b"\1\0\0\0\0\0\0\0", b"\0" * 8):
        with server.connect(receive_buffer=4096) as client:
            client.send("GET", get_url(server.store))
            client.head()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    wait_until(lambda: open_sockets() <= before, "closed sockets", 10)


def test_clients_that_disconnect_before_the_response_are_no_error(
    server: MediaServer, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_sockets()
    for _ in range(100):
        with server.connect() as client:
            client.send("GET", get_url(server.store))
            client.reset_when_closed()
    wait_until(lambda: open_sockets() <= before, "closed sockets", 10)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_bytes_that_were_not_sent_are_not_counted(server: MediaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    async def send_and_count(direct: DirectSocket, file: int, offset: int, count: int) -> int:
        counts.append(await send_file(direct, file, offset, count))
        return counts[-1]

    monkeypatch.setattr(direct_transfer, "send_file", send_and_count)
    with server.connect(receive_buffer=4096) as client:
        client.send("GET", get_url(server.store))
        client.head()
        client.reset_when_closed()
    wait_until(lambda: counts, "the end of the download", 10)
    assert 0 <= counts[0] < len(DATA)
    with server.connect() as client:
        client.send("GET", get_url(server.store))
        client.response()
    assert counts[1:] == [len(DATA)]


def test_file_that_is_cut_off_closes_the_connection(server: MediaServer, tmp_path: Path) -> None:
    with server.connect(receive_buffer=4096) as client:
        client.send("GET", get_url(server.store))
        client.head()
        largest = max((tmp_path / "objects").rglob("*"), key=lambda path: path.stat().st_size)
        os.truncate(largest, 5_000_000)
        assert len(client.rest()) <= 5_000_000
