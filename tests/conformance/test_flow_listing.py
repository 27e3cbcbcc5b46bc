"""Filters of /flows (FLOW-LIST-*)."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, TECHNICAL, VIDEO, flow
from tests.conformance.kit.filterable_flows import FilterableFlows, make_filterable_flows
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.timelines import make_timeline

Params = dict[str, Value]
H264 = {"sd", "init", "no-init", "linked", "unlinked"}
SMALL = {"sd", "init", "linked", "unlinked"}
LARGE = {"hd", "no-init"}
UNCOLLECTED = {"init", "no-init", "picture", "text", "linked", "linked-sound", "unlinked", "container", "both", "one"}

FOUND: list[tuple[str, Params, set[str]]] = [
    ("FLOW-LIST-03", {"format": VIDEO}, H264 | {"hd"}),
    ("FLOW-LIST-03", {"format": AUDIO}, {"sound", "linked-sound"}),
    ("FLOW-LIST-03", {"format": IMAGE}, {"picture"}),
    ("FLOW-LIST-03", {"format": DATA}, {"text"}),
    ("FLOW-LIST-03", {"format": MULTI}, {"container", "both", "one"}),
    ("FLOW-LIST-04", {"codec": "video/h264"}, H264),
    ("FLOW-LIST-04", {"codec": "video/h265"}, {"hd"}),
    ("FLOW-LIST-04", {"codec": "video/H264"}, set()),
    ("FLOW-LIST-04", {"codec": "video/h26"}, set()),
    ("FLOW-LIST-08", {"codec": "audio/aac"}, {"sound", "linked-sound"}),
    ("FLOW-LIST-10", {"status": "ingesting"}, {"sd"}),
    ("FLOW-LIST-10", {"status": "closed_complete"}, {"hd"}),
    ("FLOW-LIST-10", {"status": "awaiting_content"}, {"sound"}),
    ("FLOW-LIST-10", {"status": "replication_in_progress"}, {"picture"}),
    ("FLOW-LIST-11", {"frame_width": 1280}, SMALL),
    ("FLOW-LIST-11", {"frame_height": 720}, SMALL),
    ("FLOW-LIST-11", {"frame_width": 1920}, LARGE),
    ("FLOW-LIST-11", {"frame_height": 1080}, LARGE),
    ("FLOW-LIST-11", {"frame_width": 1281}, set()),
    ("FLOW-LIST-11", {"frame_width": 1280, "frame_height": 1080}, set()),
    ("FLOW-LIST-11", {"frame_width": 0}, set()),
    ("FLOW-LIST-11", {"frame_width": -1280}, set()),
    ("FLOW-LIST-12", {"init_segments": True}, {"init"}),
    ("FLOW-LIST-14", {"collected_by_ids": ["both"]}, {"sd", "sound"}),
    ("FLOW-LIST-14", {"collected_by_ids": ["one"]}, {"hd"}),
    ("FLOW-LIST-14", {"collected_by_ids": ["one", "both"]}, {"sd", "sound", "hd"}),
    ("FLOW-LIST-14", {"collected_by_ids": ["sd"]}, set()),
    ("FLOW-LIST-14", {"collected_by_ids": ["unknown", "one"]}, {"hd"}),
    ("FLOW-LIST-14", {"collected_by_ids": ["unknown"]}, set()),
    ("FLOW-LIST-14", {"collected_by_ids": []}, UNCOLLECTED),
    ("FLOW-LIST-02", {"source_id": "source"}, {"sd", "hd"}),
    ("FLOW-LIST-02", {"source_id": "unknown"}, set()),
    ("FLOW-LIST-05", {"profile_id": "profile"}, {"linked"}),
    ("FLOW-LIST-05", {"profile_id": "other_profile"}, {"linked-sound"}),
    ("FLOW-LIST-05", {"profile_id": "unknown"}, set()),
    ("FLOW-LIST-21", {"format": VIDEO, "codec": "video/h264", "status": "ingesting"}, {"sd"}),
    ("FLOW-LIST-21", {"format": AUDIO, "codec": "video/h264"}, set()),
    ("FLOW-LIST-21", {"source_id": "source", "frame_width": 1920}, {"hd"}),
    ("FLOW-LIST-21", {"tag.genre": "news"}, {"sd", "sound"}),
    ("FLOW-LIST-21", {"tag.genre": "news", "format": AUDIO}, {"sound"}),
    ("FLOW-LIST-21", {"tag_exists.genre": False, "collected_by_ids": ["both", "one"]}, {"hd"}),
    ("FLOW-LIST-21", {"profile_id": "profile", "frame_width": 1280}, {"linked"}),
    ("FLOW-LIST-21", {"profile_id": "profile", "frame_width": 1920}, set()),
    ("FLOW-LIST-21", {"collected_by_ids": [], "format": MULTI}, {"container", "both", "one"}),
]

REJECTED = [
    ("FLOW-LIST-02", "source_id", ""),
    ("FLOW-LIST-03", "format", "video"),
    ("FLOW-LIST-03", "format", "urn:x-nmos:format:VIDEO"),
    ("FLOW-LIST-03", "format", ""),
    ("FLOW-LIST-04", "codec", "h264"),
    ("FLOW-LIST-04", "codec", "video/h264; profile=high"),
    ("FLOW-LIST-04", "codec", "movie/h264"),
    ("FLOW-LIST-04", "codec", ""),
    ("FLOW-LIST-05", "profile_id", ""),
    ("FLOW-LIST-10", "status", "finished"),
    ("FLOW-LIST-10", "status", "INGESTING"),
    ("FLOW-LIST-10", "status", ""),
    ("FLOW-LIST-11", "frame_width", "wide"),
    ("FLOW-LIST-11", "frame_width", "1280.5"),
    ("FLOW-LIST-11", "frame_height", ""),
    ("FLOW-LIST-12", "init_segments", "maybe"),
    ("FLOW-LIST-14", "collected_by_ids", "zzz"),
    ("FLOW-LIST-18", "timerange", "soon"),
]


@pytest.fixture(scope="module")
def flows(http: httpx.Client) -> Iterator[FilterableFlows]:
    with shared_client(http) as tams:
        yield make_filterable_flows(tams)


def resolved(flows: FilterableFlows, params: Params) -> Params:
    """Replace names in the parameters by the ids of these resources, and unknown names by a fresh id."""
    ids = {**flows.ids, **flows.related_ids}
    found: Params = {}
    for name, value in params.items():
        if name in ("source_id", "profile_id"):
            found[name] = ids.get(str(value), fresh())
        elif isinstance(value, list):
            found[name] = [ids.get(each, fresh()) for each in value]
        else:
            found[name] = value
    return found


@pytest.mark.parametrize(
    ("params", "names"),
    [pytest.param(params, names, marks=pytest.mark.behaviour(id_)) for id_, params, names in FOUND],
    ids=[str(params) for _, params, _ in FOUND],
)
def test_a_filter_returns_exactly_the_matching_flows(
    tams: TamsClient, flows: FilterableFlows, params: Params, names: set[str]
) -> None:
    # It is open whether filters on frame size or init segments match images (A16, A17), so images use other values.
    assert flows.matching(tams, resolved(flows, params)) == names
    assert flows.matching(tams, resolved(flows, params), limit=2) == names


@pytest.mark.behaviour("FLOW-LIST-13", "A17")
def test_a_video_flow_without_the_init_segments_flag_has_none(tams: TamsClient, flows: FilterableFlows) -> None:
    found = flows.matching(tams, {"init_segments": False, "format": VIDEO})
    assert found == {"sd", "hd", "no-init", "linked", "unlinked"}


@pytest.mark.behaviour("FLOW-LIST-06")
def test_an_unlinked_flow_is_found_by_its_technical_metadata_only(tams: TamsClient, flows: FilterableFlows) -> None:
    assert "profile_id" not in read_flow(tams, flows.ids["unlinked"])
    assert "unlinked" not in flows.matching(tams, {"profile_id": flows.related_ids["profile"]})
    assert "unlinked" in flows.matching(tams, {"codec": "video/h264", "frame_width": 1280})


@pytest.mark.behaviour("FLOW-LIST-07", "FLOW-LIST-08")
def test_flows_that_merely_match_a_profile_are_not_found_by_it(tams: TamsClient, flows: FilterableFlows) -> None:
    linked, plain = (read_flow(tams, flows.ids[name]) for name in ("linked", "sd"))
    assert {name: linked[name] for name in TECHNICAL[VIDEO]} == {name: plain[name] for name in TECHNICAL[VIDEO]}
    assert flows.matching(tams, {"profile_id": flows.related_ids["profile"]}) == {"linked"}


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, marks=pytest.mark.behaviour(id_)) for id_, name, value in REJECTED],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_malformed_filter_is_rejected(tams: TamsClient, method: str, name: str, value: str) -> None:
    assert tams.request(method, "/flows", params={name: value}).status_code == 400


@pytest.mark.behaviour("FLOW-LIST-09")
def test_flows_are_found_by_their_whole_label(tams: TamsClient, flows: FilterableFlows) -> None:
    assert flows.matching(tams, {}) == set(flows.ids)
    for other in (flows.label[:-1], flows.label.upper(), f" {flows.label}", f"{flows.label[:-1]}_"):
        assert tams.request("GET", with_query("/flows", {"label": other})).json() == []


@pytest.mark.behaviour("FLOW-LIST-09")
def test_a_flow_is_found_by_its_new_label_only(tams: TamsClient) -> None:
    first, second = fresh_name("label"), fresh_name("label")
    id_ = tams.make_flow(label=first)["id"]
    assert tams.put(f"/flows/{id_}/label", second).status_code == 204
    assert tams.get("/flows", label=first).json() == []
    assert [item["id"] for item in tams.get("/flows", label=second).json()] == [id_]
    assert tams.delete(f"/flows/{id_}/label").status_code == 204
    assert tams.get("/flows", label=second).json() == []


@pytest.mark.behaviour("FLOW-LIST-01", "FLOW-LIST-19")
def test_a_flow_is_listed_as_it_reads(tams: TamsClient, flows: FilterableFlows) -> None:
    listed = tams.get("/flows", label=flows.label).json()
    assert len(listed) == len(flows.ids)
    for item in listed:
        item.pop("timerange", None)
        assert item == read_flow(tams, item["id"])


# -- By content


@pytest.mark.behaviour("FLOW-LIST-15", "FLOW-LIST-16", "FLOW-LIST-17")
def test_flows_are_found_by_the_timerange_of_their_content(tams: TamsClient) -> None:
    source = fresh()
    early, late = (
        make_timeline(tams, flow(source_id=source), segments=[timerange])["id"]
        for timerange in ("[0:0_10:0)", "[5:0_20:0]")
    )
    bare = tams.make_flow(source_id=source)["id"]

    def found(timerange: str | None) -> set[str]:
        return {item["id"] for item in tams.get("/flows", source_id=source, timerange=timerange).json()}

    assert found(None) == {early, late, bare}
    assert found("[0:0_5:0)") == {early}
    assert found("[0:0_5:0]") == found("[9:0]") == {early, late}
    assert found("[10:0_") == found("[20:0]") == {late}
    assert found("(20:0_") == found("_0:0)") == set()
    assert found("()") == {bare}
    # It is open whether an explicit eternity matches flows without content (A19).
    assert found("_") in ({early, late}, {early, late, bare})


@pytest.mark.behaviour("FLOW-LIST-16", "A13")
def test_a_flow_whose_segments_were_deleted_is_found_as_empty(tams: TamsClient) -> None:
    made = make_timeline(tams)

    def found(timerange: str) -> bool:
        return bool(tams.get("/flows", source_id=made["source_id"], timerange=timerange).json())

    assert found("[0:0_1:0)") and not found("()")
    assert tams.delete(f"/flows/{made['id']}/segments").status_code in (202, 204)
    wait_until(lambda: found("()"), "the flow to be found as empty")
    assert not found("[0:0_1:0)")
