"""Files and folders are removed, replaced or unmounted under a server with several processes."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import ServerProcess
from tests.soak.author import Author
from tests.soak.contents import check_output

SETTINGS = {"TAMS_WORKERS": "2", "TAMS_WORKER_INTERVAL": "0.1"}
_TIMEOUT_S = 30
_UNDER_FIRE_S = 1.0
"""Time for which clients go on changing the store while its media are away."""
MEDIA = b"media"


def _remove(data: Path) -> None:
    (data / "catalog.db").unlink()


def _replace_by_an_old_copy(data: Path) -> None:
    (data / "old.db").replace(data / "catalog.db")


def _unmount(data: Path) -> None:
    data.rename(data.with_name("unmounted"))
    data.mkdir()


def _put(http: httpx.Client) -> tuple[int, str, str]:
    document = flow()
    response = http.put(f"/flows/{document['id']}", json=document)
    return response.status_code, document["id"], response.text


def _check_lost(response: httpx.Response, reason: str) -> None:
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert reason in response.json()["detail"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lose", [_remove, _replace_by_an_old_copy, _unmount])
def test_nothing_is_acknowledged_once_the_catalogue_is_lost(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    with ServerProcess(tmp_path / "server", SETTINGS) as server, server.client() as http:
        data = server.folder / "data"
        assert _put(http)[0] == 201
        with closing(sqlite3.connect(data / "catalog.db")) as source, closing(sqlite3.connect(data / "old.db")) as copy:
            source.backup(copy)
        assert http.get("/readyz").status_code == 200
        lose(data)
        found = sorted(path.name for path in data.iterdir())
        for _ in range(30):
            status, _, text = _put(http)
            assert status == 503
            assert "the catalogue's file was" in text
        wait_until(lambda: http.get("/flows").status_code == 503, "reads to end", _TIMEOUT_S)
        wait_until(lambda: http.get("/readyz").status_code == 503, "readiness to end", _TIMEOUT_S)
        _check_lost(http.get("/readyz"), "the catalogue's file was")
        assert http.get("/healthz").status_code == 200
        assert sorted(path.name for path in data.iterdir()) == found, "nothing is made again"


@pytest.mark.timeout(120)
def test_a_lost_folder_of_media_is_an_outage_of_media_alone(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "server", SETTINGS) as server, server.client() as http:
        media = server.folder / "data" / "media"
        path, url = _upload(http)
        media.rename(media.with_name("unmounted"))
        for name in ("objects", "incoming"):
            (media / name).mkdir(parents=True)
        _check_lost(httpx.get(url), "no marker")
        put_url = _allocate(http, path)["put_url"]
        _check_lost(
            httpx.put(put_url["url"], content=MEDIA, headers={"Content-Type": put_url["content-type"]}), "marker"
        )
        wait_until(lambda: http.get("/readyz").status_code == 503, "readiness to end", _TIMEOUT_S)
        assert http.get(f"{path}/segments").status_code == 200
        assert [entry for entry in media.rglob("*") if entry.is_file()] == []
        shutil.rmtree(media)
        media.with_name("unmounted").rename(media)
        wait_until(lambda: httpx.get(url).status_code == 200, "the media", _TIMEOUT_S)
        assert httpx.get(url).content == MEDIA
        wait_until(lambda: http.get("/readyz").status_code == 200, "readiness", _TIMEOUT_S)


def _bare(replacement: Path) -> str:
    """An empty file system is mounted in place of the media."""
    return "no marker"


def _of_another_installation(replacement: Path) -> str:
    """The media of another server are mounted in place of those of this one."""
    for name in ("objects", "incoming"):
        (replacement / name).mkdir()
    (replacement / "tams-backend").write_text("10fac26c-0c18-47c4-9bee-a6aaf01daf16\n")
    return "marker of another"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("prepare", [_bare, _of_another_installation])
def test_a_mount_of_media_that_is_replaced_under_traffic_loses_nothing(
    tmp_path: Path, prepare: Callable[[Path], str]
) -> None:
    """Renamed into place, as a mount appears to the server: at once, with nothing in between."""
    settings = SETTINGS | {"TAMS_OBJECT_GRACE": "0", "TAMS_ASYNC_DELETION_THRESHOLD": "12"}
    with ServerProcess(tmp_path / "server", settings) as server, server.client() as http:
        media = server.folder / "data" / "media"
        mounted, replacement = media.with_name("mounted"), media.with_name("replacement")
        authors = [Author(server.client(), 0.05) for _ in range(2)]
        for author in authors:
            author.start()
        wait_until(lambda: all(author.books.uploaded for author in authors), "the first uploads", _TIMEOUT_S)
        path, url = _upload(http)
        replacement.mkdir()
        reason = prepare(replacement)
        found = _names(replacement)
        _exchange(media, replacement, mounted)
        _check_lost(httpx.get(url), "marker")
        wait_until(lambda: http.get("/readyz").status_code == 503, "readiness to end", _TIMEOUT_S)
        assert reason in http.get("/readyz").text
        assert http.get(f"{path}/segments").status_code == 200
        time.sleep(_UNDER_FIRE_S)
        assert _names(media) == found, "nothing is written to what is not the server's"
        _exchange(media, mounted, replacement)
        wait_until(lambda: http.get("/readyz").status_code == 200, "readiness", _TIMEOUT_S)
        for author in authors:
            author.stop()
            author.check_everything()
            assert not author.findings, str(author.findings)
        assert httpx.get(url).content == MEDIA
        assert not check_output(server)


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _exchange(place: Path, new: Path, old: Path) -> None:
    """Put `new` in its place, and what was there aside, as `old`."""
    place.rename(old)
    new.rename(place)


def _allocate(http: httpx.Client, path: str) -> dict[str, Any]:
    allocated: dict[str, Any] = http.post(f"{path}/storage", json={"limit": 1}).raise_for_status().json()
    first: dict[str, Any] = allocated["media_objects"][0]
    return first


def _upload(http: httpx.Client) -> tuple[str, str]:
    """The path of a flow with one segment, and a URL of its media."""
    status, flow_id, _ = _put(http)
    assert status == 201
    path = f"/flows/{flow_id}"
    allocated = _allocate(http, path)
    put_url = allocated["put_url"]
    httpx.put(put_url["url"], content=MEDIA, headers={"Content-Type": put_url["content-type"]}).raise_for_status()
    segment = {"object_id": allocated["object_id"], "timerange": "[0:0_1:0)"}
    http.post(f"{path}/segments", json=segment).raise_for_status()
    listed = http.get(f"{path}/segments", params={"presigned": True}).raise_for_status().json()
    return path, listed[0]["get_urls"][0]["url"]
