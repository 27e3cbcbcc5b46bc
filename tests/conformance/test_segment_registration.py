"""Registration of single segments: the objects, timeranges, properties and URLs that are accepted."""

from typing import Any

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import default_backend, get_urls
from tests.conformance.kit.segments import (
    normalised,
    object_status,
    post_segment,
    read_object,
    register_external,
    register_segment,
    timeranges,
)
from tests.conformance.kit.skips import not_implemented


@pytest.mark.behaviour("SEG-POST-01", "SEG-POST-13")
@pytest.mark.parametrize("format_", [AUDIO, DATA, IMAGE])
def test_an_uploaded_object_is_registered_and_listed(tams: TamsClient, format_: str) -> None:
    flow = tams.make_flow(format_=format_)
    (object_id,) = tams.make_objects(flow["id"], 1, b"some bytes")
    response = post_segment(tams, flow["id"], object_id, "[0:0_10:0)")
    assert response.status_code == 201
    (found,) = tams.segments(flow["id"])
    assert (found["object_id"], found["timerange"]) == (object_id, "[0:0_10:0)")


@pytest.mark.behaviour("SEG-POST-65", "OBJ-03")
def test_a_segment_whose_bytes_have_not_arrived_is_registered_or_rejected(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = tams.allocate(flow["id"], 1)[0]["object_id"]
    status = post_segment(tams, flow["id"], object_id, "[0:0_10:0)").status_code
    assert status in (201, 400)
    registered = status == 201
    assert [segment["object_id"] for segment in tams.segments(flow["id"])] == [object_id] * registered
    assert object_status(tams, object_id) == (200 if registered else 404)


@pytest.mark.behaviour("SEG-POST-02", "GEN-03", "SEG-POST-39")
@pytest.mark.parametrize(
    "changed",
    [
        {"object_id": None},
        {"timerange": None},
        {"object_id": 7},
        {"timerange": 7},
        {"timerange": "soon"},
        {"ts_offset": "0"},
        {"object_timerange": "[0:0_0:01)"},
        {"key_frame_count": "2"},
        {"get_urls": {}},
        {"get_urls": [{"label": "a"}]},
        {"get_urls": [{"url": "https://media.example.com/a"}]},
        {"init_object_id": 7},
    ],
    ids=str,
)
def test_an_invalid_segment_is_rejected(tams: TamsClient, changed: Json) -> None:
    flow = tams.make_flow()
    whole = {"object_id": tams.make_objects(flow["id"], 1)[0], "timerange": "[0:0_10:0)", **changed}
    segment = {name: value for name, value in whole.items() if value is not None}
    assert tams.post(f"/flows/{flow['id']}/segments", segment).status_code == 400
    assert tams.segments(flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-02", "GEN-03", "GEN-04")
@pytest.mark.parametrize("content", [b"", b"{", b"7", b'"text"', b"null"])
def test_a_body_that_is_not_a_segment_is_rejected(tams: TamsClient, content: bytes) -> None:
    flow = tams.make_flow()
    headers = {"Content-Type": "application/json"}
    response = tams.request("POST", f"/flows/{flow['id']}/segments", content=content, headers=headers)
    assert response.status_code == 400


@pytest.mark.behaviour("SEG-POST-03", "SEG-POST-63", "GEN-01")
@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
@pytest.mark.parametrize("flow_id", [None, "not-a-uuid"], ids=["unknown", "malformed"])
def test_segments_of_an_unknown_flow_are_rejected(tams: TamsClient, flow_id: str | None, bulk: bool) -> None:
    segment = {"object_id": tams.make_objects(tams.make_flow()["id"], 1)[0], "timerange": "[0:0_10:0)"}
    response = tams.post(f"/flows/{flow_id or fresh()}/segments", [segment] if bulk else segment)
    assert response.status_code == 404


@pytest.mark.behaviour("SEG-POST-04", "SEG-POST-63", "RO-08")
@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
def test_segments_of_a_read_only_flow_are_rejected(tams: TamsClient, bulk: bool) -> None:
    flow = tams.make_flow()
    segment = {"object_id": tams.make_objects(flow["id"], 1)[0], "timerange": "[0:0_10:0)"}
    tams.put(f"/flows/{flow['id']}/read_only", True)
    assert tams.post(f"/flows/{flow['id']}/segments", [segment] if bulk else segment).status_code == 403
    assert tams.segments(flow["id"]) == []


@pytest.mark.behaviour("SEG-POST-05", "SEG-POST-63", "STO-15")
@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
def test_segments_of_a_flow_without_container_are_rejected(tams: TamsClient, bulk: bool) -> None:
    owner = tams.make_flow()
    object_id = register_segment(tams, owner["id"])
    flow = tams.make_flow(format_=MULTI)
    segment = {"object_id": object_id, "timerange": "[0:0_10:0)"}
    assert tams.post(f"/flows/{flow['id']}/segments", [segment] if bulk else segment).status_code == 400


@pytest.mark.behaviour("SEG-POST-06", "SEG-POST-07")
def test_an_object_is_first_used_by_the_flow_it_was_allocated_for(tams: TamsClient) -> None:
    owner, other = tams.make_flow(), tams.make_flow()
    (object_id,) = tams.make_objects(owner["id"], 1)
    assert post_segment(tams, other["id"], object_id, "[0:0_10:0)").status_code == 400
    assert tams.segments(other["id"]) == []
    register_segment(tams, owner["id"], object_id=object_id)
    register_segment(tams, other["id"], object_id=object_id)


@pytest.mark.behaviour("SEG-POST-08")
@pytest.mark.parametrize("more", [{}, {"get_urls": []}], ids=["no get_urls", "empty get_urls"])
def test_an_unknown_object_is_rejected(tams: TamsClient, more: Json) -> None:
    flow = tams.make_flow()
    assert post_segment(tams, flow["id"], fresh_name("unknown"), "[0:0_10:0)", **more).status_code == 400


@pytest.mark.behaviour("SEG-POST-09", "SEG-POST-42", "SEG-GET-24")
def test_an_external_object_has_the_urls_of_the_client(tams: TamsClient) -> None:
    flow = tams.make_flow()
    segment = register_external(tams, flow["id"])
    (found,) = get_urls(tams, "segment", flow["id"], segment["object_id"], verbose_storage=True)
    sent = segment["get_urls"][0]
    assert (found["url"], found["label"], found["controlled"]) == (sent["url"], sent["label"], False)
    register_segment(tams, tams.make_flow()["id"], object_id=segment["object_id"])


@pytest.mark.behaviour("SEG-POST-14", "SEG-POST-15", "SEG-POST-18", "TR-14")
@pytest.mark.parametrize(
    "timerange",
    [
        "[5:0]",
        "[0:0_10:0]",
        "[-10:0_-5:0)",
        "[-0:500000000_0:500000000)",
        "[0:0_0:1)",
        "[9007199254:740993_9007199255:1)",
    ],
)
def test_timeranges_of_all_kinds_of_media_are_accepted(tams: TamsClient, timerange: str) -> None:
    flow = tams.make_flow(format_=DATA)
    register_segment(tams, flow["id"], timerange)
    assert [normalised(each) for each in timeranges(tams, flow["id"])] == [normalised(timerange)]


@pytest.mark.behaviour("SEG-POST-26", "SEG-POST-27", "SEG-POST-28", "OBJ-08")
@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, "[10:0_12:0)"),
        ({"ts_offset": "10:0"}, "[0:0_2:0)"),
        ({"ts_offset": "-10:0"}, "[20:0_22:0)"),
        ({"ts_offset": "0:1"}, "[9:999999999_11:999999999)"),
        ({"object_timerange": "[10:0_12:0)"}, "[10:0_12:0)"),
        ({"object_timerange": "[0:0_100:0)"}, "[0:0_100:0)"),
        ({"ts_offset": "10:0", "object_timerange": "[-1:0_2:0)"}, "[-1:0_2:0)"),
    ],
    ids=str,
)
def test_an_object_gets_its_timerange_from_its_first_segment(
    tams: TamsClient, more: dict[str, Any], shown: str
) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], "[10:0_12:0)", **more)
    assert normalised(read_object(tams, object_id)["timerange"]) == normalised(shown)


@pytest.mark.behaviour("SEG-POST-33", "SEG-POST-34", "SEG-POST-35")
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"key_frame_count": 3},
        {"object_timerange": "[0:0_10:0)"},
        {"timerange": "[100:0_110:0)", "ts_offset": "100:0"},
        {"timerange": "[-100:0_-95:0)", "ts_offset": "-100:0"},
        {"timerange": "[4:0_6:0)"},
    ],
    ids=str,
)
def test_a_registered_object_can_be_reused_unchanged(tams: TamsClient, more: dict[str, Any]) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], key_frame_count=3)
    register_segment(tams, other["id"], more.pop("timerange", "[0:0_10:0)"), object_id=object_id, **more)
    (found,) = tams.segments(other["id"], include_object_timerange=True)
    assert found["key_frame_count"] == 3
    assert normalised(found["object_timerange"]) == normalised("[0:0_10:0)")


@pytest.mark.behaviour("SEG-POST-30", "SEG-POST-31", "SEG-POST-34")
@pytest.mark.parametrize(
    "changed",
    [{"key_frame_count": 4}, {"key_frame_count": 0}, {"object_timerange": "[0:0_11:0)"}],
    ids=str,
)
def test_reusing_an_object_cannot_change_its_properties(tams: TamsClient, changed: dict[str, Any]) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], key_frame_count=3)
    before = read_object(tams, object_id)
    assert post_segment(tams, other["id"], object_id, "[0:0_10:0)", **changed).status_code == 400
    after = read_object(tams, object_id)
    assert (after["timerange"], after["key_frame_count"]) == (before["timerange"], before["key_frame_count"])
    assert after["referenced_by_flows"] == [flow["id"]]


@pytest.mark.behaviour("SEG-POST-42", "SEG-POST-43")
def test_urls_of_the_client_are_listed_beside_those_of_the_service(tams: TamsClient) -> None:
    home = default_backend(tams)
    flow = tams.make_flow()
    label = fresh_name("copy")
    sent = {"url": "https://media.example.com/copy", "label": label, "controlled": True, "storage_id": home["id"]}
    object_id = register_segment(tams, flow["id"], get_urls=[sent])
    found = get_urls(tams, "segment", flow["id"], object_id, verbose_storage=True)
    assert {each.get("label") for each in found} == {label, home.get("label")}
    (mine,) = [each for each in found if each.get("label") == label]
    assert mine["controlled"] is False
    assert "storage_id" not in mine


@pytest.mark.behaviour("SEG-POST-40", "SB-USE-04")
def test_the_label_of_a_backend_cannot_be_used(tams: TamsClient) -> None:
    home = default_backend(tams)
    if "label" not in home:
        not_implemented("a label on the default storage backend")
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    urls = [{"url": "https://media.example.com/a", "label": home["label"]}]
    assert post_segment(tams, flow["id"], object_id, "[0:0_10:0)", get_urls=urls).status_code == 400
    assert object_status(tams, object_id) == 404


@pytest.mark.behaviour("SEG-POST-41")
def test_two_urls_cannot_have_one_label(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1)
    urls = [{"url": f"https://media.example.com/{n}", "label": "same"} for n in range(2)]
    assert post_segment(tams, flow["id"], object_id, "[0:0_10:0)", get_urls=urls).status_code == 400
    assert tams.segments(flow["id"]) == []


@pytest.mark.behaviour("FLOW-META-04", "A67")
def test_registering_updates_segments_updated_and_keeps_the_metadata_version(tams: TamsClient) -> None:
    flow = tams.make_flow()
    before = tams.get(f"/flows/{flow['id']}").json()
    register_segment(tams, flow["id"])
    after = tams.get(f"/flows/{flow['id']}").json()
    assert after.get("segments_updated") not in (None, before.get("segments_updated"))
    assert after["metadata_version"] == before["metadata_version"]
