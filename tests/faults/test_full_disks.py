"""Disks that really fill up, on the catalogue, on media, on both, and on PostgreSQL's data: nothing is lost or torn.

Clients change the store all the time and keep books (tests.soak). Another program fills the disk under them: first into
the reserve, then to the last byte. In the end it makes room.
"""

import contextlib
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import ServerProcess
from tests.servers.postgres import PostgresServer
from tests.servers.small_disks import MIB, fill, free_bytes, reason_against, run_on_small_disks
from tests.soak.author import Author
from tests.soak.contents import check_output

pytestmark = pytest.mark.skipif(bool(reason_against()), reason=reason_against())

AUTHORS = 2
RESERVE = 8 * MIB
DISK = 40 * MIB
POSTGRESQL_DISK = 128 * MIB
UNDER_FIRE_S = 1.0
"""Time for which clients go on changing the store in each state of the disk."""
_TIMEOUT_S = 30
_BACKEND = "10fac26c-0c18-47c4-9bee-a6aaf01daf16"
_FULL = (503, 507)


@pytest.mark.timeout(240)
def test_full_catalogue(tmp_path: Path) -> None:
    run_on_small_disks({tmp_path / "data": DISK}, _fill_the_catalogue, tmp_path)


@pytest.mark.timeout(240)
def test_full_media(tmp_path: Path) -> None:
    run_on_small_disks({tmp_path / "media": DISK}, _fill_the_media, tmp_path)


@pytest.mark.timeout(240)
def test_full_catalogue_and_media(tmp_path: Path) -> None:
    run_on_small_disks({tmp_path / "data": DISK}, _fill_both, tmp_path)


@pytest.mark.timeout(240)
@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL cannot run as the root of a user namespace; run it as root")
def test_full_postgresql(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tams-full-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL is another user
        disk = Path(folder, "disk")
        run_on_small_disks({disk: POSTGRESQL_DISK}, _fill_postgresql, tmp_path, disk)


def _fill_the_catalogue(folder: Path) -> None:
    with _server(folder, _elsewhere(folder)) as (server, http):
        data = folder / "data"
        with _authors(server) as authors:
            kept = _make_flow(http, 4)
            _fill_while_clients_write(data, RESERVE // 2, authors)
            _require_refused(http, "the catalogue's file system is full")
            _require_readable(http, kept)
            assert http.delete(f"{kept}/segments?timerange=[0:0_1:0)").status_code == 204, "deletions still go"
            assert http.put(f"{kept}/label", json="changed").status_code == 204, "changes of what is there still go"
            _wait_for_readiness(http, 503)
            _fill_while_clients_write(data, 0, authors)
            assert free_bytes(data) == 0
            _require_refused(http, "full")
            _require_readable(http, kept)
            (data / "of-another-program").unlink()
            _require_recovery(http)
        _check(server, authors)


def _fill_the_media(folder: Path) -> None:
    media = folder / "media"
    with _server(folder, _elsewhere(folder, media)) as (server, http):
        with _authors(server) as authors:
            kept = _make_flow(http, 4)
            _fill_while_clients_write(media, RESERVE // 2, authors)
            _require_upload_refused(http, kept)
            _require_readable(http, kept)
            assert http.put(f"{kept}/label", json="changed").status_code == 204, "the catalogue is not full"
            assert http.delete(f"{kept}/segments?timerange=[0:0_1:0)").status_code == 204, "deletions still go"
            _fill_while_clients_write(media, 0, authors)
            assert free_bytes(media) == 0
            _require_upload_refused(http, kept)
            _require_readable(http, kept)
            (media / "of-another-program").unlink()
            _require_recovery(http)
        _check(server, authors)


def _fill_both(folder: Path) -> None:
    with _server(folder, {}) as (server, http):
        data = folder / "data"
        with _authors(server) as authors:
            kept = _make_flow(http, 4)
            _fill_while_clients_write(data, 0, authors)  # at once, past the reserve
            _require_refused(http, "full")
            _require_readable(http, kept)
            _wait_for_readiness(http, 503)
            (data / "of-another-program").unlink()
            _require_recovery(http)
        _check(server, authors)


def _fill_postgresql(folder: Path, disk: Path) -> None:
    """PostgreSQL stops when its log of changes cannot be written, and recovers once there is room."""
    with ExitStack() as stack:
        postgres = PostgresServer.open(disk / "postgresql", ("min_wal_size=32MB", "max_wal_size=48MB"))
        stack.callback(postgres.kill)
        with _server(folder, {"TAMS_DATABASE_URL": postgres.url()}) as (server, http):
            with _authors(server) as authors:
                _fill_while_clients_write(disk, 0, authors)
                wait_until(lambda: _put_large_flow(http) == 503, "the end of changes", _TIMEOUT_S)
                (disk / "of-another-program").unlink()
                with contextlib.suppress(RuntimeError):  # it runs
                    postgres.start()
                _require_recovery(http)
            _check(server, authors)


@contextmanager
def _server(folder: Path, settings: dict[str, str]) -> Iterator[tuple[ServerProcess, httpx.Client]]:
    common = {
        "TAMS_WORKERS": "2",
        "TAMS_FREE_SPACE_RESERVE": str(RESERVE),
        "TAMS_OBJECT_GRACE": "0",
        "TAMS_WORKER_INTERVAL": "0.1",
        "TAMS_ASYNC_DELETION_THRESHOLD": "12",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with ServerProcess(folder, common | settings) as server, server.client() as http:
        yield server, http
        assert "Traceback" not in server.log, server.log[server.log.index("Traceback") :][:3000]


@contextmanager
def _authors(server: ServerProcess) -> Iterator[list[Author]]:
    authors = [Author(server.client(), 0.05) for _ in range(AUTHORS)]
    for author in authors:
        author.start()
    try:
        wait_until(lambda: all(author.books.uploaded for author in authors), "the first uploads", _TIMEOUT_S)
        yield authors
    finally:
        for author in authors:
            author.stop()


def _elsewhere(folder: Path, media: Path | None = None) -> dict[str, str]:
    """Settings with the media in a folder of their own."""
    media = media or folder / "media"
    media.mkdir(exist_ok=True)
    backend = {"id": _BACKEND, "label": "media", "kind": "files", "folder": str(media), "default": True}
    file = folder / "backends.yaml"
    file.write_text(yaml.safe_dump({"backends": [backend]}))
    return {"TAMS_STORAGE_BACKENDS": str(file)}


def _fill_while_clients_write(disk: Path, leave: int, authors: list[Author]) -> None:
    fill(disk, leave)
    threading.Event().wait(UNDER_FIRE_S)
    fill(disk, leave)
    for author in authors:
        assert not author.findings, str(author.findings)
        assert author.is_alive()


def _make_flow(http: httpx.Client, segments: int) -> str:
    """A flow with this many segments that have bytes. Returns its path."""
    document = flow()
    path = f"/flows/{document['id']}"
    http.put(path, json=document).raise_for_status()
    for second in range(segments):
        item = _allocate(http, path).raise_for_status().json()["media_objects"][0]
        _upload(item).raise_for_status()
        segment = {"object_id": item["object_id"], "timerange": f"[{second}:0_{second + 1}:0)"}
        http.post(f"{path}/segments", json=segment).raise_for_status()
    return path


def _allocate(http: httpx.Client, path: str) -> httpx.Response:
    return http.post(f"{path}/storage", json={"limit": 1})


def _upload(item: Json) -> httpx.Response:
    put_url = item["put_url"]
    return httpx.put(put_url["url"], content=b"x" * 10_000, headers={"Content-Type": put_url["content-type"]})


def _require_refused(http: httpx.Client, reason: str) -> None:
    """What adds rows is rejected with the reason before it changes anything."""
    document = flow()
    response = http.put(f"/flows/{document['id']}", json=document)
    assert response.status_code in _FULL, response.text
    assert "Retry-After" in response.headers
    assert reason in response.json()["detail"], response.text
    assert http.get(f"/flows/{document['id']}").status_code == 404


def _require_upload_refused(http: httpx.Client, path: str) -> None:
    response = _allocate(http, path)
    if response.status_code == 201:
        response = _upload(response.json()["media_objects"][0])
    assert response.status_code in _FULL, response.text
    assert "full" in response.text


def _require_readable(http: httpx.Client, path: str) -> None:
    assert http.get("/flows").status_code == 200
    segments = http.get(f"{path}/segments", params={"presigned": "true"}).raise_for_status().json()
    for segment in segments:
        assert httpx.get(segment["get_urls"][0]["url"]).content == b"x" * 10_000


def _wait_for_readiness(http: httpx.Client, status: int) -> None:
    wait_until(lambda: http.get("/readyz").status_code == status, f"/readyz to respond with {status}", _TIMEOUT_S)


def _put_large_flow(http: httpx.Client) -> int:
    document = flow(description=secrets.token_hex(25_000))
    response = http.put(f"/flows/{document['id']}", json=document)
    assert response.status_code in (201, 503), response.text
    return response.status_code


def _require_recovery(http: httpx.Client) -> None:
    """Without a restart, changes and uploads succeed again."""
    _wait_for_readiness(http, 200)
    began = time.monotonic()
    _make_flow(http, 1)
    assert time.monotonic() - began < _TIMEOUT_S


def _check(server: ServerProcess, authors: list[Author]) -> None:
    """Everything that was acknowledged is there, and nothing else."""
    for author in authors:
        author.check_everything()
        assert not author.findings, str(author.findings)
        print(f"{author.books.acknowledged} changes acknowledged, {author.books.unavailable} unavailable")
    assert not check_output(server)
