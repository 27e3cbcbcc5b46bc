"""Uploads whose bodies threads read from the socket, over real connections."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.kit.polling import wait_until
from tests.unit.media.plane.media_requests import TYPE, assert_nothing_kept, get_url, put_url, read, stored
from tests.unit.processes.media_server import MediaServer, RawClient, media_server, open_sockets

DATA = os.urandom(5_000_001)
SIZES = [0, 1, 1000, 70_000, 300_000, 1_048_576, len(DATA)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MediaServer]:
    with media_server(tmp_path, stall_timeout_s=20) as server:
        yield server


def begin_put(client: RawClient, server: MediaServer, length: int, body: bytes = b"", **headers: str) -> None:
    headers = {"content_type": TYPE, "content_length": str(length)} | headers
    client.send("PUT", put_url(server.store), body, **headers)


@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_stored_and_the_connection_serves_the_next_request(server: MediaServer, size: int) -> None:
    with server.connect() as client:
        for end in (size, size // 2):
            begin_put(client, server, end, DATA[:end])
            assert client.response()[0] == 200
            assert read(server.store) == DATA[:end]
            client.send("GET", get_url(server.store))
            assert client.response()[2] == DATA[:end]


@pytest.mark.parametrize("size", SIZES)
def test_client_that_waits_for_100_gets_it(server: MediaServer, size: int) -> None:
    with server.connect() as client:
        begin_put(client, server, size, expect="100-continue")
        assert client.head()[0] == 100
        client.socket.sendall(DATA[:size])
        assert client.response()[0] == 200
        assert read(server.store) == DATA[:size]


def test_client_that_waits_for_100_gets_the_error_without_sending(server: MediaServer) -> None:
    with server.connect() as client:
        begin_put(client, server, len(DATA), expect="100-continue", content_type="video/wrong")
        assert client.head()[0] == 400


def test_pipelined_requests_are_served_in_order(server: MediaServer) -> None:
    stored(server.store, b"other", "other")
    with server.connect() as client:
        for end in (1000, len(DATA), 300_000):
            client.send("GET", get_url(server.store, "other"))
            begin_put(client, server, end, DATA[:end])
        for _ in range(3):
            assert client.response()[2] == b"other"
            assert client.response()[0] == 200
        assert read(server.store) == DATA[:300_000]


def test_body_in_small_pieces_is_stored(server: MediaServer) -> None:
    with server.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin_put(client, server, 700_000)
        for start in range(0, 700_000, 7_000):
            client.socket.sendall(DATA[start : start + 7_000])
        assert client.response()[0] == 200
        assert read(server.store) == DATA[:700_000]


def test_chunked_body_is_stored(server: MediaServer) -> None:
    with server.connect() as client:
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (DATA[:100_000], DATA[100_000:]))
        client.send("PUT", put_url(server.store), body + b"0\r\n\r\n", content_type=TYPE, transfer_encoding="chunked")
        assert client.response()[0] == 200
        assert read(server.store) == DATA


def test_connection_stays_usable_after_an_error_about_the_head(server: MediaServer) -> None:
    with server.connect() as client:
        begin_put(client, server, len(DATA), DATA, content_type="video/wrong")
        assert client.response()[0] == 400
        begin_put(client, server, 3, b"abc")
        assert client.response()[0] == 200
        assert read(server.store) == b"abc"


@pytest.mark.parametrize("room", [0, 1_500_000])
def test_full_disk_gets_503_and_keeps_nothing(
    server: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    real, written = os.write, []

    def write(fd: int, data: bytes | memoryview) -> int:
        written.append(len(data))
        if sum(written) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    with server.connect() as client:
        monkeypatch.setattr("storage.media.object_file.os.write", write)
        begin_put(client, server, len(DATA), DATA[:3_000_000])
        status, headers, _ = client.response()
        monkeypatch.undo()
        assert status == 503
        client.socket.sendall(DATA[3_000_000:])
        if headers.get("connection") == "close":
            client.socket.shutdown(socket.SHUT_WR)
            assert client.rest() == b""
        else:
            begin_put(client, server, 3, b"abc")
            assert client.response()[0] == 200
            server.store.delete("object")
        assert room == 0 or headers["connection"] == "close"
    assert_nothing_kept(server.store, tmp_path)


@pytest.mark.parametrize("sent", [0, 10, 1_500_000])
def test_disconnect_in_mid_upload_leaves_nothing(server: MediaServer, tmp_path: Path, sent: int) -> None:
    before = open_sockets()
    for linger in (b"\1\0\0\0\0\0\0\0", b"\0" * 8):
        with server.connect() as client:
            begin_put(client, server, len(DATA), DATA[:sent])
            wait_until(lambda: list((tmp_path / "incoming").iterdir()), "an upload", 10)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        wait_until(lambda: not list((tmp_path / "incoming").iterdir()), "the end of the upload", 10)
    wait_until(lambda: open_sockets() <= before, "closed sockets", 10)
    assert_nothing_kept(server.store, tmp_path)


def test_clients_that_disconnect_at_once_are_no_error(
    server: MediaServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_sockets()
    for _ in range(100):
        with server.connect() as client:
            begin_put(client, server, len(DATA), expect="100-continue")
            client.reset_when_closed()
    wait_until(lambda: open_sockets() <= before, "closed sockets", 10)
    wait_until(lambda: not list((tmp_path / "incoming").iterdir()), "the end of the uploads", 10)
    assert_nothing_kept(server.store, tmp_path)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("sent", [0, 10, 1_500_000])
def test_stalled_upload_gets_408(tmp_path: Path, sent: int) -> None:
    with media_server(tmp_path, stall_timeout_s=0.2) as server, server.connect() as client:
        begin_put(client, server, len(DATA), DATA[:sent])
        status, headers, _ = client.response()
        assert (status, headers["connection"]) == (408, "close")
        assert_nothing_kept(server.store, tmp_path)


def test_uploads_that_wait_for_their_clients_hold_nobody_up(server: MediaServer) -> None:
    with ExitStack() as stack:
        for _ in range(60):
            begin_put(stack.enter_context(server.connect()), server, len(DATA), DATA[:100])
        client = stack.enter_context(server.connect())
        begin_put(client, server, len(DATA), DATA)
        assert client.response()[0] == 200
    assert read(server.store) == DATA
