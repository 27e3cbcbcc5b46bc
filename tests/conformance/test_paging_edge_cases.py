"""Empty pages, the timerange of a page of segments, and listings whose items tests cannot create."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.segments import normalised
from tests.conformance.kit.timelines import make_timeline

FIXED_LISTINGS = ["/service/storage-backends", "/flow-delete-requests"]


# -- Empty pages


@pytest.mark.behaviour("PAGE-16", "SRC-LIST-02", "FLOW-LIST-02")
@pytest.mark.parametrize(("path", "parameter"), [("/flows", "source_id"), ("/sources", "label")])
@pytest.mark.parametrize("reverse", [None, True])
def test_a_listing_without_items_is_an_empty_page(
    tams: TamsClient, path: str, parameter: str, reverse: bool | None
) -> None:
    response = tams.get(path, **{parameter: fresh()}, reverse_order=reverse)
    assert (response.status_code, response.json()) == (200, [])
    assert response.headers["X-Paging-Count"] == "0"
    assert "next" not in response.links
    assert "X-Paging-NextKey" not in response.headers


@pytest.mark.behaviour("PAGE-16")
def test_a_listing_without_profiles_is_an_empty_page(tams: TamsClient) -> None:
    response = tams.get("/service/profiles", label=fresh_name())
    assert (response.status_code, response.json()) == (200, [])
    assert "next" not in response.links
    assert "X-Paging-NextKey" not in response.headers


@pytest.mark.behaviour("PAGE-16", "PAGE-13", "A08")
def test_a_flow_without_segments_has_an_empty_page(tams: TamsClient) -> None:
    response = tams.get(f"/flows/{tams.make_flow()['id']}/segments")
    assert (response.status_code, response.json()) == (200, [])
    assert response.headers["X-Paging-Count"] == "0"
    assert "X-Paging-Timerange" in response.headers
    assert "next" not in response.links


# -- The timerange of a page of segments


@pytest.mark.behaviour("PAGE-13", "A08")
@pytest.mark.parametrize("reverse", [None, True])
@pytest.mark.parametrize("limit", [1, 2, 10])
def test_the_timerange_of_a_page_covers_its_segments(tams: TamsClient, limit: int, reverse: bool | None) -> None:
    id_ = make_timeline(tams)["id"]
    for page in tams.pages(f"/flows/{id_}/segments", limit=limit, reverse_order=reverse):
        covered = normalised(page.headers["X-Paging-Timerange"])
        assert page.json()
        assert all(covered.covers(normalised(segment["timerange"])) for segment in page.json())


# -- Listings of items that tests cannot create


@pytest.mark.behaviour("PAGE-10", "PAGE-11", "PAGE-08", "SVC-PAGE-03", "SVC-PAGE-04")
@pytest.mark.parametrize(("reverse", "shown"), [(None, "false"), (False, "false"), (True, "true")])
@pytest.mark.parametrize("path", FIXED_LISTINGS)
def test_a_page_states_its_count_limit_and_order(tams: TamsClient, path: str, reverse: bool | None, shown: str) -> None:
    response = tams.get(path, reverse_order=reverse)
    assert response.status_code == 200
    assert response.headers["X-Paging-Count"] == str(len(response.json()))
    assert len(response.json()) <= int(response.headers["X-Paging-Limit"])
    assert response.headers["X-Paging-Reverse-Order"] == shown


@pytest.mark.behaviour("PAGE-03", "PAGE-07", "SVC-PAGE-05")
def test_pages_list_every_storage_backend_once(tams: TamsClient) -> None:
    whole = [backend["id"] for backend in tams.get("/service/storage-backends").json()]
    walked = list(tams.pages("/service/storage-backends", limit=1))
    assert [backend["id"] for page in walked for backend in page.json()] == whole
    assert all(page.headers["X-Paging-Limit"] == "1" for page in walked)


@pytest.mark.behaviour("PAGE-09", "A09", "AMB-30")
@pytest.mark.parametrize("limit", ["abc", "1.5"])
@pytest.mark.parametrize("path", FIXED_LISTINGS)
def test_a_limit_that_is_not_an_integer_is_rejected_or_ignored(tams: TamsClient, path: str, limit: str) -> None:
    assert tams.get(path, limit=limit).status_code in (200, 400)


@pytest.mark.behaviour("SORT-03", "SVC-SORT-01")
@pytest.mark.parametrize("reverse", [None, True])
@pytest.mark.parametrize("sort_by", [None, "created", "expiry"])
def test_delete_requests_are_sorted_by_date(tams: TamsClient, sort_by: str | None, reverse: bool | None) -> None:
    response = tams.get("/flow-delete-requests", sort_by=sort_by, reverse_order=reverse)
    assert response.status_code == 200
    key = sort_by or "created"
    dates = [item[key] for item in response.json() if key in item]
    assert dates == sorted(dates, reverse=not reverse)


@pytest.mark.behaviour("SORT-03", "SVC-SORT-01", "SVC-SORT-04", "A09", "AMB-30")
@pytest.mark.parametrize("sort_by", ["updated", "status", ""])
def test_delete_requests_cannot_be_sorted_by_other_keys(tams: TamsClient, sort_by: str) -> None:
    assert tams.get("/flow-delete-requests", sort_by=sort_by).status_code in (200, 400)
