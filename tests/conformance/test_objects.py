"""Objects: their members, and the flows that reference them."""

import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.segments import normalised, read_object, register_segment


def references(tams: TamsClient, object_id: str, /, **params: Value | None) -> list[str]:
    """referenced_by_flows, read page by page."""
    pages = tams.pages(with_query(f"/objects/{path_segment(object_id)}", params))
    return [flow_id for page in pages for flow_id in page.json()["referenced_by_flows"]]


@pytest.fixture
def shared(tams: TamsClient) -> tuple[str, list[Json]]:
    """An object and the five flows that use it, tagged with a number and with its parity."""
    flows = [
        tams.make_flow(tags={"number": str(n), "sort": ["all", "even" if n % 2 == 0 else "odd"]}) for n in range(4)
    ]
    flows.append(tams.make_flow())
    object_id = register_segment(tams, flows[0]["id"])
    for flow in flows[1:]:
        register_segment(tams, flow["id"], object_id=object_id)
    return object_id, flows


@pytest.mark.behaviour("OBJ-01", "OBJ-08", "OBJ-12", "OBJ-07", "SEG-POST-27")
def test_an_object_shows_its_timerange_key_frames_and_flows(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], "[10:0_12:0)", object_timerange="[8:0_14:0)", key_frame_count=3)
    document = read_object(tams, object_id)
    assert document["id"] == object_id
    assert document["referenced_by_flows"] == [flow["id"]]
    assert document.get("first_referenced_by_flow", flow["id"]) == flow["id"]
    assert normalised(document["timerange"]) == normalised("[8:0_14:0)")
    assert document.get("key_frame_count", 3) == 3
    assert document["get_urls"]


@pytest.mark.behaviour("OBJ-02", "GEN-07")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("object_id", ["nobody's", "bucket%2Fkey", "%20", "..%2F..%2Fetc%2Fpasswd", "%C3%BC"])
def test_an_unknown_object_is_not_found(tams: TamsClient, method: str, object_id: str) -> None:
    assert tams.request(method, f"/objects/{object_id}{fresh()}").status_code == 404


@pytest.mark.behaviour("OBJ-04")
@pytest.mark.parametrize("suffix", ["/a/b.ts", " b", "%", "%2F", "ü☃", "?a=b", "#c", "/instances", "+&;,", "/../x"])
def test_objects_with_any_id_can_be_addressed(tams: TamsClient, suffix: str) -> None:
    flow = tams.make_flow()
    object_id = fresh_name() + suffix
    tams.make_objects(flow["id"], 1, object_ids=[object_id])
    register_segment(tams, flow["id"], object_id=object_id)
    assert read_object(tams, object_id)["id"] == object_id
    instance = {"url": "https://media.example.com/a", "label": fresh_name()}
    assert tams.post(f"/objects/{path_segment(object_id)}/instances", instance).status_code == 201
    assert instance["label"] in {each.get("label") for each in read_object(tams, object_id)["get_urls"]}
    assert tams.head(f"/objects/{path_segment(object_id)}").status_code == 200


@pytest.mark.behaviour("OBJ-05", "OBJ-06", "OBJ-07")
def test_each_flow_is_listed_once_while_it_references_the_object(tams: TamsClient) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    register_segment(tams, flow["id"], "[20:0_30:0)", object_id=object_id, ts_offset="20:0")
    assert references(tams, object_id) == [flow["id"]]
    register_segment(tams, other["id"], object_id=object_id)
    assert sorted(references(tams, object_id)) == sorted([flow["id"], other["id"]])
    assert read_object(tams, object_id).get("first_referenced_by_flow", flow["id"]) == flow["id"]
    tams.delete(f"/flows/{flow['id']}/segments", timerange="[0:0_10:0)")
    assert sorted(references(tams, object_id)) == sorted([flow["id"], other["id"]])
    tams.delete(f"/flows/{flow['id']}/segments")
    assert references(tams, object_id) == [other["id"]]
    assert read_object(tams, object_id).get("first_referenced_by_flow", flow["id"]) == flow["id"]


@pytest.mark.behaviour("OBJ-06", "FLOW-DEL-10")
def test_a_deleted_flow_is_not_listed(tams: TamsClient, shared: tuple[str, list[Json]]) -> None:
    object_id, flows = shared
    assert tams.delete(f"/flows/{flows[0]['id']}").status_code in (202, 204)
    assert sorted(references(tams, object_id)) == sorted(flow["id"] for flow in flows[1:])


@pytest.mark.behaviour("OBJ-15", "OBJ-16", "OBJ-17", "TAGQ-02", "TAGQ-03", "TAGQ-04", "TAGQ-05", "TAG-06")
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"flow_tag.number": ["2"]}, {2}),
        ({"flow_tag.number": ["0", "3", "9"]}, {0, 3}),
        ({"flow_tag.sort": ["even"]}, {0, 2}),
        ({"flow_tag.sort": ["eve"]}, set()),
        ({"flow_tag.sort": ["EVEN"]}, set()),
        ({"flow_tag.sort": ["even"], "flow_tag.number": ["2", "3"]}, {2}),
        ({"flow_tag_exists.number": True}, {0, 1, 2, 3}),
        ({"flow_tag_exists.number": False}, {4}),
        ({"flow_tag_exists.number": True, "flow_tag.sort": ["odd"]}, {1, 3}),
        ({"flow_tag.nothing": ["x"]}, set()),
        ({"flow_tag.number": ""}, set()),
    ],
    ids=str,
)
def test_referencing_flows_are_filtered_by_tags(
    tams: TamsClient, shared: tuple[str, list[Json]], params: dict[str, Value], expected: set[int]
) -> None:
    object_id, flows = shared
    assert sorted(references(tams, object_id, **params)) == sorted(flows[n]["id"] for n in expected)


@pytest.mark.behaviour("OBJ-18", "OBJ-19", "PAGE-01", "PAGE-02", "PAGE-03", "PAGE-04", "PAGE-05", "PAGE-12")
@pytest.mark.parametrize("filters", [{}, {"flow_tag_exists.number": True, "accept_get_urls": ""}], ids=str)
def test_referencing_flows_are_paged_and_the_rest_repeated(
    tams: TamsClient, shared: tuple[str, list[Json]], filters: dict[str, Value]
) -> None:
    object_id, flows = shared
    expected = flows[:4] if filters else flows
    pages = list(tams.pages(with_query(f"/objects/{object_id}", {**filters, "limit": 2})))
    found = [flow_id for page in pages for flow_id in page.json()["referenced_by_flows"]]
    assert sorted(found) == sorted(flow["id"] for flow in expected)
    assert len(pages) == (len(expected) + 1) // 2
    for page in pages:
        assert page.headers["X-Paging-Limit"] == "2"
        assert page.json()["id"] == object_id
        assert normalised(page.json()["timerange"]) == normalised("[0:0_10:0)")
        assert bool(page.json()["get_urls"]) is not bool(filters)
    assert ["X-Paging-NextKey" in page.headers for page in pages] == ["next" in page.links for page in pages]
    key = pages[0].headers["X-Paging-NextKey"]
    by_key = tams.request("GET", with_query(f"/objects/{object_id}", {**filters, "limit": 2, "page": key}))
    assert by_key.json()["referenced_by_flows"] == pages[1].json()["referenced_by_flows"]
    assert len(tams.get(f"/objects/{object_id}").json()["referenced_by_flows"]) == len(flows)


@pytest.mark.behaviour("PAGE-15", "SVC-GEN-01", "OBJ-18")
def test_head_has_the_headers_of_get(tams: TamsClient, shared: tuple[str, list[Json]]) -> None:
    get, head = (tams.request(method, f"/objects/{shared[0]}?limit=2") for method in ("GET", "HEAD"))
    assert head.status_code == 200
    assert head.content == b""
    for name in ("Link", "X-Paging-Limit", "X-Paging-NextKey"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.behaviour("OBJ-14", "PAGE-06", "PAGE-09", "TAGQ-09", "TAGQ-11", "GEN-08")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["limit=abc", "page=never-issued", "flow_tag_exists.a=maybe", "flow_tag.a=b,,c"])
def test_an_invalid_query_is_rejected(tams: TamsClient, method: str, query: str) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    assert tams.request(method, f"/objects/{object_id}?{query}").status_code == 400


@pytest.mark.behaviour("OBJ-20", "GEN-09")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
def test_objects_cannot_be_created_or_deleted_directly(tams: TamsClient, method: str) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    before = read_object(tams, object_id)
    assert tams.http.request(method, f"/objects/{object_id}", json=before).status_code in (400, 403, 404, 405)
    assert read_object(tams, object_id)["referenced_by_flows"] == before["referenced_by_flows"]


@pytest.mark.behaviour("OBJ-20", "GEN-09")
def test_there_is_no_listing_of_objects(tams: TamsClient) -> None:
    assert tams.http.get("/objects").status_code in (404, 405)
