"""The API description: another copy of it can be served, and anyone can read it, without other sites."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tams_server.app import create_app
from tams_server.settings import Settings
from tams_server.specification.document import DOCUMENT, SpecificationError
from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.checker import API
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.profiles import profile
from tests.conformance.kit.raw_http import raw_request

PUBLISHED = API.parents[1] / "shared/spec/upstream"
"""The specification as published, where a copy of it lies beside this checkout."""
COPIES = [
    "own",
    pytest.param("published", marks=pytest.mark.skipif(not PUBLISHED.is_dir(), reason="no published copy is here")),
]


@pytest.fixture(scope="module", params=COPIES)
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of an API folder, without the overlay of this project."""
    folder = tmp_path_factory.mktemp("copies") / "api"
    shutil.copytree(API if request.param == "own" else PUBLISHED, folder)
    (folder / "overlay.yaml").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def running(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that serves the copy, and fails if a response violates it."""
    with serving(tmp_path_factory.mktemp("data"), api_dir=copy) as running:
        yield running


@pytest.fixture
def document(running: Running) -> dict[str, Any]:
    """The document as served."""
    response = running.stranger().get("/openapi.json")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    read: dict[str, Any] = response.json()
    return read


def test_the_document_is_valid_and_complete(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    assert references
    assert all(reference.startswith("#/components/schemas/") for reference in references)
    operations = [item[method] for item in document["paths"].values() for method in item if method != "parameters"]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) > 85  # those of TAMS, and what this server adds
    assert len(set(ids)) == len(ids)
    assert all("x-scopes" in operation or operation.get("security") == [] for operation in operations)
    assert document["servers"] == [{"url": "./", "description": "This server"}]


def test_the_document_served_is_that_of_the_copy(copy: Path, tmp_path: Path) -> None:
    marked = tmp_path / "api"
    shutil.copytree(copy, marked)
    yaml = marked / DOCUMENT
    yaml.write_text(re.sub(r"(?m)^  title: .*$", "  title: A marked copy", yaml.read_text(), count=1))
    with serving(tmp_path / "data", api_dir=marked) as running:
        assert running.stranger().get("/openapi.json").json()["info"]["title"] == "A marked copy"


@pytest.mark.behaviour("SVC-GET-03")
def test_the_api_version_is_that_of_the_copy(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "api"
    shutil.copytree(copy, other)
    yaml = other / DOCUMENT
    yaml.write_text(re.sub(r"(?m)^  version: .*$", '  version: "8.9"', yaml.read_text(), count=1))
    with serving(tmp_path / "data", api_dir=other) as running:
        assert running.client.get("/service").json()["api_version"] == "8.9"
        assert 'api_version="8.9"' in running.stranger().get("/metrics").text


@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA, MULTI])
def test_flows_of_every_format_are_served_over_the_copy(running: Running, format_: str) -> None:
    client = running.client
    made = flow(format_, label="a label", tags={"a": "b", "c": ["d"]})
    path = f"/flows/{made['id']}"
    assert client.put(path, json=made).status_code == 201
    assert client.put(path, json=made).status_code == 204
    read = client.get(path, params={"include_timerange": "true"})
    assert made.items() <= read.json().items()
    assert client.get("/flows", params={"tag.c": "d", "source_id": made["source_id"]}).json()[0]["id"] == made["id"]
    assert client.get(f"/sources/{made['source_id']}").json()["format"] == format_
    assert client.put(path, json={**made, "format": "urn:x-nmos:format:smell"}).status_code == 400
    assert client.delete(path).status_code == 204


def test_media_are_served_over_the_copy(running: Running) -> None:
    client = running.client
    made = flow()
    path = f"/flows/{made['id']}"
    assert client.put(path, json=made).status_code == 201
    [item] = client.post(f"{path}/storage", json={"limit": 1}).json()["media_objects"]
    segment = {"object_id": item["object_id"], "timerange": "[0:0_10:0)"}
    assert client.post(f"{path}/segments", json=segment).status_code == 201
    listed = client.get(f"{path}/segments", params={"include_object_timerange": "true", "verbose_storage": "true"})
    assert segment.items() <= listed.json()[0].items()
    assert listed.headers["X-Paging-Timerange"] == "[0:0_10:0)"
    assert len(client.get(f"{path}/segments").json()[0]["get_urls"]) == 2
    assert client.get(f"{path}/segments", params={"accept_storage_ids": ""}).status_code == 400  # A35
    assert client.get(f"/objects/{item['object_id']}").json()["referenced_by_flows"] == [made["id"]]
    assert client.get(f"{path}/segments", params={"limit": 0}).headers["X-Paging-Limit"] == "1"
    assert client.delete(f"{path}/segments").status_code == 204


def test_other_resources_are_served_over_the_copy(running: Running) -> None:
    client = running.client
    made = profile()
    assert client.post(f"/service/profiles/{made['id']}", json=made).status_code == 201
    hook = {"url": "https://receiver.example.com/", "events": ["flows/created"], "status": "disabled"}
    response = client.post("/service/webhooks", json=hook)
    assert response.status_code == 201
    assert client.get(f"/service/webhooks/{response.json()['id']}").json() == response.json()
    listings = ("storage-backends", "profiles", "webhooks")
    for path in ("/", "/service", "/flow-delete-requests", *(f"/service/{name}" for name in listings)):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
    assert client.get(f"/service/webhooks/{fresh()}").status_code == 404
    assert client.get(f"/flow-delete-requests/{fresh()}").status_code == 404


@pytest.mark.parametrize("fault", ["no-document", "no-schema", "no-yaml", "old"])
def test_an_unusable_copy_stops_the_server_at_start(copy: Path, tmp_path: Path, fault: str) -> None:
    broken = tmp_path / "api"
    shutil.copytree(copy, broken)
    yaml = broken / DOCUMENT
    match fault:
        case "no-document":
            yaml.unlink()
        case "no-schema":
            (broken / "schemas" / "flow-get.json").unlink()
        case "no-yaml":
            yaml.write_text("openapi: [")
        case "old":
            yaml.write_text(re.sub(r"(?m)^openapi: .*$", "openapi: 3.0.3", yaml.read_text()))
    with pytest.raises(SpecificationError, match=r"flow-get\.json" if fault == "no-schema" else re.escape(DOCUMENT)):
        create_app(Settings(data_dir=tmp_path, api_dir=broken))


class _Links(HTMLParser):
    """Collects the URLs that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_docs_page_loads_nothing_from_other_sites(running: Running) -> None:
    page = running.stranger().get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text
    links = _Links()
    links.feed(page.text)
    assert any(link.endswith(".js") for link in links.found)
    for link in links.found:
        asset = running.stranger().get(str(page.url.join(link)))
        assert (asset.status_code, asset.url.host) == (200, page.url.host)
        assert asset.content
        if link.endswith("css"):
            assert re.findall(r"url\((?![\"']?data:)[^)]{,80}|@import", asset.text) == []
    assert "'self'" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"https?:|\*", page.headers["Content-Security-Policy"])


def test_the_docs_page_shows_the_document_of_this_server(running: Running) -> None:
    start = running.stranger().get("/docs/start.js").text
    assert 'url: "openapi.json"' in start
    assert "validatorUrl: null" in start
    assert "http" not in start


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/swagger-ui.css"])
def test_unchanged_pages_are_not_sent_again(running: Running, path: str) -> None:
    client = running.stranger()
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.content))


@pytest.mark.parametrize("path", ["/docs/", "/docs/nothing", "/docs/..%2f..%2fpyproject.toml", "/docs/../openapi.json"])
def test_other_paths_below_docs_are_not_found(running: Running, path: str) -> None:
    # Sent as raw bytes, because a client would resolve the dots.
    head, _ = raw_request(running.url + path, "GET", {"Authorization": f"Bearer {TOKEN}"})
    assert head.startswith(b"HTTP/1.1 404 ")
