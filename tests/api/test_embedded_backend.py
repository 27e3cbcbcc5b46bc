"""The embedded file store, which keeps its identity as long as its folder exists."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow

PATH = "/service/storage-backends"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the default settings, which no test changes."""
    with serving(tmp_path_factory.mktemp("embedded")) as running:
        yield running


def backend(running: Running) -> dict[str, Any]:
    [only] = running.client.get(PATH).json()
    assert isinstance(only, dict)
    return only


@pytest.mark.behaviour("SB-GET-01", "SB-GET-02", "SB-GET-03", "INT-03")
def test_the_backend_describes_itself(running: Running) -> None:
    assert {name: value for name, value in backend(running).items() if name != "id"} == {
        "label": "default",
        "default_storage": True,
        "store_type": "http_object_store",
        "provider": "tams-server",
        "store_product": "embedded file store",
        "region": "local",
    }


@pytest.mark.behaviour("SB-GET-01", "SB-USE-03", "SVC-GEN-02")
def test_the_id_of_the_backend_survives_restarts_and_renaming(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as running:
        first = backend(running)
    with serving(tmp_path / "one", backend_label="newsroom") as running:
        second = backend(running)
    with serving(tmp_path / "other") as running:
        other = backend(running)
    assert second == {**first, "label": "newsroom"}
    assert uuid.UUID(first["id"]).version == 4
    assert other["id"] != first["id"]


@pytest.mark.behaviour("SB-GET-06", "SB-GET-07", "SVC-PAGE-04")
@pytest.mark.parametrize(
    ("query", "count"),
    [("", 1), ("?limit=1", 1), ("?tag.kind=disc", 0), ("?tag_exists.kind=true", 0), ("?tag_exists.kind=false", 1)],
)
def test_one_backend_makes_one_page(running: Running, query: str, count: int) -> None:
    response = running.client.get(PATH + query)
    assert len(response.json()) == count
    assert response.headers["X-Paging-Count"] == str(count)
    assert "Link" not in response.headers
    assert "X-Paging-NextKey" not in response.headers


@pytest.mark.behaviour("TMO-04", "SB-USE-01")
def test_urls_and_media_survive_a_restart(tmp_path: Path) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    with serving(tmp_path) as running:
        assert running.client.put(path, json=document).status_code == 201
        items = running.client.post(f"{path}/storage", json={"limit": 2}).json()["media_objects"]
        upload(running, items[0])
        segment = {"object_id": items[0]["object_id"], "timerange": "[0:0_10:0)"}
        assert running.client.post(f"{path}/segments", json=segment).status_code == 201
        [presigned] = running.client.get(f"{path}/segments?presigned=true").json()[0]["get_urls"]
    with serving(tmp_path) as running:
        upload(running, items[1])
        assert httpx.get(moved(presigned["url"], running)).content == b"media"


def upload(running: Running, item: dict[str, Any]) -> None:
    put_url = item["put_url"]
    headers = {"Content-Type": put_url["content-type"]}
    assert httpx.put(moved(put_url["url"], running), content=b"media", headers=headers).status_code == 200


def moved(url: str, running: Running) -> str:
    """Return a URL from an earlier run, with the port of this one."""
    return running.url + httpx.URL(url).raw_path.decode()


@pytest.mark.behaviour("SVC-POST-06")
def test_the_name_of_the_service_survives_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, service_name="from the settings") as running:
        assert running.client.get("/service").json()["name"] == "from the settings"
        renamed = {"name": "by an administrator", "description": "text"}
        assert running.client.post("/service", json=renamed).status_code == 200
        before = running.client.get("/service").json()
    with serving(tmp_path, service_name="from the settings") as running:
        assert running.client.get("/service").json() == before
    assert renamed.items() <= before.items()


@pytest.mark.behaviour("SVC-GET-05", "SVC-GET-06", "TMO-06", "SVC-GET-08")
def test_the_service_reports_the_timeouts_of_the_settings(tmp_path: Path) -> None:
    with serving(tmp_path, min_object_timeout=900, min_presigned_url_timeout=450, upload_url_timeout=700) as running:
        service = running.client.get("/service").json()
    assert service["min_object_timeout"] == "900:0"
    assert service["min_presigned_url_timeout"] == "450:0"
    assert service["api_version"] == "8.2"
    assert service["event_stream_mechanisms"] == [{"name": "webhooks"}]
    assert service["type"] == "urn:x-tams:service.tams-server"
