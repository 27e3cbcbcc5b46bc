"""F7: uploads of segments that break off, servers that are killed meanwhile, and memory (Linux)."""

import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.tables import open_engine
from storage.tables.engine import Engine
from tests.api.segment_forms import BOUNDARY, file_part, files, form, rows, segment, segment_part
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.request_cost import CostMeter
from tests.faults.server_process import TOKEN, ServerProcess
from tests.servers.stores import MEDIA, running

MIB = 2**20
MEGABYTES = int(os.environ.get("UPLOAD_MEGABYTES", "300"))
"""The size of the large upload."""
GROWTH = 30 * MIB
TABLES = ("objects", "instances", "segments", "garbage")


@pytest.fixture(params=MEDIA)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with running("sqlite", request.param) as stores:
        settings = {"TAMS_WORKERS": "1", "TAMS_OBJECT_GRACE": "0", **stores.settings(tmp_path)}
        with ServerProcess(tmp_path / "server", settings) as process:
            yield process


def make_flow(server: ServerProcess) -> str:
    document = flow()
    with server.client() as client:
        client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return str(document["id"])


def catalogue(server: ServerProcess) -> Engine:
    return open_engine(server.folder / "data" / "catalog.db")


def stored(server: ServerProcess) -> list[Any]:
    """What the catalogue and the folder of media have of objects."""
    engine = catalogue(server)
    try:
        return rows(engine, *TABLES) + files(server.folder / "data" / "media")
    finally:
        engine.close()


def connect(server: ServerProcess, flow_id: str, length: int | None, *headers: str) -> socket.socket:
    """Send the head of an upload. length: None for a body of unknown length."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"POST /flows/{flow_id}/segments HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {TOKEN}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        size,
        *headers,
    ]
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60)
    connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    return connection


def begin_upload(server: ServerProcess, flow_id: str, *, announced: bool = True) -> socket.socket:
    """Send the first of the bytes, and wait until the object is allocated."""
    start = segment_part(segment()) + file_part(b"x" * MIB)[:-2]
    connection = connect(server, flow_id, 100 * MIB if announced else None)
    connection.sendall(start if announced else f"{len(start):x}\r\n".encode() + start + b"\r\n")
    wait_until(lambda: len(stored(server)) >= 2, "the allocation of the object", 60)
    return connection


def test_nothing_is_left_of_uploads_that_break_off(server: ServerProcess) -> None:
    flow_id = make_flow(server)
    for announced in (True, False):
        begin_upload(server, flow_id, announced=announced).close()
        wait_until(lambda: stored(server) == [], "the removal of what was uploaded", 60)
    with server.client() as client:
        assert client.get(f"/flows/{flow_id}/segments").json() == []


def test_nothing_is_left_of_uploads_of_a_killed_server(server: ServerProcess) -> None:
    flow_id = make_flow(server)
    with begin_upload(server, flow_id):
        server.kill()
    engine = catalogue(server)
    with engine.write() as tx:
        [row] = tx.select("objects")
        assert row["state"] == "allocated"
        tx.update("objects", (), {"expires": 1})
    engine.close()
    server.start()
    wait_until(lambda: stored(server) == [], "garbage collection", 60)
    with server.client() as client:
        body = form(segment_part(segment()), file_part(b"again"))
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        assert client.post(f"/flows/{flow_id}/segments", content=body, headers=headers).status_code == 201


def test_a_large_upload_takes_little_memory(server: ServerProcess) -> None:
    flow_id = make_flow(server)
    [pid] = server.serving_pids()
    meter, growth = CostMeter(server.subject, pid), []
    # The first is small, as a store takes some memory with its first use.
    for number, megabytes in enumerate((20, MEGABYTES)):
        head = segment_part(segment(number)) + file_part(b"")[:-2]
        tail = f"\r\n--{BOUNDARY}--\r\n".encode()
        piece = os.urandom(MIB)
        pieces = itertools.chain([head], itertools.repeat(piece, megabytes), [tail])
        length = len(head) + megabytes * MIB + len(tail)
        with connect(server, flow_id, length) as connection, meter.measure() as costs:
            for each in pieces:
                connection.sendall(each)
            connection.settimeout(300)
            assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        growth.append(costs[0].memory)
    assert growth[1] < GROWTH, f"{MEGABYTES} MB took {growth[1] / MIB:.1f} MiB"
    with server.client() as client:
        [_, item] = client.get(f"/flows/{flow_id}/segments?presigned=true").json()
        media = httpx.head(item["get_urls"][0]["url"]) if "/media/" in item["get_urls"][0]["url"] else None
    assert media is None or int(media.headers["Content-Length"]) == MEGABYTES * MIB
    print(f"{MEGABYTES} MB: {growth[1] / MIB:.1f} MiB")


def test_errors_that_the_head_shows_come_before_the_body(server: ServerProcess) -> None:
    """A client that waits for 100 Continue sends nothing in vain."""
    flow_id = make_flow(server)
    for path_id, expected in ((flow()["id"], b"HTTP/1.1 404 "), (flow_id, b"HTTP/1.1 100 ")):
        with connect(server, path_id, 1000, "Expect: 100-continue") as connection:
            assert connection.recv(65536).startswith(expected)
    with server.client() as client:
        client.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    with connect(server, flow_id, 1000, "Expect: 100-continue") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")
