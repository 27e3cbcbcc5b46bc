"""Reading a flow: its document, and its timerange on request (FLOW-GET-*)."""

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.segments import register_segment

SEGMENTS = ("[0:0_10:0)", "[10:0_20:0)", "[30:0_40:0]")


@pytest.mark.behaviour("FLOW-GET-02")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unknown_flow_is_not_found(tams: TamsClient, method: str) -> None:
    assert tams.request(method, f"/flows/{fresh()}").status_code == 404


@pytest.mark.behaviour("FLOW-GET-02", "GEN-01", "A02")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("flow_id", ["nonsense", "123", "00000000-0000-0000-0000-000000000000"])
def test_a_malformed_flow_id_is_rejected(tams: TamsClient, method: str, flow_id: str) -> None:
    assert tams.request(method, f"/flows/{flow_id}").status_code in (404, 400)


@pytest.mark.behaviour("FLOW-GET-01", "FLOW-GET-02")
def test_head_of_a_flow_matches_get(tams: TamsClient) -> None:
    path = f"/flows/{tams.make_flow()['id']}"
    head = tams.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == tams.get(path).headers["content-type"]


@pytest.mark.behaviour("FLOW-GET-11")
def test_a_flow_without_a_profile_has_no_profile_id(tams: TamsClient) -> None:
    assert "profile_id" not in read_flow(tams, tams.make_flow()["id"])


@pytest.mark.behaviour("FLOW-GET-13", "FLOW-COLL-03")
def test_a_flow_inside_a_muxed_flow_needs_no_container(tams: TamsClient) -> None:
    inner = tams.make_flow(flow(AUDIO, container=None))
    item = {"id": inner["id"], "role": "audio", "container_mapping": {"track_index": 1}}
    muxed = tams.make_flow(flow(MULTI, container="video/mp2t", flow_collection=[item]))
    assert "container" not in read_flow(tams, inner["id"])
    assert read_flow(tams, muxed["id"])["flow_collection"] == [item]


@pytest.mark.behaviour("FLOW-VAL-22", "FLOW-GET-13", "STO-17")
def test_a_muxed_flow_has_a_container_and_segments_of_its_own(tams: TamsClient) -> None:
    inner = [tams.make_flow(flow(format_, container=None))["id"] for format_ in (VIDEO, AUDIO)]
    muxed = tams.make_flow(flow(MULTI, container="video/mp2t", flow_collection=[{"id": each} for each in inner]))
    assert read_flow(tams, muxed["id"])["container"] == "video/mp2t"
    (item,) = tams.allocate(muxed["id"], 1)
    assert item["put_url"]["content-type"] == "video/mp2t"
    assert tams.upload(item, b"media").is_success
    register_segment(tams, muxed["id"], "[0:0_2:0)", object_id=item["object_id"])
    (segment,) = tams.segments(muxed["id"])
    assert segment["object_id"] == item["object_id"]
    assert put_flow(tams, {**muxed, "container": "video/mp4"}).status_code == 204
    assert read_flow(tams, muxed["id"])["container"] == "video/mp4"


@pytest.mark.behaviour("FLOW-GET-03", "FLOW-GET-08")
@pytest.mark.parametrize("params", [{}, {"include_timerange": "false"}, {"timerange": "[0:0_5:0)"}])
def test_the_timerange_is_omitted_by_default(tams: TamsClient, params: dict[str, str]) -> None:
    flow_id = tams.make_flow()["id"]
    tams.make_segments(flow_id, SEGMENTS)
    assert "timerange" not in read_flow(tams, flow_id, **params)


@pytest.mark.behaviour("FLOW-GET-05", "TR-05", "TR-17")
def test_a_flow_without_segments_has_the_empty_timerange(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    assert read_flow(tams, flow_id, include_timerange=True)["timerange"] == "()"
    assert read_flow(tams, flow_id, include_timerange=True, timerange="[0:0_5:0)")["timerange"] == "()"


@pytest.mark.behaviour("FLOW-GET-04")
@pytest.mark.parametrize(
    ("segments", "extent"),
    [
        pytest.param(["[10:0_20:0)"], "[10:0_20:0)", id="one"),
        pytest.param(["[0:0_10:0)", "[10:0_20:0)"], "[0:0_20:0)", id="touching"),
        pytest.param(["[0:0_10:0)", "[30:0_40:0)"], "[0:0_40:0)", id="with-a-gap"),
        pytest.param(["[0:0_10:0)", "[10:0_20:0]"], "[0:0_20:0]", id="end-included"),
        pytest.param(["[30:0_40:0)", "[0:0_10:0)"], "[0:0_40:0)", id="registered-backwards"),
        pytest.param(["[-2:0_-1:0)", "[-1:0_1:500000000)"], "[-2:0_1:500000000)", id="from-before-zero"),
        pytest.param(["[1773858637:1_1773858637:3)"], "[1773858637:1_1773858637:3)", id="nanoseconds"),
    ],
)
def test_the_timerange_spans_all_segments(tams: TamsClient, segments: list[str], extent: str) -> None:
    flow_id = tams.make_flow()["id"]
    for segment in segments:
        tams.make_segments(flow_id, [segment])
    assert read_flow(tams, flow_id, include_timerange=True)["timerange"] == extent


@pytest.mark.behaviour("FLOW-GET-06")
def test_the_timerange_follows_the_segments(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]

    def timerange() -> str:
        text: str = read_flow(tams, flow_id, include_timerange=True)["timerange"]
        return text

    tams.make_segments(flow_id, ["[0:0_10:0)"])
    assert timerange() == "[0:0_10:0)"
    tams.make_segments(flow_id, ["[10:0_20:0)"])
    assert timerange() == "[0:0_20:0)"
    assert tams.delete(f"/flows/{flow_id}/segments", timerange="[0:0_10:0)").status_code in (202, 204)
    wait_until(lambda: timerange() == "[10:0_20:0)", "the timerange to exclude the first segment")
    assert tams.delete(f"/flows/{flow_id}/segments").status_code in (202, 204)
    wait_until(lambda: timerange() == "()", "the timerange to be empty")


@pytest.mark.behaviour("FLOW-GET-07", "A20")
@pytest.mark.parametrize(
    ("within", "allowed"),
    [
        pytest.param("_", {"[0:0_40:0]"}, id="eternity"),
        pytest.param("()", {"()"}, id="never"),
        pytest.param("[50:0_60:0)", {"()"}, id="after-the-end"),
        pytest.param("_0:0)", {"()"}, id="before-the-start"),
        pytest.param("[0:0_20:0)", {"[0:0_20:0)"}, id="whole-segments"),
        pytest.param("[12:0_13:0)", {"[12:0_13:0)", "[10:0_20:0)"}, id="inside-a-segment"),
        pytest.param("[5:0_15:0)", {"[5:0_15:0)", "[0:0_20:0)"}, id="across-two-segments"),
        pytest.param("[35:0_", {"[35:0_40:0]", "[30:0_40:0]"}, id="open-end"),
        pytest.param("_5:0)", {"[0:0_5:0)", "[0:0_10:0)"}, id="open-start"),
        pytest.param("[35:0_60:0)", {"[35:0_40:0]", "[30:0_40:0]"}, id="beyond-the-end"),
        pytest.param("[40:0]", {"[40:0]", "[40:0_40:0]", "[30:0_40:0]"}, id="the-last-instant"),
    ],
)
def test_the_timerange_is_limited_by_the_query(tams: TamsClient, within: str, allowed: set[str]) -> None:
    flow_id = tams.make_flow()["id"]
    tams.make_segments(flow_id, SEGMENTS)
    assert read_flow(tams, flow_id, include_timerange=True, timerange=within)["timerange"] in allowed


@pytest.mark.behaviour("FLOW-GET-09", "GEN-08", "GEN-12", "TR-16")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "params",
    [
        {"include_timerange": "x"},
        {"include_timerange": "1"},
        {"include_timerange": "true", "timerange": "soon"},
        {"timerange": "[0:0_1:0_2:0)"},
        {"timerange": "[ 0:0_1:0 )"},
    ],
    ids=str,
)
def test_a_malformed_query_is_rejected(tams: TamsClient, method: str, params: dict[str, str]) -> None:
    response: httpx.Response = tams.request(method, f"/flows/{tams.make_flow()['id']}", params=params)
    assert response.status_code == 400
