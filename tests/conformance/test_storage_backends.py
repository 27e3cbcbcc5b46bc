"""Storage backends: listing, tag filters, read-only access, and their use for media."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import backends, default_backend, read_view
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.skips import not_implemented

PATH = "/service/storage-backends"


@pytest.fixture
def listed(tams: TamsClient) -> list[Json]:
    """All backends in listing order."""
    found = backends(tams)
    assert found, "the server lists no storage backend"
    return found


def by_label(backend: Json) -> tuple[bool, str, str]:
    return ("label" not in backend, backend.get("label", ""), backend["id"])


def by_label_in_either_case(backend: Json) -> tuple[bool, str, str]:
    return ("label" not in backend, backend.get("label", "").casefold(), backend["id"])


@pytest.mark.behaviour("SB-GET-01", "SB-GET-02", "INT-03")
def test_every_backend_has_its_required_members(listed: list[Json]) -> None:
    for backend in listed:
        assert backend["store_type"] == "http_object_store"
        assert backend["provider"]
        assert backend["store_product"]
    assert len({backend["id"] for backend in listed}) == len(listed)


@pytest.mark.behaviour("SB-GET-03")
def test_at_most_one_backend_is_the_default(listed: list[Json]) -> None:
    assert sum(backend.get("default_storage", False) for backend in listed) <= 1


@pytest.mark.behaviour("SB-GET-04", "AMB-33")
@pytest.mark.parametrize("params", [{}, {"reverse_order": False}], ids=str)
def test_backends_are_sorted_by_label(tams: TamsClient, listed: list[Json], params: Json) -> None:
    response = tams.get(PATH, **params)
    assert response.headers["X-Paging-Reverse-Order"] == "false"
    assert listed in (sorted(listed, key=by_label), sorted(listed, key=by_label_in_either_case))
    assert response.json() == listed[: len(response.json())]


@pytest.mark.behaviour("SB-GET-05")
def test_the_order_of_backends_can_be_reversed(tams: TamsClient, listed: list[Json]) -> None:
    pages = list(tams.pages(PATH, reverse_order=True))
    assert [backend for page in pages for backend in page.json()] == listed[::-1]
    assert {page.headers["X-Paging-Reverse-Order"] for page in pages} == {"true"}


@pytest.mark.behaviour("SB-GET-06", "SVC-PAGE-01", "SVC-PAGE-02", "SVC-PAGE-04", "PAGE-03", "PAGE-05")
@pytest.mark.parametrize("reverse", [False, True])
def test_pages_list_every_backend_once(tams: TamsClient, listed: list[Json], reverse: bool) -> None:
    pages = list(tams.pages(PATH, limit=1, reverse_order=reverse))
    assert [page.json() for page in pages] == [[backend] for backend in (listed[::-1] if reverse else listed)]
    assert {page.headers["X-Paging-Limit"] for page in pages} == {"1"}
    assert {page.headers["X-Paging-Count"] for page in pages} == {"1"}
    assert all("X-Paging-NextKey" in page.headers for page in pages[:-1])
    assert "X-Paging-NextKey" not in pages[-1].headers
    for page, following in pairwise(pages):
        key = page.headers["X-Paging-NextKey"]
        assert tams.get(PATH, limit=1, reverse_order=reverse, page=key).json() == following.json()


@pytest.mark.behaviour("SB-HEAD-01", "SVC-PAGE-03", "SVC-PAGE-04")
@pytest.mark.parametrize("limit", [None, 1, 1_000_000])
def test_head_of_backends_has_the_headers_of_get(tams: TamsClient, limit: int | None) -> None:
    head, get = tams.head(PATH, limit=limit), tams.get(PATH, limit=limit)
    for name in ("X-Paging-Limit", "X-Paging-Count", "X-Paging-Reverse-Order"):
        assert head.headers[name] == get.headers[name]
    assert int(get.headers["X-Paging-Count"]) == len(get.json())
    assert ("next" in head.links) == ("next" in get.links)
    assert head.content == b""


@pytest.mark.behaviour("SB-GET-07", "TAGQ-06", "TAGQ-07", "TAGQ-08", "TAG-03", "TAG-06")
@pytest.mark.parametrize(
    ("condition", "all_of_them"),
    [
        ({"tag_exists.{}": True}, False),
        ({"tag_exists.{}": False}, True),
        ({"tag.{}": "news"}, False),
        ({"tag.{}": ["news", "sport"]}, False),
        ({"tag.{}": ""}, False),
        ({"tag.{}": "news", "tag_exists.{}": False}, False),
    ],
    ids=str,
)
def test_no_backend_matches_an_unknown_tag(
    tams: TamsClient, listed: list[Json], condition: dict[str, Any], all_of_them: bool
) -> None:
    name = fresh_name("tag")
    response = tams.request("GET", with_query(PATH, {key.format(name): value for key, value in condition.items()}))
    assert response.json() == (listed[: len(response.json())] if all_of_them else [])
    assert response.headers["X-Paging-Count"] == str(len(response.json()))
    assert bool(response.json()) == all_of_them


@pytest.mark.behaviour("SB-GET-07", "TAG-02", "TAG-06")
def test_backends_are_found_by_their_tags(tams: TamsClient, listed: list[Json]) -> None:
    tagged = [(backend, name, tag) for backend in listed for name, tag in backend.get("tags", {}).items()]
    if not tagged:
        not_implemented("tags on storage backends")
    for backend, name, tag in tagged:
        value = tag if isinstance(tag, str) else tag[0]
        for params in ({f"tag.{name}": [value, fresh_name()]}, {f"tag_exists.{name}": True}):
            assert backend in tams.request("GET", with_query(PATH, params)).json()
        assert backend not in tams.request("GET", with_query(PATH, {f"tag_exists.{name}": False})).json()
        assert backend not in tams.request("GET", with_query(PATH, {f"tag.{name}": fresh_name()})).json()


@pytest.mark.behaviour("AMB-30", "PAGE-09", "SVC-PAGE-06", "SVC-GEN-09")
@pytest.mark.parametrize(
    "params", [{"limit": "many"}, {"limit": "1.5"}, {"reverse_order": "maybe"}, {"tag_exists.kit": "maybe"}], ids=str
)
def test_a_malformed_query_for_backends_is_rejected_or_ignored(tams: TamsClient, params: dict[str, str]) -> None:
    assert tams.request("GET", PATH, params=params).status_code in (400, 200)


@pytest.mark.behaviour("SB-GET-08", "SVC-GEN-06", "A01")
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("one", [False, True], ids=["all", "one"])
def test_backends_cannot_be_changed(
    http: httpx.Client, tams: TamsClient, listed: list[Json], method: str, one: bool
) -> None:
    changed = {**listed[0], "label": "changed", "tags": {"changed": "yes"}}
    path = f"{PATH}/{changed['id']}" if one else PATH
    assert http.request(method, path, json=changed).status_code in (404, 405, 501)
    assert backends(tams) == listed


@pytest.mark.behaviour("SB-USE-01", "SB-USE-03")
def test_media_are_stored_on_the_default_backend(tams: TamsClient) -> None:
    home = default_backend(tams)
    flow_id = tams.make_flow()["id"]
    object_id = register_segment(tams, flow_id)
    urls = read_view(tams, "segment", flow_id, object_id, verbose_storage=True)["get_urls"]
    assert urls
    assert {url["storage_id"] for url in urls if url.get("controlled", True)} == {home["id"]}
    assert {url.get("label") for url in urls} == {home.get("label")}


@pytest.mark.behaviour("SB-USE-02", "SB-GET-03")
def test_without_a_default_backend_one_must_be_named(tams: TamsClient, listed: list[Json]) -> None:
    if any(backend.get("default_storage") for backend in listed):
        pytest.skip("this server has a default storage backend")
    flow_id = tams.make_flow()["id"]
    assert tams.post(f"/flows/{flow_id}/storage", {"limit": 1}).status_code == 400


@pytest.mark.behaviour("SB-USE-01", "SB-USE-03")
def test_every_backend_can_be_named(tams: TamsClient, listed: list[Json]) -> None:
    flow_id = tams.make_flow()["id"]
    for number, backend in enumerate(listed):
        [object_id] = tams.make_objects(flow_id, 1, storage_id=backend["id"])
        register_segment(tams, flow_id, f"[{number}:0_{number + 1}:0)", object_id=object_id)
        [*urls] = read_view(tams, "object", flow_id, object_id, verbose_storage=True)["get_urls"]
        assert {url["storage_id"] for url in urls} == {backend["id"]}


@pytest.mark.behaviour("SB-USE-01")
@pytest.mark.parametrize("storage_id", [None, "nonsense"], ids=["unknown", "malformed"])
def test_an_unknown_backend_id_is_rejected(tams: TamsClient, storage_id: str | None) -> None:
    body = {"limit": 1, "storage_id": storage_id or fresh()}
    assert tams.post(f"/flows/{tams.make_flow()['id']}/storage", body).status_code == 400


@pytest.mark.behaviour("SB-USE-04")
def test_the_label_of_a_backend_cannot_be_used_for_external_media(tams: TamsClient) -> None:
    label = default_backend(tams).get("label")
    if label is None:
        not_implemented("a label on the default storage backend")
    flow_id = tams.make_flow()["id"]
    object_id = register_segment(tams, flow_id)
    before = {each["url"].partition("?")[0] for each in read_view(tams, "object", flow_id, object_id)["get_urls"]}
    url = {"url": "https://media.example.com/elsewhere", "label": label}
    assert tams.post(f"/objects/{object_id}/instances", url).status_code == 400
    segment = {"object_id": fresh_name("object"), "timerange": "[20:0_30:0)", "get_urls": [url]}
    assert tams.post(f"/flows/{flow_id}/segments", segment).status_code in (200, 400)
    after = {each["url"].partition("?")[0] for each in read_view(tams, "object", flow_id, object_id)["get_urls"]}
    assert after == before
    assert tams.get(f"/objects/{segment['object_id']}").status_code == 404
