"""Pages end early where their items are large, and lead to all of them."""

import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tams_server.http.page_bytes import PAGE_BYTES
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow

COUNT = 120
SEGMENTS = 80
LARGE = 55_000
"""Bytes of a document, just below its limit."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("large")) as running:
        yield running


@pytest.fixture(scope="module")
def flows(running: Running) -> list[dict[str, Any]]:
    """Flows with long descriptions, which their sources have too."""
    documents = [flow() | {"description": "x" * LARGE, "label": f"{number:04}"} for number in range(COUNT)]
    for document in documents:
        assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    return documents


@pytest.fixture(scope="module")
def segments(running: Running) -> str:
    """The path of segments with many long URLs."""
    document = flow()
    path = f"/flows/{document['id']}"
    assert running.client.put(path, json=document).status_code == 201
    for number in range(SEGMENTS):
        urls = [{"url": f"https://example.com/{n}/{'x' * 8000}", "label": f"label {n}"} for n in range(8)]
        segment = {"object_id": str(uuid.uuid4()), "timerange": f"[{number}:0_{number + 1}:0)", "get_urls": urls}
        assert running.client.post(f"{path}/segments", json=segment).status_code == 201
    return f"{path}/segments"


def _walk(running: Running, path: str, **query: Any) -> list[list[Any]]:
    """All pages of a listing."""
    pages = []
    url: str | None = path
    while url is not None:
        response = running.client.get(url, params=query if url == path else None).raise_for_status()
        assert len(response.content) <= PAGE_BYTES
        pages.append(response.json())
        assert int(response.headers["X-Paging-Count"]) == len(pages[-1])
        assert int(response.headers["X-Paging-Limit"]) >= len(pages[-1])
        url = response.links["next"]["url"] if "next" in response.links else None
        assert ("X-Paging-NextKey" in response.headers) == (url is not None)
    return pages


@pytest.mark.parametrize("query", [{}, {"limit": 1000}, {"limit": COUNT}, {"reverse_order": "true", "limit": 90}])
@pytest.mark.parametrize("path", ["/flows", "/sources"])
def test_pages_of_large_documents_end_early(
    running: Running, flows: list[dict[str, Any]], path: str, query: dict[str, Any]
) -> None:
    pages = _walk(running, path, **query)
    member = "id" if path == "/flows" else "source_id"
    found = [item["id"] for page in pages for item in page if len(item.get("description", "")) == LARGE]
    expected = [document[member] for document in flows]
    assert found == (expected if "reverse_order" in query else expected[::-1])
    assert 2 <= len(pages) <= 4
    assert all(len(page) > COUNT / 4 for page in pages[:-1]), "pages are not shorter than necessary"


def test_pages_of_segments_with_many_urls_end_early(running: Running, segments: str) -> None:
    pages = _walk(running, segments)
    assert [item["timerange"] for page in pages for item in page] == [f"[{n}:0_{n + 1}:0)" for n in range(SEGMENTS)]
    assert len(pages) > 1


def test_no_more_is_read_than_fits(running: Running, flows: list[dict[str, Any]], segments: str) -> None:
    """A page of a thousand such documents would take 60 MiB to read, and more to make."""
    for path in ("/flows?limit=1000", f"{segments}?limit=1000"):
        running.client.get(path)
        tracemalloc.start()
        try:
            response = running.client.get(path)
            assert tracemalloc.get_traced_memory()[1] < 4 * PAGE_BYTES
        finally:
            tracemalloc.stop()
        assert len(response.content) > PAGE_BYTES / 2


def test_urls_of_one_object_are_bounded_together(running: Running) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    assert running.client.put(path, json=document).status_code == 201
    urls = [{"url": f"https://example.com/{'x' * 8000}", "label": f"label {n}"} for n in range(9)]
    object_id = str(uuid.uuid4())
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    rejected = running.client.post(f"{path}/segments", json=segment | {"get_urls": urls})
    assert rejected.status_code == 400
    assert "65536 bytes together" in rejected.text
    accepted = running.client.post(f"{path}/segments", json=segment | {"get_urls": urls[:8]})
    assert accepted.status_code == 201
    added = running.client.post(f"/objects/{object_id}/instances", json=urls[8])
    assert added.status_code == 400
    assert "65536 bytes together" in added.text


def test_a_page_key_that_is_garbled_gives_a_page_within_the_bound(
    running: Running, flows: list[dict[str, Any]]
) -> None:
    for path in ("/flows", "/sources", "/flow-delete-requests"):
        response = running.client.get(path, params={"page": "garbled", "limit": 1000})
        assert response.status_code in (200, 400)
        assert len(response.content) <= PAGE_BYTES


def test_a_small_page_has_the_items_that_were_asked_for(running: Running, flows: list[dict[str, Any]]) -> None:
    response = running.client.get("/flows", params={"limit": 50}).raise_for_status()
    assert len(response.json()) == 50
    assert response.headers["X-Paging-Limit"] == "50"
