"""Segments of one flow must not overlap, but may be adjacent."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.segments import post_segment, register_segment, timeranges

TAKEN = "[10:0_20:0)"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, marks=pytest.mark.behaviour(*behaviours))
        for first, second, behaviours in [
            ("[0:0_1:0)", "[1:0_2:0)", ["SEG-POST-19", "TR-15"]),
            ("[1:0_2:0)", "[0:0_1:0)", ["SEG-POST-19", "TR-15"]),
            ("[1:0_2:0)", "[2:0]", ["SEG-POST-20"]),
            ("[2:0]", "[1:0_2:0)", ["SEG-POST-20"]),
            ("[2:0]", "[2:1]", ["SEG-POST-20", "TR-15"]),
            ("[0:0_1:0]", "[1:1_2:0)", ["TR-15", "SEG-POST-19"]),
            ("[-2:0_-1:0)", "[-1:0_0:0)", ["SEG-POST-19", "SEG-POST-18"]),
        ]
    ],
)
def test_adjacent_segments_are_both_accepted(tams: TamsClient, first: str, second: str) -> None:
    flow = tams.make_flow()
    register_segment(tams, flow["id"], first)
    register_segment(tams, flow["id"], second)
    assert set(timeranges(tams, flow["id"])) == {first, second}


@pytest.mark.behaviour("SEG-POST-22", "SEG-POST-24", "A39", "A40", "SEG-POST-59")
@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
@pytest.mark.parametrize(
    "overlapping",
    [
        "[15:0_25:0)",
        "[5:0_15:0)",
        "[12:0_13:0)",
        "[0:0_30:0)",
        "[10:0_20:0)",
        "[10:0]",
        "[19:999999999]",
        "[5:0_10:0]",
        "[10:0_12:0)",
        "[18:0_20:0)",
        "[10:0_30:0)",
    ],
)
def test_a_rejected_overlap_leaves_no_trace(tams: TamsClient, overlapping: str, bulk: bool) -> None:
    """A server may reject overlaps. One that does not must list both segments."""
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_5:0)", TAKEN, "[30:0_40:0)"] if overlapping != "[0:0_30:0)" else [TAKEN])
    before = timeranges(tams, flow["id"])
    (object_id,) = tams.make_objects(flow["id"], 1)
    segment = {"object_id": object_id, "timerange": overlapping}
    response = tams.post(f"/flows/{flow['id']}/segments", [segment] if bulk else segment)
    after = timeranges(tams, flow["id"])
    if response.status_code == 201:
        assert sorted(after) == sorted([*before, overlapping])
    else:
        assert response.status_code in ((200, 400) if bulk else (400,))
        assert after == before
        if response.status_code == 200:
            assert [each["object_id"] for each in response.json()["failed_segments"]] == [object_id]


@pytest.mark.behaviour("SEG-POST-24", "A40")
def test_the_same_segment_twice_is_listed_once(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], TAKEN)
    assert post_segment(tams, flow["id"], object_id, TAKEN).status_code in (201, 400)
    assert timeranges(tams, flow["id"]) == [TAKEN]


@pytest.mark.behaviour("SEG-POST-23")
def test_another_flow_may_use_the_same_timerange(tams: TamsClient) -> None:
    one, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, one["id"], TAKEN)
    register_segment(tams, other["id"], TAKEN)
    register_segment(tams, tams.make_flow()["id"], TAKEN, object_id=object_id)
    assert timeranges(tams, one["id"]) == timeranges(tams, other["id"]) == [TAKEN]


@pytest.mark.behaviour("SEG-POST-21")
@pytest.mark.parametrize("gap", ["[5:0_10:0)", "[6:0_7:0)", "[5:0]", "[20:0_30:0)"])
def test_a_gap_can_be_filled_later(tams: TamsClient, gap: str) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[30:0_40:0)", "[0:0_5:0)", TAKEN])
    register_segment(tams, flow["id"], gap)
    assert sorted(timeranges(tams, flow["id"])) == sorted(["[0:0_5:0)", TAKEN, "[30:0_40:0)", gap])


@pytest.mark.behaviour("SEG-POST-25", "SEG-DEL-18")
def test_a_corrected_segment_can_replace_a_deleted_one(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_10:0)"])
    object_id = register_segment(tams, flow["id"], TAKEN)
    assert tams.delete(f"/flows/{flow['id']}/segments", object_id=object_id).status_code == 204
    corrected = register_segment(tams, flow["id"], "[11:0_19:0)")
    assert [(each["object_id"], each["timerange"]) for each in tams.segments(flow["id"], timerange=TAKEN)] == [
        (corrected, "[11:0_19:0)")
    ]
