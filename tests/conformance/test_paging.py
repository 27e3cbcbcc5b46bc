"""Paging of listings: the headers, and complete walks without loss or repetition."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.listings import COUNTED, KINDS, REJECT_BAD_QUERIES, Listing
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.shared_client import shared_client

COUNT = 5
HEADERS = ("X-Paging-Limit", "X-Paging-Count", "X-Paging-Reverse-Order", "X-Paging-Timerange")
OPEN = [kind for kind in KINDS if kind != "profiles"]
"""Listings from which items can be removed."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def listing(http: httpx.Client, kind: str) -> Iterator[Listing]:
    """A listing of each kind with COUNT items, which no test changes."""
    with shared_client(http) as tams:
        made = KINDS[kind](tams)
        for _ in range(COUNT):
            made.add()
        yield made


def pages(tams: TamsClient, listing: Listing, **params: object) -> list[httpx.Response]:
    return list(tams.pages(listing.url(**params)))


# -- Headers


@pytest.mark.behaviour("PAGE-01", "SVC-PAGE-01", "PAGE-07", "SVC-PAGE-03", "PAGE-12")
@pytest.mark.parametrize("limit", [1, 2, COUNT - 1])
def test_a_page_links_to_the_next(tams: TamsClient, listing: Listing, limit: int) -> None:
    response = tams.request("GET", listing.url(limit=limit))
    assert len(listing.ids(response)) == limit
    assert "next" in response.links
    assert response.headers.get("X-Paging-NextKey")
    assert response.headers.get("X-Paging-Limit") == str(limit)


@pytest.mark.behaviour("PAGE-02", "SVC-PAGE-01")
@pytest.mark.parametrize("limit", [COUNT, COUNT + 1, None])
def test_the_last_page_has_no_next_link(tams: TamsClient, listing: Listing, limit: int | None) -> None:
    response = tams.request("GET", listing.url(limit=limit))
    assert len(listing.ids(response)) == COUNT
    assert "next" not in response.links
    assert "X-Paging-NextKey" not in response.headers


@pytest.mark.behaviour("PAGE-02", "PAGE-10", "SVC-PAGE-01", "SVC-PAGE-04")
def test_every_page_has_the_paging_headers(tams: TamsClient, kind: str, listing: Listing) -> None:
    walked = pages(tams, listing, limit=2)
    assert [len(listing.ids(page)) for page in walked] == [2, 2, 1]
    assert [page.headers["X-Paging-Limit"] for page in walked] == ["2", "2", "2"]
    assert ["X-Paging-NextKey" in page.headers for page in walked] == [True, True, False]
    if kind in COUNTED:
        assert [page.headers["X-Paging-Count"] for page in walked] == ["2", "2", "1"]


@pytest.mark.behaviour("PAGE-11")
@pytest.mark.parametrize(("requested", "shown"), [(None, "false"), (False, "false"), (True, "true")])
def test_every_page_states_its_order(
    tams: TamsClient, kind: str, listing: Listing, requested: bool | None, shown: str
) -> None:
    if kind not in COUNTED:
        pytest.skip("this listing has only one order")
    walked = pages(tams, listing, limit=2, reverse_order=requested)
    assert [page.headers["X-Paging-Reverse-Order"] for page in walked] == [shown] * 3


@pytest.mark.behaviour("PAGE-07", "SVC-PAGE-03")
@pytest.mark.parametrize("limit", [10**6, 2**31, 2**63, 2**64])
def test_a_limit_beyond_the_maximum_is_lowered(tams: TamsClient, listing: Listing, limit: int) -> None:
    response = tams.request("GET", listing.url(limit=limit))
    assert len(listing.ids(response)) == COUNT
    assert COUNT <= int(response.headers["X-Paging-Limit"]) <= limit


@pytest.mark.behaviour("PAGE-08", "SVC-PAGE-03")
def test_the_default_limit_is_stated(tams: TamsClient, listing: Listing) -> None:
    response = tams.request("GET", listing.url())
    assert len(listing.ids(response)) <= int(response.headers["X-Paging-Limit"])


@pytest.mark.behaviour("PAGE-09", "SVC-PAGE-06", "FLOW-LIST-20")
@pytest.mark.parametrize("limit", ["abc", "1.5", "", "1e2", "0x10", "1 0"])
def test_a_limit_that_is_not_an_integer_is_rejected(tams: TamsClient, kind: str, listing: Listing, limit: str) -> None:
    status = tams.request("GET", listing.url(limit=limit)).status_code
    assert status == 400 or (kind not in REJECT_BAD_QUERIES and status == 200)


@pytest.mark.behaviour("PAGE-15", "GEN-08", "SVC-GEN-01", "SRC-LIST-10", "FLOW-LIST-20")
@pytest.mark.parametrize("limit", [2, COUNT])
def test_head_has_the_paging_headers_of_get(tams: TamsClient, listing: Listing, limit: int) -> None:
    head, get = (tams.request(method, listing.url(limit=limit)) for method in ("HEAD", "GET"))
    assert [head.headers.get(name) for name in HEADERS] == [get.headers.get(name) for name in HEADERS]
    assert ("next" in head.links) == ("next" in get.links) == (limit < COUNT)
    if limit < COUNT:
        key = head.headers["X-Paging-NextKey"]
        following = listing.ids(tams.request("GET", get.links["next"]["url"]))
        assert listing.ids(tams.request("GET", listing.url(limit=limit, page=key))) == following


# -- Walks


@pytest.mark.behaviour("PAGE-03", "PAGE-14", "SVC-PAGE-05", "SRC-LIST-09", "FLOW-LIST-20")
@pytest.mark.parametrize("reverse", [None, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_list_every_item_once_in_order(
    tams: TamsClient, kind: str, listing: Listing, limit: int, reverse: bool | None
) -> None:
    order = reverse if kind in COUNTED else None
    whole = listing.ids(tams.request("GET", listing.url(reverse_order=order)))
    assert len(set(whole)) == COUNT
    assert listing.read(tams, limit=limit, reverse_order=order) == whole


@pytest.mark.behaviour("PAGE-04", "PAGE-06", "SVC-PAGE-02")
def test_the_key_gives_the_same_page_as_the_link(tams: TamsClient, listing: Listing) -> None:
    by_link = listing.walk(tams, limit=2)
    response = tams.request("GET", listing.url(limit=2))
    by_key = [listing.ids(response)]
    while key := response.headers.get("X-Paging-NextKey"):
        response = tams.request("GET", listing.url(limit=2, page=key))
        by_key.append(listing.ids(response))
    assert by_key == by_link


@pytest.mark.behaviour("PAGE-05", "SVC-PAGE-02")
def test_the_next_link_keeps_all_parameters(tams: TamsClient, kind: str, listing: Listing) -> None:
    order = True if kind in COUNTED else None
    url = listing.url(limit=2, reverse_order=order)
    link = tams.request("GET", url).links["next"]["url"]
    requested, kept = parse_qs(urlsplit(url).query, keep_blank_values=True), parse_qs(urlsplit(link).query, True)
    assert {name: kept.get(name) for name in requested} == requested
    assert kept.keys() - requested.keys() == {"page"}


@pytest.mark.behaviour("SVC-PAGE-07")
def test_the_next_link_can_be_followed_as_is(tams: TamsClient, http: httpx.Client, listing: Listing) -> None:
    response = tams.request("GET", listing.url(limit=2))
    url = urljoin(str(response.url), response.links["next"]["url"])
    assert url.startswith(str(http.base_url).rstrip("/"))
    credential = {name: http.headers[name] for name in ("Authorization",) if name in http.headers}
    assert httpx.get(url, headers=credential, timeout=30).status_code == 200


@pytest.mark.behaviour("PAGE-06", "SVC-PAGE-06", "A07")
@pytest.mark.parametrize("page", ["no-such-key", "0", "-1", "é", "AAAA", "a b", "%00"])
def test_an_unknown_page_key_is_rejected(tams: TamsClient, kind: str, listing: Listing, page: str) -> None:
    status = tams.request("GET", listing.url(page=page)).status_code
    assert status == 400 or (kind not in REJECT_BAD_QUERIES and status == 200)


@pytest.mark.behaviour("PAGE-06", "A07")
def test_an_empty_page_key_is_rejected_or_the_first_page(tams: TamsClient, listing: Listing) -> None:
    response = tams.request("GET", listing.url(limit=2, page=""))
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        assert listing.ids(response) == listing.ids(tams.request("GET", listing.url(limit=2)))


@pytest.mark.behaviour("A06", "PAGE-09")
@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_below_one_is_rejected_or_raised(tams: TamsClient, listing: Listing, limit: str) -> None:
    response = tams.request("GET", listing.url(limit=limit))
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        assert len(listing.ids(response)) <= int(response.headers["X-Paging-Limit"])


# -- Walks while items are added and removed


@pytest.mark.behaviour("PAGE-17", "SVC-PAGE-05")
@pytest.mark.parametrize("kind_", KINDS)
@pytest.mark.parametrize("limit", [1, 2])
def test_items_added_between_pages_hide_or_repeat_no_others(tams: TamsClient, kind_: str, limit: int) -> None:
    listing = KINDS[kind_](tams)
    untouched = {listing.add() for _ in range(4)}
    seen: list[str] = []
    for page in tams.pages(listing.url(limit=limit)):
        seen += listing.ids(page)
        if len(seen) <= 3:
            listing.add()
    assert len(seen) == len(set(seen))
    assert untouched <= set(seen)


@pytest.mark.behaviour("PAGE-17", "SVC-PAGE-05")
@pytest.mark.parametrize("kind_", OPEN)
@pytest.mark.parametrize("limit", [1, 2])
def test_items_removed_between_pages_hide_or_repeat_no_others(tams: TamsClient, kind_: str, limit: int) -> None:
    listing = KINDS[kind_](tams)
    everything = {listing.add() for _ in range(6)}
    assert listing.remove is not None
    response = tams.request("GET", listing.url(limit=limit))
    seen = listing.ids(response)
    removed = {seen[-1]}
    listing.remove(seen[-1])
    wait_until(lambda: seen[-1] not in listing.read(tams), "the removed item to be unlisted")
    while "next" in response.links:
        response = tams.request("GET", response.links["next"]["url"])
        seen += listing.ids(response)
    assert len(seen) == len(set(seen))
    assert everything - removed <= set(seen)
