"""Listing of webhooks: order, paging, tag filters (HOOK-LIST-*, HOOK-HEAD-01)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import LISTING, UNUSED_ORIGIN, make_webhook, read_webhook

URLS = ("c", "a", "b", "B", "a/b", "a", "é", "a?b=c")
"""The ends of the URLs, in order of registration. One of them occurs twice."""
TAGS: tuple[Json, ...] = (
    {"genre": "news"},
    {"genre": "sport"},
    {"genre": ["news", "weather"]},
    {"genre": "News"},
    {},
    {"genre": "newsreel", "other/tag": "news"},
    {"other/tag": ""},
    {"genre": []},
)
HEADERS = ("X-Paging-Limit", "X-Paging-Count", "X-Paging-Reverse-Order", "Content-Type")


class Webhooks:
    """Webhooks with URLS and TAGS, and a tag that no other webhooks have."""

    def __init__(self, tams: TamsClient) -> None:
        self.tag = fresh_name("tag")
        base = f"{UNUSED_ORIGIN}/{self.tag}/"
        self.made = [
            make_webhook(tams, url=base + url, tags={**tags, "kit": self.tag})
            for url, tags in zip(URLS, TAGS, strict=True)
        ]

    def pages(self, tams: TamsClient, **params: Any) -> list[httpx.Response]:
        return list(tams.pages(with_query(LISTING, {"tag.kit": self.tag, **params})))

    def read(self, tams: TamsClient, **params: Any) -> list[Json]:
        return [item for page in self.pages(tams, **params) for item in page.json()]


@pytest.fixture(scope="module")
def registered(http: httpx.Client) -> Iterator[Webhooks]:
    with shared_client(http) as tams:
        yield Webhooks(tams)


@pytest.mark.behaviour("HOOK-LIST-01", "HOOK-GET-01")
def test_a_webhook_is_listed_as_it_reads(tams: TamsClient, registered: Webhooks) -> None:
    listed = {item["id"]: item for item in registered.read(tams)}
    assert listed == {item["id"]: read_webhook(tams, item) for item in registered.made}


@pytest.mark.behaviour("HOOK-LIST-02", "AMB-33")
@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("reverse", [None, False, True])
def test_webhooks_are_sorted_by_url(
    tams: TamsClient, registered: Webhooks, reverse: bool | None, limit: int | None
) -> None:
    listed = registered.read(tams, reverse_order=reverse, limit=limit)
    keys = [(item["url"].casefold(), item["url"].swapcase()) for item in listed]
    plain = [item["url"] for item in listed]
    assert len(listed) == len(URLS)
    assert plain == sorted(plain, reverse=bool(reverse)) or keys == sorted(keys, reverse=bool(reverse))


@pytest.mark.behaviour("HOOK-LIST-02")
def test_webhooks_with_the_same_url_are_sorted_by_id(tams: TamsClient, registered: Webhooks) -> None:
    ids = [item["id"] for item in registered.read(tams) if item["url"].endswith("/a")]
    assert ids == sorted(ids)
    assert registered.read(tams) == registered.read(tams, reverse_order=True)[::-1]


@pytest.mark.behaviour("HOOK-LIST-03", "HOOK-LIST-02")
@pytest.mark.parametrize(("reverse", "shown"), [(None, "false"), (False, "false"), (True, "true")])
def test_a_page_states_its_count_limit_and_order(
    tams: TamsClient, registered: Webhooks, reverse: bool | None, shown: str
) -> None:
    pages = registered.pages(tams, limit=5, reverse_order=reverse)
    assert [page.headers["X-Paging-Count"] for page in pages] == ["5", "3"]
    assert [page.headers["X-Paging-Limit"] for page in pages] == ["5", "5"]
    assert [page.headers["X-Paging-Reverse-Order"] for page in pages] == [shown, shown]
    assert ["X-Paging-NextKey" in page.headers for page in pages] == [True, False]


@pytest.mark.behaviour("HOOK-LIST-04", "TAG-02", "TAG-03", "TAG-04", "TAG-05")
@pytest.mark.parametrize(
    ("params", "passing"),
    [
        ({"tag.genre": "news"}, {0, 2}),
        ({"tag.genre": ["sport", "weather"]}, {1, 2}),
        ({"tag.genre": "new"}, set()),
        ({"tag_exists.genre": True}, {0, 1, 2, 3, 5, 7}),
        ({"tag_exists.genre": False}, {4, 6}),
        ({"tag.other/tag": "news"}, {5}),
        ({"tag_exists.other/tag": True}, {5, 6}),
        ({"tag.genre": ["news", "newsreel"], "tag_exists.other/tag": False}, {0, 2}),
    ],
    ids=str,
)
def test_webhooks_are_filtered_by_tags(tams: TamsClient, registered: Webhooks, params: Json, passing: set[int]) -> None:
    ids = [item["id"] for item in registered.made]
    listed = [ids.index(item["id"]) for item in registered.read(tams, **params)]
    assert sorted(listed) == sorted(passing)


@pytest.mark.behaviour("HOOK-HEAD-01", "HOOK-LIST-03", "PAGE-15", "SVC-GEN-01")
@pytest.mark.parametrize(
    "params", [{}, {"limit": 3}, {"limit": 3, "reverse_order": True}, {"tag.genre": "news"}], ids=str
)
def test_head_of_the_listing_has_the_headers_of_get(tams: TamsClient, registered: Webhooks, params: Json) -> None:
    get, head = (call(LISTING, **{"tag.kit": registered.tag}, **params) for call in (tams.get, tams.head))
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers.get(name) for name in HEADERS} == {name: get.headers.get(name) for name in HEADERS}
    assert ("next" in head.links) == ("next" in get.links)
