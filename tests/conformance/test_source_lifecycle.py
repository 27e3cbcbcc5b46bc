"""Creation and deletion of sources with their flows, and source collections implied by flow collections."""

from datetime import datetime
from typing import Any

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, Json, flow
from tests.conformance.kit.flow_states import put_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.profiles import linked_flow, make_profile

CHANGES: list[tuple[str, str, Any]] = [
    ("PUT", "label", "changed"),
    ("PUT", "description", "changed"),
    ("PUT", "tags/place", "changed"),
    ("DELETE", "label", None),
    ("DELETE", "description", None),
    ("DELETE", "tags/genre", None),
]


def read(tams: TamsClient, source_id: str) -> Json:
    response = tams.get(f"/sources/{source_id}")
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def describe(tams: TamsClient, source_id: str) -> Json:
    """Set a label, a description and a tag of the source, and return its document."""
    for member, value in {"label": fresh_name(), "description": fresh_name(), "tags/genre": fresh_name()}.items():
        assert tams.put(f"/sources/{source_id}/{member}", value).status_code == 204
    return read(tams, source_id)


def wait_until_gone(tams: TamsClient, source_id: str) -> None:
    wait_until(lambda: tams.get(f"/sources/{source_id}").status_code == 404, f"source {source_id} to be deleted")


# -- Creation and deletion


@pytest.mark.behaviour("SRC-LIFE-01", "SRC-LIFE-02")
def test_a_source_is_created_with_its_first_flow(tams: TamsClient) -> None:
    document = flow(AUDIO)
    assert tams.get(f"/sources/{document['source_id']}").status_code == 404
    tams.make_flow(document)
    assert read(tams, document["source_id"])["format"] == AUDIO


@pytest.mark.behaviour("SRC-LIFE-01")
def test_a_rejected_flow_creates_no_source(tams: TamsClient) -> None:
    document = flow(VIDEO, label=5)
    assert put_flow(tams, document).status_code == 400
    assert tams.get(f"/sources/{document['source_id']}").status_code == 404


@pytest.mark.behaviour("SRC-LIFE-03")
def test_a_second_flow_does_not_change_the_source(tams: TamsClient) -> None:
    made = tams.make_flow(label="first")
    before = describe(tams, made["source_id"])
    tams.make_flow(source_id=made["source_id"], label="second", description="second", tags={"genre": "second"})
    after = read(tams, made["source_id"])
    kept = ("id", "format", "label", "description", "tags", "created", "created_by")
    assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}


@pytest.mark.behaviour("SRC-LIFE-04")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA])
def test_the_source_of_a_flow_from_a_profile_has_the_format_of_the_profile(tams: TamsClient, format_: str) -> None:
    made = tams.make_flow(linked_flow(make_profile(tams, format_)["id"]))
    assert read(tams, made["source_id"])["format"] == format_


@pytest.mark.behaviour("SRC-LIFE-05", "SRC-LIFE-06", "A13")
def test_a_source_is_deleted_with_its_last_flow(tams: TamsClient) -> None:
    first = tams.make_flow()
    second = tams.make_flow(source_id=first["source_id"])
    described = describe(tams, first["source_id"])
    delete_flow(tams, first["id"])
    assert read(tams, first["source_id"]) == described
    delete_flow(tams, second["id"])
    wait_until_gone(tams, first["source_id"])
    assert tams.get("/sources", label=described["label"]).json() == []
    assert tams.get("/sources", **{"tag.genre": described["tags"]["genre"]}).json() == []


@pytest.mark.behaviour("SRC-LIFE-07")
def test_a_recreated_source_is_new(tams: TamsClient) -> None:
    document = tams.make_flow()
    before = describe(tams, document["source_id"])
    delete_flow(tams, document["id"])
    wait_until_gone(tams, document["source_id"])
    again = tams.make_flow(source_id=document["source_id"])
    after = read(tams, again["source_id"])
    assert {name: after.get(name) for name in ("label", "description")} == {"label": None, "description": None}
    assert after.get("tags", {}) == {}
    # `created` may be in whole seconds.
    assert datetime.fromisoformat(after["created"]) >= datetime.fromisoformat(before["created"])
    if "updated" in before and "updated" in after:
        assert after["updated"] != before["updated"]
    assert tams.get("/sources", **{"tag.genre": before["tags"]["genre"]}).json() == []


@pytest.mark.behaviour("SRC-LIFE-08", "A14")
def test_changing_the_source_of_a_flow_leaves_no_source_without_flows(tams: TamsClient) -> None:
    document = tams.make_flow()
    moved = {**document, "source_id": fresh()}
    status = put_flow(tams, moved).status_code
    assert status in (204, 400)
    kept, other = (moved, document) if status == 204 else (document, moved)
    assert tams.get(f"/flows/{document['id']}").json()["source_id"] == kept["source_id"]
    assert read(tams, kept["source_id"])["format"] == VIDEO
    wait_until_gone(tams, other["source_id"])


# -- Times and principals


@pytest.mark.behaviour("SRC-LIFE-09", "SRC-LIFE-10")
@pytest.mark.parametrize(("method", "member", "value"), CHANGES)
def test_a_change_moves_updated_but_not_created(tams: TamsClient, method: str, member: str, value: Any) -> None:
    source_id = tams.make_flow()["source_id"]
    before = describe(tams, source_id)
    response = tams.request(method, f"/sources/{source_id}/{member}", **({} if value is None else {"json": value}))
    assert response.status_code == 204
    after = read(tams, source_id)
    assert (after["created"], after.get("created_by")) == (before["created"], before.get("created_by"))
    assert datetime.fromisoformat(after["created"]) <= datetime.fromisoformat(before["updated"])
    assert datetime.fromisoformat(after["updated"]) > datetime.fromisoformat(before["updated"])


@pytest.mark.behaviour("SRC-LIFE-10")
def test_a_source_names_its_creator_and_updater(tams: TamsClient) -> None:
    made = read(tams, tams.make_flow()["source_id"])
    assert made["created_by"]
    assert made["updated_by"] == made["created_by"]
    assert describe(tams, made["id"])["updated_by"] == made["updated_by"]


# -- Collections


@pytest.mark.behaviour("SRC-LIFE-11", "SRC-LIFE-15")
def test_the_source_of_a_collection_lists_the_sources_of_its_members_in_order(tams: TamsClient) -> None:
    members = [tams.make_flow(flow(format_)) for format_ in (VIDEO, AUDIO, DATA)]
    ordered = [members[2], members[0], members[1]]
    collected = [
        {"id": ordered[0]["id"], "role": "subtitles"},
        {"id": ordered[1]["id"]},
        {"id": ordered[2]["id"], "role": "sound"},
    ]
    collection = tams.make_flow(flow(MULTI, flow_collection=collected))
    assert read(tams, collection["source_id"])["source_collection"] == [
        {"id": ordered[0]["source_id"], "role": "subtitles"},
        {"id": ordered[1]["source_id"]},
        {"id": ordered[2]["source_id"], "role": "sound"},
    ]
    for member in members:
        assert read(tams, member["source_id"])["collected_by"] == [collection["source_id"]]


def collected_pair(tams: TamsClient) -> tuple[Json, Json]:
    """A flow, and a flow that collects it."""
    member = tams.make_flow()
    collection = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
    assert read(tams, member["source_id"])["collected_by"] == [collection["source_id"]]
    return member, collection


def drop_member(tams: TamsClient, member: Json, collection: Json) -> None:
    assert tams.delete(f"/flows/{collection['id']}/flow_collection").status_code == 204


def empty_collection(tams: TamsClient, member: Json, collection: Json) -> None:
    assert tams.put(f"/flows/{collection['id']}/flow_collection", []).status_code == 204


def put_without_collection(tams: TamsClient, member: Json, collection: Json) -> None:
    assert put_flow(tams, {k: v for k, v in collection.items() if k != "flow_collection"}).status_code == 204


def delete_collection(tams: TamsClient, member: Json, collection: Json) -> None:
    delete_flow(tams, collection["id"])


ENDS = [drop_member, empty_collection, put_without_collection, delete_collection]


@pytest.mark.behaviour("SRC-LIFE-12")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: str(end.__name__))
def test_sources_are_unrelated_after_the_flow_collection_ends(tams: TamsClient, end: Any) -> None:
    member, collection = collected_pair(tams)
    end(tams, member, collection)
    wait_until(lambda: not read(tams, member["source_id"]).get("collected_by"), "the source to be in no collection")
    if end is not delete_collection:
        assert read(tams, collection["source_id"]).get("source_collection", []) == []
    assert tams.get("/sources", collected_by_ids=collection["source_id"]).json() == []


@pytest.mark.behaviour("SRC-LIFE-12", "A28")
def test_sources_are_unrelated_after_the_member_is_deleted(tams: TamsClient) -> None:
    member, collection = collected_pair(tams)
    delete_flow(tams, member["id"])
    wait_until(lambda: not read(tams, collection["source_id"]).get("source_collection"), "the collection to be empty")


@pytest.mark.behaviour("SRC-LIFE-12", "SRC-LIFE-13")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: str(end.__name__))
def test_sources_stay_related_while_any_flow_implies_it(tams: TamsClient, end: Any) -> None:
    member, collection = collected_pair(tams)
    other_member = tams.make_flow(source_id=member["source_id"])
    tams.make_flow(flow(MULTI, source_id=collection["source_id"], flow_collection=[{"id": other_member["id"]}]))
    implied = [{"id": member["source_id"]}]
    assert read(tams, collection["source_id"])["source_collection"] == implied
    end(tams, member, collection)
    assert read(tams, collection["source_id"])["source_collection"] == implied
    assert read(tams, member["source_id"])["collected_by"] == [collection["source_id"]]


@pytest.mark.behaviour("SRC-LIFE-13")
def test_a_source_is_listed_once_however_many_of_its_flows_are_collected(tams: TamsClient) -> None:
    first = tams.make_flow()
    second = tams.make_flow(source_id=first["source_id"])
    members = [{"id": first["id"], "role": "picture"}, {"id": second["id"], "role": "picture"}]
    collection = tams.make_flow(flow(MULTI, flow_collection=members))
    assert read(tams, collection["source_id"])["source_collection"] == [{"id": first["source_id"], "role": "picture"}]
    assert read(tams, first["source_id"])["collected_by"] == [collection["source_id"]]


@pytest.mark.behaviour("SRC-LIFE-11", "SRC-LIFE-13")
def test_a_source_lists_all_its_collectors(tams: TamsClient) -> None:
    member, first = collected_pair(tams)
    second = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
    collected_by = read(tams, member["source_id"])["collected_by"]
    assert sorted(collected_by) == sorted([first["source_id"], second["source_id"]])
