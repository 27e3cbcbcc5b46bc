"""Limits, page keys, filters and unknown parameters: the choices of this server where the standard leaves them open."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import DATA, IMAGE, MULTI, VIDEO, flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.listings import KINDS, Listing
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.tagged_resources import KINDS as TAGGED

ALWAYS_PRESENT = ["/service/storage-backends", "/flow-delete-requests"]


@pytest.fixture(scope="module", params=KINDS)
def listing(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[Listing]:
    with shared_client(http) as tams:
        made = KINDS[request.param](tams)
        for _ in range(3):
            made.add()
        yield made


def error_of(response: httpx.Response) -> dict[str, object]:
    assert response.status_code == 400, response.text
    document: dict[str, object] = response.json()
    return document


# -- Limits and page keys


@pytest.mark.behaviour("A06", "PAGE-09", "SVC-PAGE-06")
@pytest.mark.parametrize("limit", ["0", "-1", "-99999999999999999999999", "-0"])
def test_a_limit_below_one_is_read_as_one(tams: TamsClient, listing: Listing, limit: str) -> None:
    response = tams.request("GET", listing.url(limit=limit))
    assert response.status_code == 200
    assert response.headers["X-Paging-Limit"] == "1"
    assert listing.ids(response) == listing.ids(tams.request("GET", listing.url(limit=1)))


@pytest.mark.behaviour("A06", "A09", "AMB-30", "SVC-GEN-09")
@pytest.mark.parametrize("query", ["limit=", "limit=abc", "limit=1.5", "reverse_order=1"])
@pytest.mark.parametrize("path", ALWAYS_PRESENT)
def test_listings_without_a_documented_400_reject_invalid_queries(tams: TamsClient, path: str, query: str) -> None:
    assert error_of(tams.request("GET", f"{path}?{query}"))["field"] == query.partition("=")[0]


@pytest.mark.behaviour("A07")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("page", ["nonsense", "AAAA", "%00", "\0", "é"])
@pytest.mark.parametrize("path", [*ALWAYS_PRESENT, "/service/webhooks"])
def test_listings_without_a_documented_400_start_again_at_an_unknown_page_key(
    tams: TamsClient, path: str, page: str, method: str
) -> None:
    """In one page as long as possible, so that a client that garbles its keys loses nothing and does not loop."""
    response = tams.http.request(method, path, params={"page": page, "limit": 1})
    longest = tams.http.request(method, path, params={"limit": 10**6})
    assert response.status_code == 200
    for name in ("X-Paging-Limit", "X-Paging-Count"):
        assert response.headers[name] == longest.headers[name]
    if method == "GET":
        assert response.json() == longest.json()


@pytest.mark.behaviour("PAGE-06")
def test_an_empty_page_key_is_the_first_page(tams: TamsClient, listing: Listing) -> None:
    first = tams.request("GET", listing.url(limit=2))
    again = tams.request("GET", listing.url(limit=2, page=""))
    assert listing.ids(again) == listing.ids(first)
    assert again.headers["X-Paging-NextKey"] == first.headers["X-Paging-NextKey"]


@pytest.mark.behaviour("A64", "GEN-08")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "query", ["x=%00", "%00=1", "%FF=%FF", "x=%80", "=", "==", "&&", "=a&=b", "x=1&x=2", "%", "a%"]
)
@pytest.mark.parametrize("path", ["/", "/service", "/flow-delete-requests", "/service/profiles", "/flows"])
def test_what_is_not_declared_is_ignored_whatever_it_contains(
    tams: TamsClient, path: str, query: str, method: str
) -> None:
    response = tams.http.request(method, f"{path}?{query}")
    assert response.status_code == 200
    assert response.content == tams.http.request(method, path).content


@pytest.mark.behaviour("A09", "SORT-03", "SVC-SORT-04", "AMB-30")
@pytest.mark.parametrize("sort_by", ["updated", "label", ""])
def test_delete_requests_are_sorted_by_created_or_expiry_only(tams: TamsClient, sort_by: str) -> None:
    assert error_of(tams.get("/flow-delete-requests", sort_by=sort_by))["field"] == "sort_by"


@pytest.mark.behaviour("A07", "PAGE-06")
@pytest.mark.parametrize(
    "change",
    [lambda key: key[:-1], lambda key: f"{key}A", lambda key: ("B" if key[0] == "A" else "A") + key[1:], str.swapcase],
)
def test_a_modified_page_key_is_rejected_or_starts_again(
    tams: TamsClient, listing: Listing, change: Callable[[str], str]
) -> None:
    response = tams.request("GET", listing.url(limit=1))
    again = tams.request("GET", listing.url(limit=1, page=change(response.headers["X-Paging-NextKey"])))
    if "/webhooks" in listing.url():
        assert set(listing.ids(response)) < set(listing.ids(again))
    else:
        assert error_of(again)["field"] == "page"


@pytest.mark.behaviour("A07", "PAGE-06")
@pytest.mark.parametrize("other", [{"sort_by": "label"}, {"sort_by": "updated"}, {"reverse_order": True}])
def test_a_page_key_of_another_order_is_rejected(tams: TamsClient, other: dict[str, str]) -> None:
    made = KINDS["sources"](tams)
    for _ in range(2):
        made.add()
    key = tams.request("GET", made.url(limit=1)).headers["X-Paging-NextKey"]
    assert error_of(tams.request("GET", made.url(limit=1, page=key, **other)))["field"] == "page"


@pytest.mark.behaviour("A07", "PAGE-06")
def test_a_page_key_of_another_listing_is_rejected(tams: TamsClient) -> None:
    made = {kind: KINDS[kind](tams) for kind in ("sources", "flows")}
    for each in made.values():
        each.add()
        each.add()
    key = tams.request("GET", made["sources"].url(limit=1)).headers["X-Paging-NextKey"]
    assert error_of(tams.request("GET", made["flows"].url(limit=1, page=key)))["field"] == "page"


# -- Unknown and repeated parameters


@pytest.mark.behaviour("A64", "SVC-GEN-08")
def test_an_unknown_parameter_is_ignored_and_left_out_of_links(tams: TamsClient, listing: Listing) -> None:
    plain = tams.request("GET", listing.url(limit=1))
    response = tams.request("GET", listing.url(limit=1, colour="red"))
    assert response.status_code == 200
    assert listing.ids(response) == listing.ids(plain)
    assert response.links["next"]["url"] == plain.links["next"]["url"]


@pytest.mark.behaviour("A64", "SVC-GEN-08")
def test_a_parameter_must_be_given_only_once(tams: TamsClient) -> None:
    assert error_of(tams.request("GET", "/flows?label=a&label=b"))["field"] == "label"


# -- Filters on tags


@pytest.mark.behaviour("A11", "AMB-32", "TAGQ-12")
@pytest.mark.parametrize("kind", TAGGED)
def test_an_encoded_comma_separates_values_and_may_be_part_of_one(tams: TamsClient, kind: str) -> None:
    tags = [{"genre": "news,sport"}, {"genre": "news"}, {"genre": ["a", "news,sport"]}, {"genre": "sport,news"}]
    tagged = TAGGED[kind](tams, tags)
    assert tagged.matching(tams, {"tag.genre": "news,sport"}) == {0, 1, 2}
    assert tagged.matching(tams, {"tag.genre": ["news", "sport"]}) == {1}
    assert tagged.matching(tams, {"tag.genre": "sport,news"}, limit=1) == {1, 3}
    assert tagged.matching(tams, {"tag.genre": ["a", "news,sport"]}, limit=1) == {0, 1, 2}


@pytest.mark.behaviour("A11", "PAGE-05")
def test_the_link_to_the_next_page_keeps_what_an_encoded_comma_means(tams: TamsClient) -> None:
    tagged = TAGGED["flows"](tams, [{"genre": "news,sport"}, {"genre": "news"}])
    response = tams.request("GET", tagged.url({"tag.genre": "news,sport"}, limit=1))
    assert "tag.genre=news%2Csport&" in response.links["next"]["url"]
    assert [item["id"] for item in tams.request("GET", response.links["next"]["url"]).json()] == [tagged.ids[0]]


@pytest.mark.behaviour("A11", "SEG-GET-27")
@pytest.mark.parametrize(
    ("accepted", "labels"),
    [
        ("x,y", []),
        ("x%2Cy", ["x,y"]),
        ("x%2cy,z", ["x,y", "z"]),
        ("z%2Cw", ["z"]),
        ("z&accept_get_urls=x%2Cy", ["x,y", "z"]),
    ],
)
def test_labels_of_urls_may_contain_commas(tams: TamsClient, accepted: str, labels: list[str]) -> None:
    urls = [{"label": label, "url": "https://example.com/media"} for label in ("x,y", "z")]
    flow_id = tams.make_flow()["id"]
    register_segment(tams, flow_id, object_id=fresh_name("object"), get_urls=urls)
    (segment,) = tams.request("GET", f"/flows/{flow_id}/segments?accept_get_urls={accepted}").json()
    assert sorted(each["label"] for each in segment["get_urls"]) == labels


@pytest.mark.behaviour("A12", "AMB-31", "TAGQ-12", "TAGQ-03")
@pytest.mark.parametrize("kind", TAGGED)
def test_an_empty_value_matches_only_the_empty_text(tams: TamsClient, kind: str) -> None:
    tagged = TAGGED[kind](tams, [{"genre": ""}, {"genre": "news"}, {}, {"genre": []}, {"genre": ["news", ""]}])
    assert tagged.matching(tams, {"tag.genre": ""}) == {0, 4}
    assert tagged.matching(tams, {"tag.genre": ""}, limit=1) == {0, 4}


@pytest.mark.behaviour("TAGQ-11")
@pytest.mark.parametrize("value", ["news,,sport", ",news", "news,"])
@pytest.mark.parametrize("prefix", ["flow_tag", "storage_backend_tag"])
def test_empty_items_in_prefixed_tag_filters_are_rejected(tams: TamsClient, prefix: str, value: str) -> None:
    listing = KINDS["references"](tams)
    assert error_of(tams.request("GET", f"{listing.path}?{prefix}.genre={value}"))["field"] == f"{prefix}.genre"


@pytest.mark.behaviour("TAGQ-09")
@pytest.mark.parametrize("query", ["tag.=news", "tag_exists.=true"])
def test_a_tag_filter_without_a_name_is_rejected(tams: TamsClient, query: str) -> None:
    assert tams.request("GET", f"/flows?{query}").status_code == 400


# -- Filters on flows


@pytest.mark.behaviour("A16", "A17", "A19", "FLOW-LIST-11", "FLOW-LIST-13", "FLOW-LIST-17")
def test_filters_on_properties_that_a_flow_lacks(tams: TamsClient) -> None:
    label = fresh_name("label")
    ids = {format_: tams.make_flow(flow(format_, label=label))["id"] for format_ in (VIDEO, IMAGE, DATA, MULTI)}

    def found(**params: object) -> set[str]:
        return {each["id"] for each in tams.get("/flows", label=label, **params).json()}

    assert found(init_segments=False) == set(ids.values())
    assert found(timerange="_") == set(ids.values())
    assert found(frame_width=640) == found(frame_height=360) == set()
    assert found(frame_width=10**30) == set()


@pytest.mark.behaviour("A18", "FLOW-LIST-15")
def test_a_timerange_within_a_gap_does_not_match(tams: TamsClient) -> None:
    made = tams.make_flow()
    tams.make_segments(made["id"], ["[0:0_1:0)", "[9:0_10:0)"])
    assert tams.get("/flows", source_id=made["source_id"], timerange="[2:0_8:0)").json() == []
    assert len(tams.get("/flows", source_id=made["source_id"], timerange="[2:0_9:0]").json()) == 1


# -- Labels


@pytest.mark.behaviour("A10", "AMB-33", "SORT-05")
def test_labels_are_sorted_by_code_point(tams: TamsClient) -> None:
    source_id = fresh()
    labels = ["", " ", "10", "9", "Z", "a", "z", "É", "é", "日本", "\uffff", "🎬"]
    for label in reversed(labels):
        tams.make_flow(source_id=source_id, label=label)
    url = with_query("/flows", {"source_id": source_id, "sort_by": "label", "limit": 5})
    assert [item["label"] for page in tams.pages(url) for item in page.json()] == labels


@pytest.mark.behaviour("SORT-07", "SRC-DESC-09")
def test_an_empty_label_is_a_label(tams: TamsClient) -> None:
    source_id = fresh()
    tams.make_flow(source_id=source_id)
    labelled = tams.make_flow(source_id=source_id, label="")["id"]
    assert [item["id"] for item in tams.get("/flows", source_id=source_id, label="").json()] == [labelled]
    assert tams.get("/flows", source_id=source_id, sort_by="label").json()[0]["id"] == labelled


@pytest.mark.behaviour("PAGE-05", "SVC-PAGE-07")
def test_a_link_has_no_character_at_which_clients_split_it(tams: TamsClient) -> None:
    tag = 'a,b;c>"d <é'
    source_id = fresh()
    for _ in range(2):
        tams.make_flow(source_id=source_id, tags={tag: tag})
    response = tams.request(
        "GET", f"/flows?source_id={source_id}&limit=1&tag.{path_segment(tag)}=x,{path_segment(tag)}"
    )
    url = response.headers["Link"].removeprefix("<").partition(">")[0]
    assert not set(',;<>" ') & set(url)
    assert url.isascii()
    assert len(tams.request("GET", url).json()) == 1
