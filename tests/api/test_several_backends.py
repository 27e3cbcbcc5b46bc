"""The listing of storage backends: with and without labels, tags and a default."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from storage.catalog import Catalog
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from tams_server.settings import Settings
from tams_server.wiring import Parts, open_parts
from tests.api.in_process import TOKEN, serving
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.server import Subject
from tests.conformance.test_storage_backends import *  # noqa: F403

LABELS = ("b", "Ä", "B", None, "a", None, "b ")
IN_ORDER = ["B", "a", "b", "b ", "Ä", None, None]
"""By code point (AMB-33), those without a label last."""
TAGS: dict[str, dict[str, str | list[str]]] = {
    "a": {"tier": "hot", "sites": ["London", "Salford, Greater Manchester"]},
    "b": {"tier": "cold"},
}
PATH = "/service/storage-backends"


def backends_of(*, default: bool) -> list[Backend]:
    ids = (f"{digit}" * 8 + "-1111-4111-8111-111111111111" for digit in "7654321")
    return [
        Backend(
            id_, label, "example", "files", default_storage=default and label == "b", tags=TAGS.get(label or "", {})
        )
        for id_, label in zip(ids, LABELS, strict=True)
    ]


@pytest.fixture(scope="module", params=[True, False], ids=["default", "no-default"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    def parts(settings: Settings) -> Parts:
        opened = open_parts(settings)
        stores = {
            backend.id: FileStore(
                Path(settings.data_dir, backend.id),
                backend,
                b"0123456789abcdef",
                upload_timeout_s=600,
                download_timeout_s=600,
            )
            for backend in backends_of(default=request.param)
        }
        return dataclasses.replace(opened, catalog=Catalog(opened.engine, stores), stores=stores)

    with serving(tmp_path_factory.mktemp("several"), parts) as running:
        yield Subject(running.url, TOKEN)


@pytest.fixture(scope="module")
def http(subject: Subject) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {subject.token}"}
    with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as client:
        yield client


def labels(response: httpx.Response) -> list[str | None]:
    return [backend.get("label") for backend in response.json()]


@pytest.mark.behaviour("SB-GET-04", "SB-GET-05", "AMB-33")
def test_backends_are_sorted_by_label_and_then_by_id(tams: TamsClient) -> None:
    listed = tams.get(PATH)
    assert labels(listed) == IN_ORDER
    assert [backend["id"][0] for backend in listed.json()[-2:]] == ["2", "4"]
    assert labels(tams.get(PATH, reverse_order=True)) == IN_ORDER[::-1]


@pytest.mark.behaviour("SB-GET-06", "SVC-PAGE-01", "SVC-PAGE-02", "SVC-PAGE-05")
@pytest.mark.parametrize("limit", [2, 3, 6, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_pages_of_any_size_list_each_backend_once(tams: TamsClient, limit: int, reverse: bool) -> None:
    pages = list(tams.pages(PATH, limit=limit, reverse_order=reverse))
    assert [label for page in pages for label in labels(page)] == (IN_ORDER[::-1] if reverse else IN_ORDER)
    assert [int(page.headers["X-Paging-Count"]) for page in pages] == [len(page.json()) for page in pages]
    assert all(len(page.json()) == limit for page in pages[:-1])


@pytest.mark.behaviour("SB-GET-06", "SVC-PAGE-06", "A07")
@pytest.mark.parametrize("other", [{"reverse_order": True}, {"limit": 1, "page": "foreign"}], ids=str)
def test_a_page_key_of_another_order_starts_again(tams: TamsClient, other: dict[str, Value]) -> None:
    key = tams.get(PATH, limit=1).headers["X-Paging-NextKey"]
    response = tams.get(PATH, **{"page": key, **other})
    assert labels(response) == (IN_ORDER[::-1] if "reverse_order" in other else IN_ORDER)
    assert "X-Paging-NextKey" not in response.headers


@pytest.mark.behaviour("SB-GET-07", "TAG-02", "TAG-03", "TAG-05", "TAG-06", "AMB-31", "AMB-32", "A11")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"tag.tier": "hot"}, ["a"]),
        ({"tag.tier": ["hot", "cold"]}, ["a", "b"]),
        ({"tag.tier": "HOT"}, []),
        ({"tag.tier": "ho"}, []),
        ({"tag.tier": ""}, []),
        ({"tag.sites": "London"}, ["a"]),
        ({"tag.sites": "Salford, Greater Manchester"}, ["a"]),
        ({"tag.sites": ["Salford", "Greater Manchester"]}, []),
        ({"tag.tier": ["hot", "cold"], "tag_exists.sites": False}, ["b"]),
        ({"tag_exists.tier": True}, ["a", "b"]),
        ({"tag_exists.tier": True, "reverse_order": True}, ["b", "a"]),
        ({"tag_exists.tier": False}, ["B", "b ", "Ä", None, None]),
    ],
    ids=str,
)
def test_backends_are_filtered_by_tags(tams: TamsClient, filters: dict[str, Value], found: list[str | None]) -> None:
    assert labels(tams.request("GET", with_query(PATH, filters))) == found
    pages = list(tams.pages(with_query(PATH, {**filters, "limit": 1})))
    assert [label for page in pages for label in labels(page)] == found
