"""Outages of S3 stores: every call reports them in time, and works again after the server has recovered."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from storage.errors import Unavailable
from storage.media.object_store import ObjectStore
from storage.media.s3 import S3Store
from storage.media.s3_client import Bucket, RequestLimits
from storage.media.s3_credentials import FileCredentials
from tests.engines.object_stores import (
    TIMEOUTS,
    FixedCredentials,
    get_url,
    new_backend,
    read,
    s3_store,
    same_store,
    write,
)
from tests.servers.seaweed import SeaweedServer

SHORT = RequestLimits(connect_s=1, read_s=1, attempts=1)


def calls_of(store: ObjectStore) -> dict[str, Callable[[], object]]:
    """All calls that make requests to the bucket."""
    return {
        "stat": lambda: store.stat("object"),
        "open": lambda: store.open("object"),
        "write": lambda: write(store, "object"),
        "delete": lambda: store.delete("object"),
        "delete_many": lambda: store.delete_many(["object", "other"]),
        "object_ids": lambda: list(store.object_ids()),
        "remove_abandoned": store.remove_abandoned,
        "check": store.check,
    }


def assert_unavailable(store: S3Store, *names: str, within_s: float = 15) -> None:
    """Check that these calls (default: all) raise Unavailable in time, with only the backend's id in the message."""
    for name, call in calls_of(store).items():
        if names and name not in names:
            continue
        started = time.monotonic()
        with pytest.raises(Unavailable) as outage:
            call()
        assert time.monotonic() - started < within_s, name
        assert outage.value.message.startswith(f"storage backend {store.backend.id} is unavailable"), name
        for secret in (store._bucket.name, store._bucket.endpoint, store._connection.credentials().access_key):
            assert secret not in outage.value.message


def test_a_missing_bucket_is_an_outage(server: SeaweedServer) -> None:
    assert_unavailable(s3_store(server, f"bucket-{uuid.uuid4()}"))


def test_denied_requests_are_an_outage(server: SeaweedServer, store: S3Store) -> None:
    write(store, "object")
    for credentials in (FixedCredentials(server.access_key, "wrong"), FixedCredentials("unknown", "wrong")):
        denied = S3Store(new_backend("s3"), store._bucket, credentials, **TIMEOUTS)
        assert_unavailable(denied)
        assert httpx.get(get_url(denied, "object")).status_code == 403


def test_missing_credentials_are_an_outage(store: S3Store, tmp_path: Path) -> None:
    without = S3Store(new_backend("s3"), store._bucket, FileCredentials(tmp_path / "nothing"), **TIMEOUTS)
    with pytest.raises(Unavailable, match="no credentials") as outage:
        without.download_urls(["object"], presigned=None, base_url="")
    assert str(tmp_path) not in outage.value.message


def test_the_store_works_again_after_a_crash_of_its_server(tmp_path: Path) -> None:
    with SeaweedServer(tmp_path) as server:
        store = s3_store(server)
        data = write(store, "object", os.urandom(1_000_000) * 40)
        limited = same_store(store, server, limits=SHORT)
        stream = store.open("object")
        server.kill()
        assert_unavailable(limited)
        assert get_url(store, "object").startswith(server.endpoint)
        with pytest.raises(Unavailable, match=store.backend.id):
            stream.read()
        server.start()
        store.check()
        assert read(store, "object") == data
        write(store, "another")
        assert sorted(store.object_ids()) == ["another", "object"]

        server.pause()
        assert_unavailable(limited, "stat", "write", "object_ids", "check", within_s=5)
        server.resume()
        # A request of before the crash may still be carried out and replace "object".
        assert read(limited, "another") == b"bytes"


@contextmanager
def faulty(status: int, code: str) -> Iterator[str]:
    """The endpoint of a store that sends this response to every request."""
    body = f"<Error><Code>{code}</Code><Message>internal: bucket-7 of node-9</Message></Error>".encode()

    class Response(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Response) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (502, ""),
        (403, "RequestTimeTooSkewed"),
        (400, "ExpiredToken"),
        (307, "TemporaryRedirect"),
        (200, ""),
    ],
)
def test_any_invalid_response_is_an_outage(status: int, code: str) -> None:
    with faulty(status, code) as endpoint:
        bucket = Bucket("bucket-7", endpoint, "us-east-1")
        store = S3Store(new_backend("s3"), bucket, FixedCredentials("a", "b"), **TIMEOUTS, limits=SHORT)
        calls = calls_of(store)
        if status == 200:
            # These responses have no error code, only a status.
            del calls["check"], calls["delete"]
        for name, call in calls.items():
            with pytest.raises(Unavailable) as outage:
                call()
            assert outage.value.message == f"storage backend {store.backend.id} is unavailable", name


@contextmanager
def breaking(server: SeaweedServer, after_bytes: int, times: int) -> Iterator[str]:
    """An endpoint that forwards everything, but breaks some connections after a number of bytes of the response."""
    target = urlsplit(server.endpoint)
    listener = socket.create_server(("127.0.0.1", 0))
    left = [times]

    def forward(source: socket.socket, sink: socket.socket, *, answers: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if answers and passed > after_bytes and left[0]:
                    left[0] -= 1
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection((target.hostname, target.port))
                threading.Thread(
                    target=forward, args=(client, upstream), kwargs={"answers": False}, daemon=True
                ).start()
                threading.Thread(target=forward, args=(upstream, client), kwargs={"answers": True}, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_request_is_retried_after_a_broken_connection(server: SeaweedServer, store: S3Store) -> None:
    write(store, "object")
    with breaking(server, 0, 2) as endpoint:
        place = Bucket(store._bucket.name, endpoint, server.region, prefix=store._bucket.prefix)
        shaky = S3Store(new_backend("s3"), place, FixedCredentials(server.access_key, server.secret_key), **TIMEOUTS)
        assert shaky.stat("object") == store.stat("object")


@pytest.mark.parametrize(("times", "recovers"), [(2, True), (9, False)])
def test_a_download_is_resumed_after_a_broken_connection(
    server: SeaweedServer, store: S3Store, times: int, recovers: bool
) -> None:
    data = write(store, "object", os.urandom(3_000_000))
    with breaking(server, 500_000, times) as endpoint:
        place = Bucket(store._bucket.name, endpoint, server.region, prefix=store._bucket.prefix)
        shaky = S3Store(new_backend("s3"), place, FixedCredentials(server.access_key, server.secret_key), **TIMEOUTS)
        with shaky.open("object") as stream:
            if recovers:
                assert stream.read() == data
            else:
                with pytest.raises(Unavailable):
                    stream.read()


def test_a_download_never_mixes_an_object_with_its_replacement(server: SeaweedServer, store: S3Store) -> None:
    old = write(store, "object", os.urandom(3_000_000))
    with breaking(server, 500_000, 1) as endpoint:
        place = Bucket(store._bucket.name, endpoint, server.region, prefix=store._bucket.prefix)
        shaky = S3Store(new_backend("s3"), place, FixedCredentials(server.access_key, server.secret_key), **TIMEOUTS)
        with shaky.open("object") as stream:
            start = stream.read(1000)
            write(store, "object", os.urandom(3_000_000))
            assert start == old[:1000]
            with pytest.raises(Unavailable):
                stream.read()
