"""F5: the order in which flows of one request are checked, and the rights of a caller that creates several."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.access_rules import AccessRules
from storage.catalog.batch import Outcome
from storage.catalog.caller import Caller
from storage.catalog.flows.flow_creation import members_first
from storage.errors import AlreadyExists, Forbidden, Invalid, NotFound
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import CALLER, World, open_world

TAG = "auth_classes"


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[World]:
    """A catalogue with rules on classes."""
    with open_world(tmp_path) as world:
        world.catalog = Catalog(
            world.engine, world.stores, None, world.clock, world.other_servers, access=AccessRules()
        )
        world.catalog.prepare_access()
        yield world


def caller(world: World, *groups: str) -> Caller:
    return world.catalog.apply_rules(Caller("somebody", frozenset({"read", "write"}), frozenset(groups)))


def kinds(outcomes: list[Outcome]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


def graph(**members: str) -> dict[int, Json]:
    """Flows by position, each called by a letter, with the letters of what it collects."""
    return {
        number: {"id": name, "flow_collection": [{"id": each} for each in names]}
        for number, (name, names) in enumerate(members.items())
    }


@pytest.mark.parametrize(
    ("members", "order"),
    [
        ({"a": "", "b": "", "c": ""}, "abc"),
        ({"a": "bc", "b": "c", "c": ""}, "cba"),
        ({"a": "a", "b": "xa"}, "ab"),
        ({"a": "b", "b": "c", "c": "a", "d": "b"}, "cbad"),
        ({"a": "bb", "b": ""}, "ba"),
    ],
)
def test_members_come_first(members: dict[str, str], order: str) -> None:
    bodies = graph(**members)
    assert "".join(bodies[number]["id"] for number in members_first(bodies)) == order


def test_a_long_chain_of_collections_needs_no_stack() -> None:
    bodies = {n: {"id": str(n), "flow_collection": [{"id": str(n + 1)}]} for n in range(5000)}
    assert members_first(bodies) == list(reversed(range(5000)))


def test_each_flow_needs_the_right_to_create_it(ruled: World) -> None:
    tags = {TAG: ["news_read", "news_write"]}
    hidden, shown = flow(tags={TAG: ["sport_write"]}), flow(tags={TAG: ["news_read"]})
    for document in (hidden, shown):
        ruled.catalog.flows.put(CALLER, document["id"], document)
    who = caller(ruled, "news_read", "news_write")
    items = [
        flow(tags=tags),
        flow(source_id=hidden["source_id"], tags=tags),
        flow(source_id=shown["source_id"], tags=tags),
        flow(tags={TAG: ["sport_delete"]}),
        flow(),
        {**flow(tags=tags), "id": hidden["id"]},
    ]
    outcomes = ruled.catalog.flow_creation.create(who, items)
    assert kinds(outcomes) == [dict, NotFound, Forbidden, Forbidden, Forbidden, AlreadyExists]
    assert kinds(ruled.catalog.flow_creation.create(caller(ruled, "news_read"), items)) == [Forbidden] * 6


def test_the_first_flow_of_a_source_decides_on_the_next(ruled: World) -> None:
    """As if they were created one after the other."""
    who = caller(ruled, "a_write", "b_write", "b_read")
    source_id = fresh()
    closed = [flow(source_id=source_id, tags={TAG: []}), flow(source_id=source_id, tags={TAG: ["a_write"]})]
    assert kinds(ruled.catalog.flow_creation.create(who, closed)) == [dict, NotFound]
    source_id = fresh()
    own = [flow(source_id=source_id, tags={TAG: ["a_write"]}), flow(source_id=source_id, tags={TAG: ["b_read"]})]
    assert kinds(ruled.catalog.flow_creation.create(who, own)) == [dict, dict]


def test_only_members_that_the_caller_may_read_can_be_collected(ruled: World) -> None:
    who = caller(ruled, "a_write", "a_read")
    members = [flow(tags={TAG: ["a_write", "a_read"]}), flow(tags={TAG: ["a_write"]})]
    programmes = [
        {"source_id": fresh(), "format": MULTI, "tags": {TAG: ["a_read"]}, "flow_collection": [{"id": member["id"]}]}
        for member in members
    ]
    assert kinds(ruled.catalog.flow_creation.create(who, [*programmes, *members])) == [dict, Invalid, dict, dict]


def test_an_id_that_is_taken_is_rejected_without_a_lock_and_tells_nothing_of_a_hidden_flow(
    ruled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither whether the flow still exists, nor, by the time that a lock takes, that it is being changed."""
    ruled.catalog = Catalog(
        ruled.engine,
        ruled.stores,
        Limits(soft_delete_grace_s=3600),
        ruled.clock,
        ruled.other_servers,
        access=AccessRules(),
    )
    live, deleted = (flow(tags={TAG: ["sport_read"]}) for _ in range(2))
    for document in (live, deleted):
        ruled.catalog.flows.put(CALLER, document["id"], document)
    ruled.catalog.deletions.delete_flow(CALLER, deleted["id"])
    source = {"id": live["source_id"], "format": MULTI}

    def lock(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(type(ruled.engine), "write", lock)
    who = caller(ruled, "news_read", "news_write")
    items = [{**flow(tags={TAG: ["news_read"]}), "id": document["id"]} for document in (live, deleted)]
    outcomes = ruled.catalog.flow_creation.create(who, items)
    assert [str(outcome).replace(item["id"], "ID") for outcome, item in zip(outcomes, items, strict=True)] == [
        "flow ID exists already; it has not been changed"
    ] * 2
    assert kinds(outcomes) == [AlreadyExists] * 2
    assert kinds(ruled.catalog.source_creation.create(CALLER, [source])) == [AlreadyExists]


def test_sources_need_the_right_to_create_and_classes(ruled: World) -> None:
    who = caller(ruled, "a_write", "a_read")
    create = ruled.catalog.source_creation.create
    items: list[Json] = [
        {"format": MULTI, "tags": {TAG: ["a_read", "a_write"]}},
        {"format": MULTI, "tags": {TAG: ["b_delete"]}},
        {"format": MULTI},
    ]
    outcomes = create(who, items)
    assert kinds(outcomes) == [dict, Forbidden, Forbidden]
    assert isinstance(outcomes[0], dict)
    assert ruled.catalog.sources.get(who, outcomes[0]["id"]) == outcomes[0]
    with pytest.raises(Forbidden):
        create(caller(ruled, "a_read"), items)


def test_objects_need_permission_to_write_their_flow(ruled: World) -> None:
    """F6."""
    flows = [flow(tags={TAG: names}) for names in (["a_write"], ["a_read"], ["b_write"])]
    for document in flows:
        ruled.catalog.flows.put(CALLER, document["id"], document)
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    items = [{"flow_id": document["id"], "get_urls": [url]} for document in flows]
    outcomes = ruled.catalog.object_batch.register(caller(ruled, "a_write", "a_read"), items, "https://tams.example")
    assert kinds(outcomes) == [dict, Forbidden, NotFound]
