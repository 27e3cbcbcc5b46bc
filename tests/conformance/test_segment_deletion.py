"""Deletion of segments wholly inside a timerange, and the effect on the flow."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_segments
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.segments import normalised, register_segment, timeranges

FOUR = ["[0:0_10:0)", "[10:0_20:0)", "[20:0_30:0)", "[30:0_40:0)"]


@pytest.mark.behaviour("SEG-DEL-01", "SEG-DEL-19", "SEG-DEL-20", "DEL-01")
@pytest.mark.parametrize("params", [{}, {"timerange": "_"}], ids=str)
def test_without_a_timerange_all_segments_are_deleted_and_the_flow_remains(
    tams: TamsClient, params: dict[str, str]
) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    delete_segments(tams, flow["id"], **params)
    assert timeranges(tams, flow["id"]) == []
    assert tams.get(f"/flows/{flow['id']}", include_timerange=True).json()["timerange"] == "()"
    without_content = tams.pages("/flows", timerange="()", source_id=flow["source_id"])
    assert [item["id"] for page in without_content for item in page.json()] == [flow["id"]]


@pytest.mark.parametrize(
    ("segments", "requested", "left"),
    [
        pytest.param(segments, requested, left, marks=pytest.mark.behaviour(*behaviours))
        for segments, requested, left, behaviours in [
            (FOUR, "[10:0_30:0)", ["[0:0_10:0)", "[30:0_40:0)"], ["SEG-DEL-02", "DEL-06"]),
            (FOUR, "[5:0_35:0)", ["[0:0_10:0)", "[30:0_40:0)"], ["SEG-DEL-03", "DEL-06"]),
            (FOUR, "[12:0_18:0)", FOUR, ["SEG-DEL-03", "DEL-06"]),
            (FOUR, "_20:0)", ["[20:0_30:0)", "[30:0_40:0)"], ["SEG-DEL-05", "TMO-09"]),
            (FOUR, "_19:999999999)", FOUR[1:], ["SEG-DEL-05"]),
            (FOUR, "[20:0_", ["[0:0_10:0)", "[10:0_20:0)"], ["SEG-DEL-02"]),
            (FOUR, "[100:0_200:0)", FOUR, ["SEG-DEL-09"]),
            (FOUR, "()", FOUR, ["SEG-DEL-06", "TR-05"]),
            (FOUR, "[10:0_10:0)", FOUR, ["SEG-DEL-06", "TR-12"]),
            (FOUR, "[30:0_0:0)", FOUR, ["SEG-DEL-06", "TR-11"]),
            (FOUR, "[10:0]", FOUR, ["SEG-DEL-03"]),
            (["[0:0_10:0)"], "[0:0_10:0)", [], ["SEG-DEL-04"]),
            (["[0:0_10:0)"], "[0:0_10:0]", [], ["SEG-DEL-04"]),
            (["[0:0_10:0)"], "(0:0_10:0)", ["[0:0_10:0)"], ["SEG-DEL-04"]),
            (["[0:0_10:0)"], "(-0:1_10:0)", [], ["SEG-DEL-04", "TR-13"]),
            (["[0:0_10:0)"], "[0:0_9:999999999)", ["[0:0_10:0)"], ["SEG-DEL-04"]),
            (["[0:0_10:0]"], "[0:0_10:0)", ["[0:0_10:0]"], ["SEG-DEL-04"]),
            (["[0:0_10:0]"], "[0:0_10:0]", [], ["SEG-DEL-04"]),
            (["[5:0]"], "[5:0]", [], ["SEG-DEL-04", "TR-06"]),
            (["[5:0]"], "5:0", [], ["SEG-DEL-04", "TR-07"]),
            (["[5:0]"], "[0:0_5:0)", ["[5:0]"], ["SEG-DEL-04"]),
            (["[-10:0_-5:0)", "[-5:0_0:0)"], "_-5:0)", ["[-5:0_0:0)"], ["SEG-DEL-05", "TR-13"]),
        ]
    ],
)
def test_segments_wholly_inside_the_timerange_are_deleted(
    tams: TamsClient, segments: list[str], requested: str, left: list[str]
) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], segments)
    delete_segments(tams, flow["id"], timerange=requested)
    assert timeranges(tams, flow["id"]) == left


@pytest.mark.behaviour("SEG-DEL-07", "SEG-DEL-08", "SEG-DEL-14", "DEL-04")
@pytest.mark.parametrize(
    ("requested", "left"),
    [(None, ["[10:0_20:0)"]), ("[20:0_40:0)", ["[0:0_10:0)", "[10:0_20:0)"]), ("[10:0_20:0)", FOUR[:3])],
)
def test_deleting_by_object_affects_one_flow_only(tams: TamsClient, requested: str | None, left: list[str]) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    tams.make_segments(flow["id"], ["[10:0_20:0)"])
    object_id = register_segment(tams, flow["id"], "[0:0_10:0)")
    register_segment(tams, flow["id"], "[20:0_30:0)", object_id=object_id, ts_offset="20:0")
    register_segment(tams, other["id"], object_id=object_id)
    delete_segments(tams, flow["id"], object_id=object_id, timerange=requested)
    assert timeranges(tams, flow["id"]) == left
    assert timeranges(tams, other["id"]) == ["[0:0_10:0)"]


@pytest.mark.behaviour("SEG-DEL-09")
@pytest.mark.parametrize("params", [{}, {"object_id": "nobody's"}, {"timerange": "[0:0_1:0)"}], ids=str)
def test_deleting_nothing_succeeds(tams: TamsClient, params: dict[str, str]) -> None:
    flow = tams.make_flow()
    assert tams.delete(f"/flows/{flow['id']}/segments", **params).status_code == 204


@pytest.mark.behaviour("SEG-DEL-10", "A05")
@pytest.mark.parametrize("text", ["yesterday", "[0:0_1:0_2:0)", "[00:0_10:0)", "0:0-10:0", "[0.0_10.0)"])
def test_a_malformed_timerange_deletes_nothing(tams: TamsClient, text: str) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    assert tams.delete(f"/flows/{flow['id']}/segments", timerange=text).status_code == 400
    assert timeranges(tams, flow["id"]) == FOUR


@pytest.mark.behaviour("SEG-DEL-10", "A05")
def test_an_empty_timerange_parameter_never_means_all(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    assert tams.request("DELETE", f"/flows/{flow['id']}/segments?timerange=").status_code in (204, 400)
    assert timeranges(tams, flow["id"]) == FOUR


@pytest.mark.behaviour("SEG-DEL-11", "GEN-01")
@pytest.mark.parametrize("flow_id", [None, "not-a-uuid"], ids=["unknown", "malformed"])
def test_an_unknown_flow_is_not_found(tams: TamsClient, flow_id: str | None) -> None:
    assert tams.delete(f"/flows/{flow_id or fresh()}/segments").status_code == 404


@pytest.mark.behaviour("SEG-DEL-12", "RO-09", "DEL-07")
def test_a_read_only_flow_keeps_its_segments(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    tams.put(f"/flows/{flow['id']}/read_only", True)
    assert tams.delete(f"/flows/{flow['id']}/segments").status_code == 403
    assert timeranges(tams, flow["id"]) == FOUR


@pytest.mark.behaviour("SEG-DEL-17", "FLOW-META-04", "FLOW-META-14")
def test_deleting_updates_segments_updated_and_keeps_the_metadata_version(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    before = tams.get(f"/flows/{flow['id']}").json()
    delete_segments(tams, flow["id"], timerange="[0:0_10:0)")
    after = tams.get(f"/flows/{flow['id']}").json()
    assert after["segments_updated"] != before["segments_updated"]
    assert after["metadata_version"] == before["metadata_version"]
    assert after.get("metadata_updated") == before.get("metadata_updated")


@pytest.mark.behaviour("SEG-DEL-18")
def test_a_deleted_timerange_can_be_registered_again(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    delete_segments(tams, flow["id"], timerange="[10:0_30:0)")
    register_segment(tams, flow["id"], "[10:0_30:0)")
    assert timeranges(tams, flow["id"]) == ["[0:0_10:0)", "[10:0_30:0)", "[30:0_40:0)"]


@pytest.mark.behaviour("SEG-DEL-20")
def test_one_deletion_covers_more_than_a_page(tams: TamsClient) -> None:
    flow = tams.make_flow()
    registered = [f"[{n}:0_{n + 1}:0)" for n in range(250)]
    for start in range(0, 250, 50):
        tams.make_segments(flow["id"], registered[start : start + 50])
    delete_segments(tams, flow["id"], timerange="[1:0_249:0)")
    assert timeranges(tams, flow["id"]) == [registered[0], registered[-1]]


@pytest.mark.behaviour("SEG-DEL-19", "FLOW-GET-03")
def test_the_timerange_of_the_flow_shrinks(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], FOUR)
    delete_segments(tams, flow["id"], timerange="[20:0_40:0)")
    found = tams.get(f"/flows/{flow['id']}", include_timerange=True).json()["timerange"]
    assert normalised(found) == normalised("[0:0_20:0)")
