"""Behind a proxy and below a base path, every URL in a response can be followed by the client (VER-03)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow

BASE = "/tams/v8.2"
PUBLIC = f"https://media.example.com{BASE}"


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that clients reach at PUBLIC. Requests to it may have the base path or not."""
    with serving(tmp_path_factory.mktemp("below"), public_url=PUBLIC, async_deletion_threshold=0) as running:
        yield running


@pytest.fixture(scope="module")
def two_flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Running]]:
    """A server that trusts proxies, and one that does not. Each has more than one page of flows."""
    with (
        serving(tmp_path_factory.mktemp("trusting"), trust_proxy=True) as trusting,
        serving(tmp_path_factory.mktemp("distrusting")) as distrusting,
    ):
        for running in (trusting, distrusting):
            for document in (flow(), flow()):
                assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
        yield {True: trusting, False: distrusting}


def with_segment(running: Running, prefix: str = "") -> tuple[str, dict[str, Any]]:
    """Return the path of a new flow with one segment, and the media object allocated for it."""
    document = flow()
    path = f"{prefix}/flows/{document['id']}"
    assert running.client.put(path, json=document).status_code == 201
    [item] = running.client.post(f"{path}/storage", json={"limit": 1}).json()["media_objects"]
    segment = {"object_id": item["object_id"], "timerange": "[0:0_10:0)"}
    assert running.client.post(f"{path}/segments", json=segment).status_code == 201
    return path, item


@pytest.mark.behaviour("VER-03")
@pytest.mark.parametrize("path", ["/", "/service", "/healthz", "/openapi.json", "/docs", "/docs/swagger-ui.css"])
@pytest.mark.parametrize("prefix", ["", BASE])
def test_every_path_works_with_and_without_the_base_path(below: Running, prefix: str, path: str) -> None:
    assert below.client.get(prefix + path).status_code == 200


@pytest.mark.behaviour("VER-03", "ROOT-01")
def test_the_base_path_alone_is_the_root(below: Running) -> None:
    assert below.client.get(BASE).json() == below.client.get("/").json()


@pytest.mark.behaviour("VER-03")
@pytest.mark.parametrize("path", ["/tams/v8.2x/service", "/tams/service", "/tams/v8.2/tams/v8.2/service"])
def test_other_paths_are_not_found(below: Running, path: str) -> None:
    assert below.client.get(path).status_code == 404


@pytest.mark.behaviour("VER-03", "SVC-PAGE-07", "AMB-28", "STO-01")
@pytest.mark.parametrize("prefix", ["", BASE])
def test_every_url_in_a_response_is_public(below: Running, prefix: str) -> None:
    path, item = with_segment(below, prefix)
    with_segment(below, prefix)
    assert item["put_url"]["url"].startswith(f"{PUBLIC}/media/")
    for url in below.client.get(f"{path}/segments").json()[0]["get_urls"]:
        assert url["url"].startswith(f"{PUBLIC}/media/")
    listing = below.client.get(f"{prefix}/flows?limit=1&format=urn:x-nmos:format:video")
    link = listing.links["next"]["url"]
    assert link.startswith(f"{PUBLIC}/flows?")
    assert below.client.get(link.removeprefix("https://media.example.com")).status_code == 200
    deleted = below.client.delete(path)
    assert deleted.status_code == 202
    assert deleted.headers["Location"].startswith(f"{PUBLIC}/flow-delete-requests/")


@pytest.mark.behaviour("VER-03", "AUTH-11")
def test_media_are_served_below_the_base_path(below: Running) -> None:
    _, item = with_segment(below, BASE)
    path = item["put_url"]["url"].removeprefix("https://media.example.com")
    headers = {"Content-Type": item["put_url"]["content-type"]}
    assert below.stranger().put(path, content=b"media", headers=headers).status_code == 200
    get_urls = below.client.get(f"/objects/{item['object_id']}?presigned=true").json()["get_urls"]
    for url in get_urls:
        assert below.stranger().get(url["url"].removeprefix("https://media.example.com")).content == b"media"


@pytest.mark.behaviour("SVC-PAGE-07")
@pytest.mark.parametrize(
    ("trust", "headers", "base"),
    [
        (True, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example:8443"}, "https://a.example:8443"),
        (True, {"X-Forwarded-Prefix": "/tams", "X-Forwarded-Host": "a.example, b.example"}, "http://a.example/tams"),
        (True, {"X-Forwarded-Host": "[2001:db8::1]:81"}, "http://[2001:db8::1]:81"),
        (True, {"X-Forwarded-Host": "evil.example/path?"}, ""),
        (True, {"X-Forwarded-Proto": "javascript"}, ""),
        (True, {"X-Forwarded-Prefix": "//evil.example"}, ""),
        (False, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}, ""),
        (False, {"Host": "a.example"}, "http://a.example"),
    ],
)
def test_links_follow_the_headers_of_a_trusted_proxy(
    two_flows: dict[bool, Running], trust: bool, headers: dict[str, str], base: str
) -> None:
    running = two_flows[trust]
    link = running.client.get("/flows?limit=1", headers=headers).links["next"]["url"]
    assert link.startswith(f"{base or running.url}/flows?")


@pytest.mark.behaviour("VER-03")
def test_the_docs_page_finds_its_assets_below_the_base_path(below: Running) -> None:
    page = httpx.URL(f"{PUBLIC}/docs")
    assert str(page.join("docs/start.js")) == f"{PUBLIC}/docs/start.js"
    assert str(page.join("openapi.json")) == f"{PUBLIC}/openapi.json"
    assert below.client.get(f"{BASE}/openapi.json").json()["servers"][0]["url"] == "./"
