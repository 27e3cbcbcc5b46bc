"""Registration of many segments in one request: failures are reported, the rest is registered."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.segments import object_status, timeranges


def segments_at(tams: TamsClient, flow_id: str, *timeranges: str) -> list[Json]:
    ids = tams.make_objects(flow_id, len(timeranges))
    return [{"object_id": id_, "timerange": each} for id_, each in zip(ids, timeranges, strict=True)]


@pytest.mark.behaviour("SEG-POST-55")
def test_a_list_of_segments_is_registered_in_one_request(tams: TamsClient) -> None:
    flow = tams.make_flow()
    sent = segments_at(tams, flow["id"], "[10:0_20:0)", "[0:0_10:0)", "[20:0_30:0)")
    response = tams.post(f"/flows/{flow['id']}/segments", sent)
    assert response.status_code == 201
    found = {each["timerange"]: each["object_id"] for each in tams.segments(flow["id"])}
    assert found == {each["timerange"]: each["object_id"] for each in sent}


@pytest.mark.behaviour("SEG-POST-55")
def test_a_list_of_one_segment_is_accepted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    assert tams.post(f"/flows/{flow['id']}/segments", segments_at(tams, flow["id"], "[0:0_1:0)")).status_code == 201
    assert timeranges(tams, flow["id"]) == ["[0:0_1:0)"]


@pytest.mark.behaviour("SEG-POST-56", "SEG-POST-57", "SEG-POST-58", "SEG-POST-08")
@pytest.mark.parametrize("position", [0, 1, 3])
def test_failures_are_reported_and_the_rest_is_registered(tams: TamsClient, position: int) -> None:
    flow = tams.make_flow()
    good = segments_at(tams, flow["id"], "[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)")
    bad = {"object_id": fresh_name("unknown"), "timerange": "[8:0_9:0)"}
    response = tams.post(f"/flows/{flow['id']}/segments", [*good[:position], bad, *good[position:]])
    assert response.status_code == 200
    (failed,) = response.json()["failed_segments"]
    assert failed["object_id"] == bad["object_id"]
    assert failed.get("timerange", bad["timerange"]) == bad["timerange"]
    assert failed.get("error", {"summary": "-"}).get("summary")
    assert timeranges(tams, flow["id"]) == [each["timerange"] for each in good]


@pytest.mark.behaviour("SEG-POST-59", "A39")
@pytest.mark.parametrize("second", ["[5:0_15:0)", "[0:0_10:0)", "[9:999999999]", "[-5:0_30:0)"])
def test_overlaps_within_a_request_keep_the_first(tams: TamsClient, second: str) -> None:
    flow = tams.make_flow()
    sent = segments_at(tams, flow["id"], "[0:0_10:0)", second)
    response = tams.post(f"/flows/{flow['id']}/segments", sent)
    if response.status_code == 200:
        assert [each["object_id"] for each in response.json()["failed_segments"]] == [sent[1]["object_id"]]
        assert timeranges(tams, flow["id"]) == ["[0:0_10:0)"]
        assert object_status(tams, sent[1]["object_id"]) == 404
    else:
        assert response.status_code == 201, response.text
        assert len(timeranges(tams, flow["id"])) == 2


@pytest.mark.behaviour("SEG-POST-60", "A45")
@pytest.mark.parametrize("bad", [{"timerange": "[5:0_6:0)"}, {"object_id": "a"}, "text", None, {}], ids=str)
def test_an_invalid_item_fails_the_whole_request(tams: TamsClient, bad: object) -> None:
    flow = tams.make_flow()
    good = segments_at(tams, flow["id"], "[0:0_1:0)")
    assert tams.post(f"/flows/{flow['id']}/segments", [*good, bad]).status_code == 400
    assert timeranges(tams, flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-61", "A46")
def test_nothing_is_registered_if_every_item_fails(tams: TamsClient) -> None:
    flow = tams.make_flow()
    sent = [{"object_id": fresh_name("unknown"), "timerange": f"[{n}:0_{n + 1}:0)"} for n in range(3)]
    response = tams.post(f"/flows/{flow['id']}/segments", sent)
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        listed = {each["object_id"] for each in response.json()["failed_segments"]}
        assert listed == {each["object_id"] for each in sent}
    assert timeranges(tams, flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-61", "A47")
def test_an_empty_list_changes_nothing(tams: TamsClient) -> None:
    flow = tams.make_flow()
    assert tams.post(f"/flows/{flow['id']}/segments", []).status_code in (201, 400)
    assert timeranges(tams, flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-62")
def test_a_single_failing_segment_is_a_400_without_failed_segments(tams: TamsClient) -> None:
    flow = tams.make_flow()
    segment = {"object_id": fresh_name("unknown"), "timerange": "[0:0_1:0)"}
    assert tams.post(f"/flows/{flow['id']}/segments", segment).status_code == 400


@pytest.mark.behaviour("SEG-POST-64", "SEG-POST-36", "SEG-POST-33")
def test_a_new_object_can_be_used_twice_in_one_request(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    sent = [
        {"object_id": object_id, "timerange": "[0:0_10:0)", "key_frame_count": 4},
        {"object_id": object_id, "timerange": "[12:0_14:0)", "ts_offset": "10:0"},
    ]
    assert tams.post(f"/flows/{flow['id']}/segments", sent).status_code == 201
    found = tams.segments(flow["id"], include_object_timerange=True)
    assert [(each["timerange"], each["object_timerange"], each["key_frame_count"]) for each in found] == [
        ("[0:0_10:0)", "[0:0_10:0)", 4),
        ("[12:0_14:0)", "[0:0_10:0)", 4),
    ]


@pytest.mark.behaviour("SEG-POST-64", "SEG-POST-57", "SEG-POST-31")
def test_a_conflicting_second_use_of_a_new_object_fails_alone(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    sent = [
        {"object_id": object_id, "timerange": "[0:0_10:0)", "key_frame_count": 4},
        {"object_id": object_id, "timerange": "[10:0_20:0)", "ts_offset": "10:0", "key_frame_count": 5},
        {"object_id": object_id, "timerange": "[20:0_30:0)", "ts_offset": "20:0"},
    ]
    response = tams.post(f"/flows/{flow['id']}/segments", sent)
    assert response.status_code == 200
    assert len(response.json()["failed_segments"]) == 1
    assert timeranges(tams, flow["id"]) == ["[0:0_10:0)", "[20:0_30:0)"]


@pytest.mark.behaviour("SEG-POST-55", "STO-01", "PAGE-03")
def test_hundreds_of_segments_are_registered_in_one_request(tams: TamsClient) -> None:
    flow = tams.make_flow()
    ids: list[str] = []
    while len(ids) < 300:
        ids += tams.make_objects(flow["id"], 300 - len(ids))
    registered = [f"[{n}:0_{n + 1}:0)" for n in range(300)]
    sent = [{"object_id": id_, "timerange": each} for id_, each in zip(ids, registered, strict=True)]
    response = tams.post(f"/flows/{flow['id']}/segments", sent[::-1])
    assert response.status_code == 201, response.text
    assert timeranges(tams, flow["id"]) == registered
