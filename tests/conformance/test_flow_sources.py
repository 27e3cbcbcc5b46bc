"""Consistency of flows with their source, and which members may change (FLOW-SRC-*)."""

from typing import Any

import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh


def reshaped(document: Json, format_: str) -> Json:
    """The flow with the technical metadata of another format."""
    return {"id": document["id"], "source_id": document["source_id"], **TECHNICAL[format_]}


@pytest.mark.behaviour("FLOW-SRC-01")
@pytest.mark.parametrize("format_", [AUDIO, IMAGE, DATA, MULTI])
def test_a_new_flow_of_another_format_than_its_source_is_rejected(tams: TamsClient, format_: str) -> None:
    first = tams.make_flow()
    second = flow(format_, source_id=first["source_id"])
    assert put_flow(tams, second).status_code == 400
    assert not flow_exists(tams, second["id"])
    assert tams.get(f"/sources/{first['source_id']}").json()["format"] == VIDEO


@pytest.mark.behaviour("FLOW-SRC-02")
@pytest.mark.parametrize("format_", [AUDIO, MULTI])
def test_the_format_does_not_change_while_another_flow_shares_the_source(tams: TamsClient, format_: str) -> None:
    first = tams.make_flow()
    tams.make_flow(flow(source_id=first["source_id"]))
    before = read_flow(tams, first["id"])
    assert put_flow(tams, reshaped(first, format_)).status_code == 400
    assert read_flow(tams, first["id"]) == before


@pytest.mark.behaviour("FLOW-SRC-02", "A26")
def test_the_format_of_the_only_flow_always_matches_its_source(tams: TamsClient) -> None:
    document = tams.make_flow()
    response = put_flow(tams, reshaped(document, AUDIO))
    assert response.status_code in (204, 400)
    expected = AUDIO if response.status_code == 204 else VIDEO
    assert read_flow(tams, document["id"])["format"] == expected
    assert tams.get(f"/sources/{document['source_id']}").json()["format"] == expected


@pytest.fixture
def programme(tams: TamsClient) -> dict[str, Json]:
    """A multi flow that collects a video flow with the role "video" and then an audio flow, and other flows of the same
    two sources."""
    picture, sound = tams.make_flow(flow(VIDEO)), tams.make_flow(flow(AUDIO))
    items = [{"id": picture["id"], "role": "video"}, {"id": sound["id"]}]
    return {
        "programme": tams.make_flow(flow(MULTI, flow_collection=items)),
        "picture": tams.make_flow(flow(VIDEO, source_id=picture["source_id"])),
        "sound": tams.make_flow(flow(AUDIO, source_id=sound["source_id"])),
    }


def other_role(flows: dict[str, Json]) -> list[Json]:
    return [{"id": flows["picture"]["id"], "role": "background"}, {"id": flows["sound"]["id"]}]


def other_order(flows: dict[str, Json]) -> list[Json]:
    return [{"id": flows["sound"]["id"]}, {"id": flows["picture"]["id"], "role": "video"}]


@pytest.mark.behaviour("FLOW-SRC-03")
@pytest.mark.parametrize("items_of", [other_role, other_order])
def test_a_new_collection_that_contradicts_the_source_is_rejected(
    tams: TamsClient, programme: dict[str, Json], items_of: Any
) -> None:
    source_id = programme["programme"]["source_id"]
    before = tams.get(f"/sources/{source_id}").json()
    proxy = flow(MULTI, source_id=source_id, flow_collection=items_of(programme))
    assert put_flow(tams, proxy).status_code == 400
    assert not flow_exists(tams, proxy["id"])
    assert tams.get(f"/sources/{source_id}").json() == before


@pytest.mark.behaviour("FLOW-FC-04", "FLOW-SRC-03")
@pytest.mark.parametrize("items_of", [other_role, other_order])
def test_a_changed_collection_that_contradicts_the_source_is_rejected(
    tams: TamsClient, programme: dict[str, Json], items_of: Any
) -> None:
    proxy = tams.make_flow(flow(MULTI, source_id=programme["programme"]["source_id"]))
    assert tams.put(f"/flows/{proxy['id']}/flow_collection", items_of(programme)).status_code == 400
    assert not read_flow(tams, proxy["id"]).get("flow_collection")


@pytest.mark.behaviour("FLOW-SRC-03", "FLOW-FC-04")
@pytest.mark.parametrize("items_of", [other_role, other_order])
def test_the_only_collection_of_a_source_can_be_rearranged(
    tams: TamsClient, programme: dict[str, Json], items_of: Any
) -> None:
    items, flow_id = items_of(programme), programme["programme"]["id"]
    assert tams.put(f"/flows/{flow_id}/flow_collection", items).status_code == 204
    assert read_flow(tams, flow_id)["flow_collection"] == items


@pytest.mark.behaviour("FLOW-SRC-04")
def test_a_new_collection_member_is_added_to_the_source(tams: TamsClient, programme: dict[str, Json]) -> None:
    captions = tams.make_flow(flow(DATA))
    items = [{"id": programme["picture"]["id"], "role": "video"}, {"id": captions["id"], "role": "captions"}]
    source_id = programme["programme"]["source_id"]
    tams.make_flow(flow(MULTI, source_id=source_id, flow_collection=items))
    collected = tams.get(f"/sources/{source_id}").json()["source_collection"]
    expected = {programme[name]["source_id"] for name in ("picture", "sound")} | {captions["source_id"]}
    assert {item["id"] for item in collected} == expected
    assert len(collected) == len(expected)


@pytest.mark.behaviour("FLOW-SRC-05")
def test_changing_the_source_is_accepted_or_rejected_as_a_whole(tams: TamsClient) -> None:
    stereo = tams.make_flow(flow(AUDIO))
    mono = changed(flow(AUDIO, source_id=stereo["source_id"]), "essence_parameters.channels", 1)
    response = put_flow(tams, mono)
    assert response.status_code in (201, 400)
    assert flow_exists(tams, mono["id"]) == (response.status_code == 201)


@pytest.mark.behaviour("FLOW-SRC-07", "FLOW-SRC-08")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("generation", 5),
        ("codec", "video/hevc"),
        ("container", "video/mp4"),
        ("container", OMITTED),
        ("container_mapping", {"track_index": 4}),
        ("essence_parameters.frame_width", 1920),
        ("essence_parameters.frame_rate", {"numerator": 50, "denominator": 1}),
    ],
    ids=str,
)
def test_a_fixed_member_changes_entirely_or_not_at_all(tams: TamsClient, path: str, value: Any) -> None:
    before = tams.make_flow(flow(generation=1, container_mapping={"track_index": 1}))
    after = changed(before, path, value)
    response = put_flow(tams, after)
    assert response.status_code in (204, 400)
    expected = after if response.status_code == 204 else before
    read = read_flow(tams, before["id"])
    assert {name: read[name] for name in before if name in read} == expected


@pytest.mark.behaviour("FLOW-SRC-08")
def test_setting_a_container_later_is_accepted_or_rejected(tams: TamsClient) -> None:
    document = tams.make_flow(flow(container=None))
    response = put_flow(tams, {**document, "container": "video/mp4"})
    assert response.status_code in (204, 400)
    assert ("container" in read_flow(tams, document["id"])) == (response.status_code == 204)


@pytest.mark.behaviour("FLOW-SRC-07", "A14")
def test_a_change_of_source_updates_both_sources(tams: TamsClient) -> None:
    document, other = tams.make_flow(), fresh()
    response = put_flow(tams, {**document, "source_id": other})
    assert response.status_code in (204, 400)
    there, removed = (other, document["source_id"]) if response.status_code == 204 else (document["source_id"], other)
    assert read_flow(tams, document["id"])["source_id"] == there
    assert tams.get(f"/sources/{there}").status_code == 200
    assert tams.get(f"/sources/{removed}").status_code == 404


@pytest.mark.behaviour("FLOW-SRC-09")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "Later"),
        ("description", "Later"),
        ("tags", {"later": "1"}),
        ("max_bit_rate", 1),
        ("avg_bit_rate", 1),
        ("read_only", True),
        ("flow_collection", []),
    ],
)
def test_a_changeable_member_changes(tams: TamsClient, name: str, value: Any) -> None:
    document = tams.make_flow()
    assert put_flow(tams, {**document, name: value}).status_code == 204
    assert read_flow(tams, document["id"]).get(name, []) == value


@pytest.mark.behaviour("FLOW-SRC-10")
@pytest.mark.parametrize(
    ("format_", "name", "value"),
    [
        (VIDEO, "aspect_ratio", {"numerator": 16, "denominator": 9}),
        (VIDEO, "pixel_aspect_ratio", {"numerator": 1, "denominator": 1}),
        (VIDEO, "interlace_mode", "progressive"),
        (VIDEO, "colorspace", "BT709"),
        (VIDEO, "transfer_characteristic", "SDR"),
        (VIDEO, "avc_parameters", {"profile": 66, "level": 30, "flags": 192}),
        (AUDIO, "codec_parameters", {"mp4_oti": 2}),
    ],
)
def test_essence_parameters_can_be_added_later(tams: TamsClient, format_: str, name: str, value: Any) -> None:
    document = changed(tams.make_flow(flow(format_)), f"essence_parameters.{name}", value)
    assert put_flow(tams, document).status_code == 204
    assert read_flow(tams, document["id"])["essence_parameters"] == document["essence_parameters"]
