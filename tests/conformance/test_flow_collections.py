"""Flow collections: the list, and its effect on the members (FLOW-COLL-*, FLOW-FC-*)."""

from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow
from tests.conformance.kit.documents import AUDIO, MULTI, Json, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh

ROUTES = ("flow", "flow_collection")
"""The two ways to write a collection: with the whole flow, or at its own path."""


def collect(tams: TamsClient, document: Json, items: Any, route: str) -> httpx.Response:
    """Set the collection of the flow to `items`, by one of the ROUTES."""
    if route == "flow":
        return put_flow(tams, {**document, "flow_collection": items})
    return tams.put(f"/flows/{document['id']}/flow_collection", items)


def collectors(tams: TamsClient, flow_id: str) -> set[str]:
    ids: list[str] = read_flow(tams, flow_id).get("collected_by", [])
    assert len(set(ids)) == len(ids)
    return set(ids)


@pytest.fixture
def collector(tams: TamsClient) -> Json:
    """The document of a multi flow without a collection."""
    return tams.make_flow(flow(MULTI))


@pytest.fixture
def members(tams: TamsClient) -> list[str]:
    """The ids of three flows that are in no collection."""
    return [tams.make_flow(flow(AUDIO))["id"] for _ in range(3)]


@pytest.mark.behaviour("FLOW-GET-12", "A15")
def test_a_flow_in_no_collection_names_no_collector(tams: TamsClient) -> None:
    assert collectors(tams, tams.make_flow()["id"]) == set()


@pytest.mark.behaviour("FLOW-COLL-01", "FLOW-FC-01", "FLOW-FC-02")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_members_keep_their_order(
    tams: TamsClient, collector: Json, members: list[str], order: tuple[int, ...], route: str
) -> None:
    items = [{"id": members[place]} for place in order]
    assert collect(tams, collector, items, route).status_code == 204
    assert read_flow(tams, collector["id"])["flow_collection"] == items
    assert tams.get(f"/flows/{collector['id']}/flow_collection").json() == items


@pytest.mark.behaviour("FLOW-COLL-02", "FLOW-COLL-03")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "members_of_item",
    [
        {},
        {"role": "audio"},
        {"role": "\N{MUSICAL SYMBOL G CLEF} any text"},
        {"container_mapping": {"track_index": 0, "format_track_index": 1}},
        {"role": "audio", "container_mapping": {"audio_track": {"channel_numbers": [0, 1]}}},
        {"container_mapping": {"mp2ts_container": {"pid": 257}}},
        {"container_mapping": {"isobmff_container": {"track_id": 2}}},
        {"container_mapping": {}},
    ],
    ids=str,
)
def test_the_members_of_an_item_are_kept(
    tams: TamsClient, collector: Json, members: list[str], members_of_item: Json, route: str
) -> None:
    item = {"id": members[0], **members_of_item}
    assert collect(tams, collector, [item], route).status_code == 204
    assert read_flow(tams, collector["id"])["flow_collection"] == [item]


@pytest.mark.behaviour("FLOW-COLL-04", "FLOW-COLL-05", "FLOW-FC-03", "FLOW-VAL-19", "FLOW-VAL-21")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("broken", ["unknown", "source", "nameless", "malformed", "role", "mapping", "object", "text"])
def test_a_broken_collection_is_rejected_and_changes_nothing(
    tams: TamsClient, collector: Json, members: list[str], broken: str, route: str
) -> None:
    kept = [{"id": members[0]}]
    assert collect(tams, collector, kept, route).status_code == 204
    good = {"id": members[1]}
    items: dict[str, Any] = {
        "unknown": [good, {"id": fresh()}],
        "source": [good, {"id": collector["source_id"]}],
        "nameless": [good, {"role": "audio"}],
        "malformed": [good, {"id": members[2].upper()}],
        "role": [good, {"id": members[2], "role": 5}],
        "mapping": [{**good, "container_mapping": {"track_index": -1}}],
        "object": good,
        "text": [members[1]],
    }
    assert collect(tams, collector, items[broken], route).status_code == 400
    assert read_flow(tams, collector["id"])["flow_collection"] == kept
    assert collectors(tams, members[0]) == {collector["id"]}
    assert collectors(tams, members[1]) == set()


@pytest.mark.behaviour("FLOW-COLL-04")
def test_a_new_flow_with_an_unknown_member_is_not_created(tams: TamsClient) -> None:
    document = flow(MULTI, flow_collection=[{"id": fresh()}])
    assert put_flow(tams, document).status_code == 400
    assert not flow_exists(tams, document["id"])
    assert tams.get(f"/sources/{document['source_id']}").status_code == 404


@pytest.mark.behaviour("FLOW-COLL-06", "FLOW-FC-02", "FLOW-GET-12")
@pytest.mark.parametrize("route", ROUTES)
def test_members_name_their_collector_while_they_are_listed(
    tams: TamsClient, collector: Json, members: list[str], route: str
) -> None:
    for listed in ([0], [0, 1], [1, 2], [2], []):
        assert collect(tams, collector, [{"id": members[place]} for place in listed], route).status_code == 204
        knowing = [place for place, id_ in enumerate(members) if collectors(tams, id_) == {collector["id"]}]
        assert knowing == listed


@pytest.mark.behaviour("FLOW-COLL-06", "FLOW-PUT-08")
def test_a_put_without_a_collection_releases_its_members(tams: TamsClient, collector: Json, members: list[str]) -> None:
    assert collect(tams, collector, [{"id": members[0]}], "flow").status_code == 204
    assert put_flow(tams, collector).status_code == 204
    assert collectors(tams, members[0]) == set()


@pytest.mark.behaviour("FLOW-FC-05", "FLOW-COLL-06")
def test_deleting_the_collection_releases_its_members(tams: TamsClient, collector: Json, members: list[str]) -> None:
    path = f"/flows/{collector['id']}/flow_collection"
    assert tams.put(path, [{"id": id_} for id_ in members]).status_code == 204
    assert tams.delete(path).status_code == 204
    assert "flow_collection" not in read_flow(tams, collector["id"])
    assert [collectors(tams, id_) for id_ in members] == [set(), set(), set()]


@pytest.mark.behaviour("FLOW-COLL-06", "FLOW-DEL-10")
def test_deleting_the_collecting_flow_releases_its_members(
    tams: TamsClient, collector: Json, members: list[str]
) -> None:
    assert collect(tams, collector, [{"id": id_} for id_ in members], "flow").status_code == 204
    delete_flow(tams, collector["id"])
    assert [collectors(tams, id_) for id_ in members] == [set(), set(), set()]


@pytest.mark.behaviour("FLOW-COLL-07")
def test_a_flow_may_be_in_several_collections(tams: TamsClient, members: list[str]) -> None:
    item = {"id": members[0]}
    first, second = (tams.make_flow(flow(MULTI, flow_collection=[item]))["id"] for _ in range(2))
    assert collectors(tams, members[0]) == {first, second}
    delete_flow(tams, first)
    assert collectors(tams, members[0]) == {second}


@pytest.mark.behaviour("FLOW-COLL-07", "FLOW-COLL-06")
def test_collections_may_hold_collections(tams: TamsClient, collector: Json, members: list[str]) -> None:
    assert collect(tams, collector, [{"id": members[0]}], "flow").status_code == 204
    outer = tams.make_flow(flow(MULTI, flow_collection=[{"id": collector["id"]}]))
    assert collectors(tams, collector["id"]) == {outer["id"]}
    assert collectors(tams, members[0]) == {collector["id"]}


@pytest.mark.behaviour("FLOW-COLL-09")
@pytest.mark.parametrize("route", ROUTES)
def test_an_empty_collection_is_accepted(tams: TamsClient, collector: Json, members: list[str], route: str) -> None:
    assert collect(tams, collector, [{"id": members[0]}], route).status_code == 204
    assert collect(tams, collector, [], route).status_code == 204
    assert not read_flow(tams, collector["id"]).get("flow_collection")
    assert collectors(tams, members[0]) == set()


@pytest.mark.behaviour("FLOW-COLL-08", "A27")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("shape", ["twice", "itself", "circle"])
def test_an_unusual_collection_is_accepted_or_rejected_as_a_whole(
    tams: TamsClient, collector: Json, members: list[str], shape: str, route: str
) -> None:
    outer = tams.make_flow(flow(MULTI, flow_collection=[{"id": collector["id"]}]))
    items = {
        "twice": [{"id": members[0]}, {"id": members[0], "role": "again"}],
        "itself": [{"id": collector["id"]}],
        "circle": [{"id": outer["id"]}],
    }[shape]
    response = collect(tams, collector, items, route)
    assert response.status_code in (204, 400)
    expected = items if response.status_code == 204 else []
    assert read_flow(tams, collector["id"]).get("flow_collection", []) == expected
    for item in expected:
        assert collector["id"] in collectors(tams, item["id"])
    assert tams.get(f"/sources/{collector['source_id']}").status_code == 200
    delete_flow(tams, collector["id"])
    assert flow_exists(tams, members[0]) and flow_exists(tams, outer["id"])


@pytest.mark.behaviour("FLOW-META-02", "FLOW-META-13")
def test_writing_the_collection_changes_the_metadata_version(
    tams: TamsClient, collector: Json, members: list[str]
) -> None:
    path = f"/flows/{collector['id']}/flow_collection"
    versions = [read_flow(tams, collector["id"])["metadata_version"]]
    assert tams.put(path, [{"id": members[0]}]).status_code == 204
    versions.append(read_flow(tams, collector["id"])["metadata_version"])
    assert tams.delete(path).status_code == 204
    versions.append(read_flow(tams, collector["id"])["metadata_version"])
    assert len(set(versions)) == 3
