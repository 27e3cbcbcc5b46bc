"""Segments: the choices of this server where the standard leaves them open."""

from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_segments
from tests.conformance.kit.documents import DATA, Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.instances import get_urls
from tests.conformance.kit.media import download, upload
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import post_segment, read_object, register_segment, timeranges


def assert_error(response: httpx.Response, field: str, behaviour: str | None = None) -> None:
    """Assert 400, with a problem document that names the field, and the behaviour if one is given."""
    assert response.status_code == 400, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["field"] == field
    assert behaviour is None or problem["behaviour"] == behaviour


@pytest.mark.parametrize(
    ("timerange", "behaviour"),
    [
        pytest.param(timerange, behaviour, marks=pytest.mark.behaviour(behaviour, "A38"))
        for timerange, behaviour in [
            ("(0:0_10:0)", "SEG-POST-16"),
            ("(0:0_10:0]", "SEG-POST-16"),
            ("_", "SEG-POST-17"),
            ("_10:0)", "SEG-POST-17"),
            ("[0:0_", "SEG-POST-17"),
            ("[5:0_5:0)", "SEG-POST-17"),
            ("[10:0_0:0)", "SEG-POST-17"),
        ]
    ],
)
def test_the_timerange_of_a_segment_must_be_bounded(tams: TamsClient, timerange: str, behaviour: str) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    assert_error(post_segment(tams, flow["id"], object_id, timerange), "timerange", behaviour)
    assert timeranges(tams, flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-17", "A38", "A05")
@pytest.mark.parametrize(
    "timerange", ["()", "", "[]", "[5:0", "5:0]", "[99999999999999999999:0_99999999999999999999:1)"]
)
def test_an_empty_timerange_is_rejected(tams: TamsClient, timerange: str) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    assert_error(post_segment(tams, flow["id"], object_id, timerange), "timerange")


@pytest.mark.behaviour("SEG-POST-22", "SEG-POST-24", "A39", "A40")
@pytest.mark.parametrize("wanted", ["[10:0_20:0)", "[19:999999999_30:0)", "[0:0_10:0]", "[15:0]", "[0:0_100:0)"])
def test_an_overlap_is_rejected(tams: TamsClient, wanted: str) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], "[10:0_20:0)", object_timerange="[0:0_100:0]")
    response = post_segment(tams, flow["id"], object_id, wanted)
    assert_error(response, "timerange", "SEG-POST-22")
    bulk = tams.post(f"/flows/{flow['id']}/segments", [{"object_id": object_id, "timerange": wanted}])
    assert bulk.status_code == 200
    assert bulk.json()["failed_segments"][0]["error"]["summary"] == response.json()["detail"]
    assert timeranges(tams, flow["id"]) == ["[10:0_20:0)"]


@pytest.mark.behaviour("SEG-POST-29", "A42")
@pytest.mark.parametrize(
    ("timerange", "more"),
    [
        ("[0:0_11:0)", {}),
        ("[0:0_10:0]", {}),
        ("[100:0_110:0)", {}),
        ("[0:0_10:0)", {"ts_offset": "0:1"}),
        ("[0:0_10:0)", {"ts_offset": "-0:1"}),
    ],
    ids=str,
)
def test_a_segment_must_lie_within_its_object(tams: TamsClient, timerange: str, more: dict[str, Any]) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], "[0:0_10:0)")
    response = post_segment(tams, other["id"], object_id, timerange, **more)
    assert_error(response, "timerange", "SEG-POST-29")


@pytest.mark.behaviour("SEG-POST-29", "A42")
def test_the_first_segment_must_lie_within_its_object(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    response = post_segment(tams, flow["id"], object_id, "[0:0_10:0)", object_timerange="[0:0_9:0)")
    assert_error(response, "timerange", "SEG-POST-29")


@pytest.mark.behaviour("SEG-POST-30", "A38")
@pytest.mark.parametrize("object_timerange", ["_", "()", "(0:0_10:0)", "[10:0_0:0)"])
def test_the_timerange_of_an_object_must_be_bounded(tams: TamsClient, object_timerange: str) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    response = post_segment(tams, flow["id"], object_id, "[0:0_10:0)", object_timerange=object_timerange)
    assert_error(response, "object_timerange")


@pytest.mark.behaviour("SEG-POST-37", "A42")
@pytest.mark.parametrize(("last_duration", "status"), [("-0:1", 400), ("0:0", 201), ("20:0", 201)])
def test_the_last_duration_must_not_be_negative(tams: TamsClient, last_duration: str, status: int) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    response = post_segment(tams, flow["id"], object_id, "[0:0_10:0)", last_duration=last_duration)
    assert response.status_code == status


@pytest.mark.behaviour("SEG-POST-44", "A43")
@pytest.mark.parametrize(
    ("label", "url", "accepted"), [("first", "same", True), ("first", "other", False), ("second", "other", True)]
)
def test_another_segment_may_add_urls_but_not_change_them(
    tams: TamsClient, label: str, url: str, accepted: bool
) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], get_urls=[{"url": "https://a.example/same", "label": "first"}])
    again = [{"url": f"https://a.example/{url}", "label": label}]
    response = post_segment(tams, other["id"], object_id, "[0:0_10:0)", get_urls=again)
    assert response.status_code == (201 if accepted else 400)
    found = {each["label"]: each["url"] for each in get_urls(tams, "object", flow["id"], object_id)}
    assert found["first"] == "https://a.example/same"
    assert ("second" in found) is (label == "second")


@pytest.mark.behaviour("SEG-POST-39")
@pytest.mark.parametrize("url", ["ftp://a.example/a", "/relative", "https://", "javascript:alert(1)", "http://[::1"])
def test_a_get_url_must_be_an_http_url(tams: TamsClient, url: str) -> None:
    flow = tams.make_flow()
    segment = {"object_id": fresh_name(), "timerange": "[0:0_1:0)", "get_urls": [{"url": url, "label": "a"}]}
    assert_error(tams.post(f"/flows/{flow['id']}/segments", segment), "get_urls.0.url")


@pytest.mark.behaviour("SEG-POST-09")
def test_uncontrolled_objects_are_accepted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    url = {"url": "https://a.example/a", "label": "a"}
    register_segment(tams, flow["id"], object_id=fresh_name("outside"), get_urls=[url])


@pytest.mark.behaviour("SEG-POST-61", "A46", "A47", "SEG-POST-58")
def test_a_bulk_request_reports_each_failed_segment(tams: TamsClient) -> None:
    flow = tams.make_flow()
    path = f"/flows/{flow['id']}/segments"
    assert tams.post(path, []).status_code == 201
    unknown = {"object_id": fresh_name("unknown"), "timerange": "[0:0_1:0)"}
    response = tams.post(path, [unknown])
    assert response.status_code == 200
    (failed,) = response.json()["failed_segments"]
    assert (failed["object_id"], failed["timerange"]) == (unknown["object_id"], unknown["timerange"])
    alone = tams.post(path, unknown)
    assert_error(alone, "object_id")
    error, problem = failed["error"], alone.json()
    assert set(error) == {"type", "summary", "time", "code", "severity", "field", "behaviour"}
    assert {name: error[name] for name in ("code", "severity", "field", "behaviour")}.items() <= problem.items()
    assert error["summary"] == problem["detail"]
    assert unknown["object_id"] in error["summary"]


@pytest.mark.behaviour("SEG-POST-12", "A37")
def test_an_object_may_be_registered_before_it_is_uploaded(tams: TamsClient) -> None:
    flow = tams.make_flow(format_=DATA)
    (item,) = tams.allocate(flow["id"])
    register_segment(tams, flow["id"], object_id=item["object_id"])
    url, *_ = get_urls(tams, "segment", flow["id"], item["object_id"])
    assert download(tams, url).status_code == 404
    assert upload(tams, item, b"late").is_success
    assert download(tams, url).content == b"late"


@pytest.mark.behaviour("SEG-POST-25", "A41")
def test_a_deleted_segment_can_be_posted_again_with_its_object(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], key_frame_count=2)
    delete_segments(tams, flow["id"])
    assert post_segment(tams, flow["id"], object_id, "[0:0_5:0)").status_code == 201
    assert read_object(tams, object_id)["key_frame_count"] == 2


@pytest.mark.behaviour("A05")
@pytest.mark.parametrize("timerange", ["", "[]", "[5:0", "("])
def test_a_deletion_of_an_incomplete_timerange_is_rejected(tams: TamsClient, timerange: str) -> None:
    flow = tams.make_flow()
    register_segment(tams, flow["id"])
    assert_error(tams.request("DELETE", f"/flows/{flow['id']}/segments", params={"timerange": timerange}), "timerange")
    assert timeranges(tams, flow["id"]) == ["[0:0_10:0)"]


@pytest.mark.behaviour("SEG-GET-30", "A35", "A08", "TR-10")
def test_details_of_the_listing(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_10:0)", "[20:0_30:0)"])
    path = f"/flows/{flow['id']}/segments"
    assert_error(tams.request("GET", f"{path}?accept_storage_ids="), "accept_storage_ids")
    response = tams.request("GET", path)
    assert response.headers["X-Paging-Timerange"] == "[0:0_30:0)"
    assert tams.get(path, timerange="[12:0_13:0)").headers["X-Paging-Timerange"] == "()"
    inclusive = tams.request("GET", with_query(path, {"timerange": "10:0_20:0"}))
    assert [item["timerange"] for item in inclusive.json()] == ["[20:0_30:0)"]


@pytest.mark.behaviour("A33", "SEG-POST-63")
@pytest.mark.parametrize("body", [{}, [], [{"object_id": 1}], "text"], ids=str)
def test_a_missing_or_read_only_flow_precedes_an_invalid_body(tams: TamsClient, body: Json) -> None:
    flow = tams.make_flow()
    path = f"/flows/{flow['id']}/segments"
    tams.put(f"/flows/{flow['id']}/read_only", True)
    assert tams.post(path, body).status_code == 403
    tams.put(f"/flows/{flow['id']}/read_only", False)
    tams.delete(f"/flows/{flow['id']}")
    assert tams.post(path, body).status_code == 404
