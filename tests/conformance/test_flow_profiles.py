"""Flows that inherit their technical metadata from a profile (FLOW-PROF-*, PROF-FLOW-*)."""

from typing import Any

import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import linked_flow, make_profile

RICH = {**TECHNICAL[VIDEO], "container_mapping": {"track_index": 0}}
"""All members that a profile can have."""

OWN: list[tuple[str, Any]] = [
    ("label", "Proxy"),
    ("description", "The proxy of the evening"),
    ("tags", {"quality": "proxy"}),
    ("generation", 3),
    ("status", "ingesting"),
    ("max_bit_rate", 9000),
    ("flow_collection", []),
    ("read_only", False),
]
"""Members that a linked flow sets for itself."""


@pytest.fixture
def linked(tams: TamsClient) -> Json:
    """The document of a flow linked to the profile RICH."""
    return tams.make_flow(linked_flow(make_profile(tams, flow_metadata=RICH)["id"]))


@pytest.mark.behaviour("FLOW-PROF-01", "FLOW-PROF-12", "FLOW-GET-10", "PROF-FLOW-01")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA])
def test_a_flow_shows_the_metadata_of_its_profile(tams: TamsClient, format_: str) -> None:
    document = linked_flow(make_profile(tams, format_)["id"])
    response = put_flow(tams, document)
    assert response.status_code == 201
    expected = {**document, **TECHNICAL[format_]}
    assert expected.items() <= response.json().items()
    assert expected.items() <= read_flow(tams, document["id"]).items()
    assert tams.get(f"/sources/{document['source_id']}").json()["format"] == format_


@pytest.mark.behaviour("FLOW-GET-10", "PROF-FLOW-01")
def test_bit_rates_come_from_the_flow_or_its_profile(tams: TamsClient) -> None:
    profile = make_profile(tams, flow_metadata=RICH)
    read = read_flow(tams, tams.make_flow(linked_flow(profile["id"], max_bit_rate=7777))["id"])
    assert (read["max_bit_rate"], read["avg_bit_rate"]) == (7777, RICH["avg_bit_rate"])


@pytest.mark.behaviour("PROF-FLOW-01", "PROF-POST-08")
def test_flows_do_not_inherit_label_and_tags_of_a_profile(tams: TamsClient) -> None:
    profile = make_profile(tams, label="House proxy", description="For offline editing", tags={"house": "north"})
    read = read_flow(tams, tams.make_flow(linked_flow(profile["id"]))["id"])
    assert not {name for name in ("label", "description", "tags") if read.get(name)}


@pytest.mark.behaviour("FLOW-PROF-02", "PROF-FLOW-02")
def test_an_unknown_profile_is_rejected(tams: TamsClient) -> None:
    document = linked_flow(fresh())
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PROF-03", "PROF-FLOW-03")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA])
def test_a_profile_with_full_technical_metadata_is_rejected(tams: TamsClient, format_: str) -> None:
    document = flow(format_, profile_id=make_profile(tams, format_)["id"])
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PROF-04", "PROF-FLOW-03")
@pytest.mark.parametrize("name", RICH)
def test_a_profile_with_one_technical_member_is_rejected(tams: TamsClient, name: str) -> None:
    document = linked_flow(make_profile(tams, flow_metadata=RICH)["id"], **{name: RICH[name]})
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PROF-04", "FLOW-PROF-07", "PROF-FLOW-03")
@pytest.mark.parametrize("name", RICH)
def test_a_linked_flow_cannot_be_given_a_technical_member(tams: TamsClient, linked: Json, name: str) -> None:
    before = read_flow(tams, linked["id"])
    assert put_flow(tams, {**linked, name: RICH[name]}).status_code == 400
    assert read_flow(tams, linked["id"]) == before


@pytest.mark.behaviour("FLOW-PROF-05")
@pytest.mark.parametrize(("name", "value"), OWN, ids=[name for name, _ in OWN])
def test_a_linked_flow_is_created_with_members_of_its_own(tams: TamsClient, name: str, value: Any) -> None:
    document = tams.make_flow(linked_flow(make_profile(tams)["id"], **{name: value}))
    assert read_flow(tams, document["id"]).get(name, value) == value


@pytest.mark.behaviour("FLOW-PROF-06", "PROF-FLOW-04")
@pytest.mark.parametrize(("name", "value"), OWN, ids=[name for name, _ in OWN])
def test_the_own_members_of_a_linked_flow_can_change(tams: TamsClient, linked: Json, name: str, value: Any) -> None:
    assert put_flow(tams, {**linked, name: value}).status_code == 204
    read = read_flow(tams, linked["id"])
    assert read.get(name, value) == value
    assert {**linked, **RICH}.items() <= read.items()


@pytest.mark.behaviour("FLOW-PROF-07", "PROF-FLOW-05", "AMB-07", "A24")
@pytest.mark.parametrize(
    ("path", "value"),
    [("codec", "video/hevc"), ("avg_bit_rate", 1), ("essence_parameters.frame_width", 1920), ("container", OMITTED)],
)
def test_inherited_members_cannot_change_while_linked(tams: TamsClient, linked: Json, path: str, value: Any) -> None:
    unlinked = {name: value for name, value in linked.items() if name != "profile_id"}
    assert put_flow(tams, changed({**unlinked, **RICH}, path, value)).status_code == 400
    assert {**linked, **RICH}.items() <= read_flow(tams, linked["id"]).items()


@pytest.mark.behaviour("FLOW-PROF-07", "AMB-07", "A24")
def test_unchanged_inherited_values_without_the_profile_are_accepted(tams: TamsClient, linked: Json) -> None:
    unlinked = {name: value for name, value in linked.items() if name != "profile_id"}
    assert put_flow(tams, {**unlinked, **RICH}).status_code in (204, 400)
    assert {**linked, **RICH}.items() <= read_flow(tams, linked["id"]).items()


@pytest.mark.behaviour("FLOW-PUT-11", "A24")
def test_a_linked_flow_cannot_be_put_back_as_it_reads(tams: TamsClient, linked: Json) -> None:
    before = read_flow(tams, linked["id"])
    assert put_flow(tams, before).status_code == 400
    assert read_flow(tams, linked["id"]) == before


@pytest.mark.behaviour("FLOW-PROF-08", "PROF-FLOW-06")
def test_an_empty_profile_ends_the_link(tams: TamsClient, linked: Json) -> None:
    metadata = {**changed(RICH, "essence_parameters.bit_depth", 8), "avg_bit_rate": 6000}
    assert put_flow(tams, {**linked, **metadata, "profile_id": ""}).status_code == 204
    read = read_flow(tams, linked["id"])
    assert "profile_id" not in read
    assert metadata.items() <= read.items()
    assert tams.get("/flows", profile_id=linked["profile_id"]).json() == []


@pytest.mark.behaviour("FLOW-PROF-08", "PROF-FLOW-06")
def test_metadata_can_change_after_unlinking(tams: TamsClient, linked: Json) -> None:
    unlinked = {name: value for name, value in linked.items() if name != "profile_id"}
    assert put_flow(tams, {**linked, **RICH, "profile_id": ""}).status_code == 204
    assert put_flow(tams, {**unlinked, **RICH, "avg_bit_rate": 1}).status_code == 204
    assert read_flow(tams, linked["id"])["avg_bit_rate"] == 1


@pytest.mark.behaviour("FLOW-PROF-09", "PROF-FLOW-07", "A25")
@pytest.mark.parametrize("members", [{"profile_id": ""}, {}], ids=["empty-profile", "neither"])
def test_a_flow_needs_a_profile_or_technical_metadata(tams: TamsClient, members: Json) -> None:
    document = {"id": fresh(), "source_id": fresh(), "label": "Bare", **members}
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PROF-09", "PROF-FLOW-07")
@pytest.mark.parametrize("members", [{"profile_id": ""}, {}], ids=["empty-profile", "neither"])
def test_a_linked_flow_does_not_lose_its_metadata(tams: TamsClient, linked: Json, members: Json) -> None:
    bare = {name: value for name, value in linked.items() if name != "profile_id"}
    assert put_flow(tams, {**bare, **members}).status_code == 400
    assert {**linked, **RICH}.items() <= read_flow(tams, linked["id"]).items()


@pytest.mark.behaviour("FLOW-PROF-09", "A25", "AMB-08")
def test_an_empty_profile_id_on_an_unlinked_flow_is_ignored(tams: TamsClient) -> None:
    document = flow(profile_id="")
    assert put_flow(tams, document).status_code == 201
    assert "profile_id" not in read_flow(tams, document["id"])
    assert put_flow(tams, document).status_code == 204


@pytest.mark.behaviour("FLOW-PROF-10")
@pytest.mark.parametrize("profile_id", [5, None, True, ["a"], "not-a-profile"], ids=str)
def test_a_profile_id_of_the_wrong_type_is_rejected(tams: TamsClient, profile_id: Any) -> None:
    document = {**flow(), "profile_id": profile_id}
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PROF-11", "FLOW-SRC-01")
def test_a_profile_of_another_format_than_the_source_is_rejected(tams: TamsClient) -> None:
    video = tams.make_flow()
    document = {**linked_flow(make_profile(tams, AUDIO)["id"]), "source_id": video["source_id"]}
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("PROF-FLOW-08")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"codec": "video/h264"}, True),
        ({"format": VIDEO}, True),
        ({"frame_width": 1280, "frame_height": 720}, True),
        ({"codec": "video/hevc"}, False),
        ({"format": AUDIO}, False),
        ({"frame_width": 640}, False),
    ],
    ids=str,
)
def test_flows_are_found_by_their_profile_and_inherited_metadata(
    tams: TamsClient, linked: Json, query: dict[str, Any], found: bool
) -> None:
    tams.make_flow(flow(source_id=linked["source_id"]))
    listed = tams.get("/flows", profile_id=linked["profile_id"], **query).json()
    assert [item["id"] for item in listed] == ([linked["id"]] if found else [])


@pytest.mark.behaviour("PROF-FLOW-08")
def test_inherited_metadata_is_found_without_naming_the_profile(tams: TamsClient) -> None:
    tag = fresh_name()
    profile = make_profile(tams, IMAGE)
    document = tams.make_flow(linked_flow(profile["id"], tags={tag: "1"}))
    query = {"codec": "image/jpeg", "format": IMAGE, f"tag.{tag}": "1"}
    assert [item["id"] for item in tams.get("/flows", **query).json()] == [document["id"]]


@pytest.mark.behaviour("PROF-FLOW-09")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("profile_id", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_malformed_profile_in_the_query_is_rejected(tams: TamsClient, method: str, profile_id: str) -> None:
    assert tams.request(method, "/flows", params={"profile_id": profile_id}).status_code == 400
