"""Listing of segments: filters, order, paging, and the members of each segment."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.segments import normalised, post_segment, register_segment, timeranges


@pytest.mark.behaviour("SEG-GET-01", "SORT-09", "SEG-POST-21")
def test_segments_are_listed_by_time_whatever_the_order_of_registration(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[20:0_30:0)", "[-5:0_0:0)", "[10:0_20:0)", "[0:0_10:0)"])
    assert timeranges(tams, flow["id"]) == ["[-5:0_0:0)", "[0:0_10:0)", "[10:0_20:0)", "[20:0_30:0)"]


@pytest.mark.behaviour("SEG-GET-02", "SEG-GET-03", "A34", "PAGE-16")
@pytest.mark.parametrize("known", [True, False], ids=["flow without segments", "unknown flow"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_flow_without_segments_has_an_empty_listing(tams: TamsClient, method: str, known: bool) -> None:
    flow_id = tams.make_flow()["id"] if known else fresh()
    response = tams.request(method, f"/flows/{flow_id}/segments")
    assert response.status_code == 200
    assert response.headers.get("X-Paging-Count", "0") == "0"
    assert "next" not in response.links
    assert response.content == (b"" if method == "HEAD" else b"[]")


@pytest.mark.behaviour("SEG-GET-04", "GEN-01", "A02")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("flow_id", ["not-a-uuid", "00000000-0000-0000-0000-00000000000g"])
def test_a_malformed_flow_id_is_not_found(tams: TamsClient, method: str, flow_id: str) -> None:
    assert tams.request(method, f"/flows/{flow_id}/segments").status_code == 404


@pytest.mark.parametrize(
    ("segment", "requested", "hit"),
    [
        pytest.param(segment, requested, hit, marks=pytest.mark.behaviour(*behaviours, "SEG-GET-07"))
        for segment, requested, hit, behaviours in [
            ("[0:0_10:0)", "[9:0_10:0)", True, ["SEG-GET-08"]),
            ("[0:0_10:0)", "9:999999999", True, ["SEG-GET-08", "TR-07"]),
            ("[0:0_10:0)", "[10:0]", False, ["SEG-GET-08"]),
            ("[0:0_10:0)", "[10:0_20:0)", False, ["SEG-GET-08", "TR-15"]),
            ("[0:0_10:0)", "(-1:0_0:0)", False, ["TR-15"]),
            ("[0:0_10:0)", "(-1:0_0:0]", True, ["TR-15"]),
            ("[10:0_20:0)", "[10:0]", True, ["SEG-GET-09", "TR-06"]),
            ("[10:0_20:0)", "[0:0_10:0]", True, ["SEG-GET-09"]),
            ("[10:0_20:0)", "[0:0_10:0)", False, ["SEG-GET-09"]),
            ("[10:0_20:0)", "(12:0_13:0)", True, ["SEG-GET-07"]),
            ("[5:0]", "[5:0]", True, ["SEG-GET-10"]),
            ("[5:0]", "5:0", True, ["SEG-GET-10", "TR-07"]),
            ("[5:0]", "[5:0_6:0)", True, ["SEG-GET-10"]),
            ("[5:0]", "(5:0_6:0)", False, ["SEG-GET-10"]),
            ("[5:0]", "[4:0_5:0)", False, ["SEG-GET-10"]),
            ("[0:0_10:0]", "[10:0]", True, ["SEG-GET-11"]),
            ("[0:0_10:0]", "(10:0_", False, ["SEG-GET-11"]),
            ("[0:0_10:0)", "_0:0)", False, ["SEG-GET-12", "TR-08"]),
            ("[0:0_10:0)", "_0:0]", True, ["SEG-GET-12", "TR-08"]),
            ("[0:0_10:0)", "[9:0_", True, ["SEG-GET-12", "TR-08"]),
            ("[0:0_10:0)", "[10:0_", False, ["SEG-GET-12", "TR-08"]),
            ("[0:0_10:0)", "_", True, ["SEG-GET-12", "TR-04"]),
            ("[0:0_10:0)", "(_)", True, ["SEG-GET-12", "TR-09"]),
            ("[0:0_10:0)", "[_5:0)", True, ["SEG-GET-12", "TR-09"]),
            ("[-10:0_-5:0)", "[-6:0_0:0)", True, ["TR-13"]),
            ("[-10:0_-5:0)", "[-5:0_0:0)", False, ["TR-13"]),
            ("[-1:500000000_-1:0)", "[-1:0_0:0)", False, ["TR-02"]),
            ("[-1:500000000_-1:0)", "[-2:0_-1:250000000)", True, ["TR-02"]),
            ("[9007199:254740993_9007199:254740994)", "[9007199:254740992]", False, ["TR-14"]),
            ("[9007199:254740993_9007199:254740994)", "[9007199:254740993]", True, ["TR-14"]),
            ("[0:0_10:0)", "()", False, ["SEG-GET-13", "TR-05"]),
            ("[0:0_10:0)", "[5:0_5:0)", False, ["SEG-GET-13", "TR-12"]),
            ("[0:0_10:0)", "(5:0_5:0]", False, ["SEG-GET-13", "TR-12"]),
            ("[0:0_10:0)", "[8:0_2:0]", False, ["SEG-GET-13", "TR-11"]),
        ]
    ],
)
def test_a_segment_is_found_whole_by_every_overlapping_timerange(
    tams: TamsClient, segment: str, requested: str, hit: bool
) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], [segment])
    assert timeranges(tams, flow["id"], timerange=requested) == ([segment] if hit else [])


@pytest.mark.behaviour("SEG-GET-07", "SEG-GET-14")
@pytest.mark.parametrize(
    ("requested", "found"),
    [
        ("[5:0_25:0)", ["[0:0_10:0)", "[20:0_30:0)"]),
        ("[10:0_20:0)", []),
        ("[15:0_40:0)", ["[20:0_30:0)", "[30:0_40:0)"]),
        ("[25:0]", ["[20:0_30:0)"]),
    ],
)
def test_a_timerange_finds_all_overlapping_segments_and_nothing_in_gaps(
    tams: TamsClient, requested: str, found: list[str]
) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_10:0)", "[20:0_30:0)", "[30:0_40:0)"])
    assert timeranges(tams, flow["id"], timerange=requested) == found


@pytest.mark.behaviour("SEG-GET-15", "TR-01", "TR-16")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "text", ["yesterday", "[0:0 _ 1:0)", "[0:0_1:0_2:0)", "[0:1000000000]", "[00:0]", "[0:007]", "+1:0", "[0.5_1:0)"]
)
def test_a_malformed_timerange_is_rejected(tams: TamsClient, method: str, text: str) -> None:
    flow = tams.make_flow()
    assert tams.request(method, f"/flows/{flow['id']}/segments", params={"timerange": text}).status_code == 400


@pytest.mark.behaviour("TR-16")
def test_unencoded_brackets_in_the_query_are_accepted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_10:0)", "[10:0_20:0)"])
    response = tams.request("GET", f"/flows/{flow['id']}/segments?timerange=[0:0_10:0)")
    assert [item["timerange"] for item in response.json()] == ["[0:0_10:0)"]


@pytest.mark.behaviour("SEG-GET-05", "SEG-GET-06", "SEG-GET-16", "SEG-POST-36")
def test_an_object_used_twice_is_found_at_both_timeranges(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[10:0_20:0)"])
    object_id = register_segment(tams, flow["id"], "[0:0_10:0)")
    register_segment(tams, flow["id"], "[20:0_30:0)", object_id=object_id, ts_offset="20:0")
    assert timeranges(tams, flow["id"], object_id=object_id) == ["[0:0_10:0)", "[20:0_30:0)"]
    assert timeranges(tams, flow["id"], object_id=object_id, timerange="[15:0_25:0)") == ["[20:0_30:0)"]
    assert timeranges(tams, flow["id"], object_id=object_id, timerange="[12:0_13:0)") == []
    assert timeranges(tams, flow["id"], object_id=fresh()) == []
    assert timeranges(tams, flow["id"], object_id=object_id[:-1]) == []


@pytest.mark.behaviour("SEG-GET-05", "STO-04")
@pytest.mark.parametrize("suffix", ["/a/b.ts", " with space", "%2F", "?q=1&r=2", "naïve-☃", "#part", "a+b;c,d"])
def test_object_ids_with_special_characters_are_found(tams: TamsClient, suffix: str) -> None:
    flow = tams.make_flow()
    object_id = fresh_name() + suffix
    assert tams.make_objects(flow["id"], 1, object_ids=[object_id]) == [object_id]
    register_segment(tams, flow["id"], object_id=object_id)
    tams.make_segments(flow["id"], ["[10:0_20:0)"])
    assert [item["object_id"] for item in tams.segments(flow["id"], object_id=object_id)] == [object_id]


@pytest.mark.behaviour("SEG-GET-17", "SORT-09", "PAGE-11")
def test_reverse_order_gives_the_newest_first(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_10:0)", "[10:0_20:0)", "[20:0_30:0)"])
    newest = tams.get(f"/flows/{flow['id']}/segments", reverse_order=True, limit=1)
    assert [item["timerange"] for item in newest.json()] == ["[20:0_30:0)"]
    assert newest.headers["X-Paging-Reverse-Order"] == "true"
    assert timeranges(tams, flow["id"], reverse_order=True, limit=2) == ["[20:0_30:0)", "[10:0_20:0)", "[0:0_10:0)"]
    assert tams.get(f"/flows/{flow['id']}/segments").headers["X-Paging-Reverse-Order"] == "false"


@pytest.mark.behaviour("SORT-10", "SEG-POST-20", "SVC-SORT-05")
def test_inclusivity_of_bounds_affects_the_order(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[2:0]", "[1:0_2:0)"])
    assert timeranges(tams, flow["id"]) == ["[1:0_2:0)", "[2:0]"]
    assert timeranges(tams, flow["id"], reverse_order=True) == ["[2:0]", "[1:0_2:0)"]


@pytest.mark.behaviour("SEG-GET-18", "SEG-GET-44", "PAGE-01", "PAGE-03", "PAGE-05", "PAGE-10", "PAGE-13", "A08")
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
def test_pages_cover_the_query_once_and_state_their_timerange(tams: TamsClient, reverse: bool) -> None:
    flow = tams.make_flow()
    registered = [f"[{n}:0_{n + 1}:0)" for n in range(9)]
    tams.make_segments(flow["id"], registered)
    expected = registered[1:8]
    query = {"timerange": "[1:0_8:0)", "limit": 3, "reverse_order": reverse}
    pages = list(tams.pages(f"/flows/{flow['id']}/segments", **query))
    found = [item["timerange"] for page in pages for item in page.json()]
    assert found == (expected[::-1] if reverse else expected)
    assert [page.headers["X-Paging-Count"] for page in pages] == ["3", "3", "1"]
    assert [("next" in page.links, "X-Paging-NextKey" in page.headers) for page in pages] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    for page in pages:
        assert page.headers["X-Paging-Limit"] == "3"
        covered = normalised(page.headers["X-Paging-Timerange"])
        assert all(covered.covers(normalised(item["timerange"])) for item in page.json())


@pytest.mark.behaviour("SEG-GET-44", "PAGE-15", "GEN-07", "SVC-GEN-01")
def test_head_has_the_headers_of_get(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_1:0)", "[1:0_2:0)"])
    query = {"limit": 1, "timerange": "[0:0_2:0)"}
    get, head = (tams.request(method, f"/flows/{flow['id']}/segments", params=query) for method in ("GET", "HEAD"))
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    names = [name for name in get.headers if name.startswith("x-paging-")] + ["link"]
    assert {"x-paging-timerange", "x-paging-count", "x-paging-limit", "x-paging-nextkey"} <= set(names)
    assert {name: head.headers.get(name) for name in names} == {name: get.headers[name] for name in names}


@pytest.mark.behaviour("PAGE-17", "SVC-PAGE-05")
def test_pages_lose_and_repeat_nothing_while_segments_change(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(10, 16)])
    first = tams.get(f"/flows/{flow['id']}/segments", limit=3)
    assert tams.delete(f"/flows/{flow['id']}/segments", timerange="[10:0_11:0)").status_code == 204
    tams.make_segments(flow["id"], ["[0:0_1:0)"])
    rest = tams.request("GET", first.links["next"]["url"])
    assert [item["timerange"] for item in rest.json()] == ["[13:0_14:0)", "[14:0_15:0)", "[15:0_16:0)"]


@pytest.mark.behaviour("SEG-GET-38", "A36")
@pytest.mark.parametrize("requested", [None, False, True])
def test_the_object_timerange_is_shown_on_request(tams: TamsClient, requested: bool | None) -> None:
    flow = tams.make_flow()
    register_segment(tams, flow["id"], "[10:0_12:0)", ts_offset="10:0", object_timerange="[0:0_5:0)")
    register_segment(tams, flow["id"], "[20:0_22:0)")
    found = tams.segments(flow["id"], include_object_timerange=requested)
    if requested:
        assert [item["object_timerange"] for item in found] == ["[0:0_5:0)", "[20:0_22:0)"]
    else:
        assert all("object_timerange" not in item for item in found)


@pytest.mark.behaviour("SEG-GET-41", "SEG-POST-38")
def test_the_members_of_a_segment_read_back(tams: TamsClient) -> None:
    flow = tams.make_flow()
    said = {
        "ts_offset": "-7:500000000",
        "last_duration": "0:40000000",
        "key_frame_count": 2,
        "sample_offset": 25,
        "sample_count": 50,
    }
    register_segment(tams, flow["id"], "[0:0_2:0)", **said)
    found = tams.segments(flow["id"])[0]
    assert {name: found.get(name) for name in said} == said


@pytest.mark.behaviour("SEG-GET-42")
def test_an_omitted_ts_offset_reads_as_zero_or_absent(tams: TamsClient) -> None:
    flow = tams.make_flow()
    register_segment(tams, flow["id"])
    assert tams.segments(flow["id"])[0].get("ts_offset", "0:0") == "0:0"


@pytest.mark.behaviour("SEG-GET-18", "PAGE-09", "GEN-12", "GEN-08")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "query",
    [
        {"limit": "abc"},
        {"limit": "1.5"},
        {"page": "never-issued"},
        {"reverse_order": "maybe"},
        {"include_object_timerange": "yes"},
    ],
    ids=str,
)
def test_an_invalid_query_is_rejected(tams: TamsClient, method: str, query: dict[str, str]) -> None:
    flow = tams.make_flow()
    register_segment(tams, flow["id"])
    assert tams.request(method, f"/flows/{flow['id']}/segments", params=query).status_code == 400


@pytest.mark.behaviour("TR-17", "TR-06")
@pytest.mark.parametrize("sent", ["[5:0]", "[0:0_10:0)", "[0:0_10:0]", "[-3:5_-1:999999999)"])
def test_timeranges_are_returned_in_normal_form(tams: TamsClient, sent: str) -> None:
    flow = tams.make_flow()
    response = post_segment(tams, flow["id"], tams.make_objects(flow["id"], 1)[0], sent)
    assert response.status_code == 201, response.text
    found = tams.segments(flow["id"])[0]["timerange"]
    assert found.startswith("[")
    assert normalised(found) == normalised(sent)
