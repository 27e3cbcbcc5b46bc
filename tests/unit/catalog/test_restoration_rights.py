"""Restoration under rules on classes: into sources that others have, and beside flows that are hidden (F13, AUTHZ)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.errors import AlreadyExists, NotFound
from tests.conformance.kit.documents import AUDIO, MULTI, Json, flow
from tests.unit.catalogs import World, open_world

LIMITS = Limits(soft_delete_grace_s=3600)
ALL = frozenset({"read", "write", "delete"})


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, LIMITS) as world:
        world.catalog = Catalog(
            world.engine, world.stores, LIMITS, world.clock, world.other_servers, access=AccessRules()
        )
        world.catalog.prepare_access()
        yield world


def member_of(world: World, group: str) -> Caller:
    """A caller with every permission on what has the classes of this group."""
    return world.catalog.apply_rules(Caller(group, ALL, frozenset(classes(group))))


def classes(group: str) -> list[str]:
    return [f"{group}_{permission}" for permission in ("read", "write", "delete")]


def make_flow(world: World, who: Caller, *format_: str, **members: Any) -> Json:
    document = flow(*format_, **{"tags": {"auth_classes": classes(who.name)}, **members})
    world.catalog.flows.put(who, document["id"], document)
    world.clock.forward(1)
    return document


def delete(world: World, who: Caller, document: Json) -> None:
    assert world.catalog.deletions.delete_flow(who, document["id"]) is None
    world.clock.forward(1)


def create_source(world: World, who: Caller, source_id: str, format_: str) -> None:
    members = {"id": source_id, "format": format_, "tags": {"auth_classes": classes(who.name)}}
    (created,) = world.catalog.source_creation.create(who, [members])
    assert isinstance(created, dict)
    world.clock.forward(1)


def test_the_format_of_a_hidden_source_is_not_told_by_a_restoration(ruled: World) -> None:
    mine, theirs = member_of(ruled, "mine"), member_of(ruled, "theirs")
    document = make_flow(ruled, mine)
    delete(ruled, mine, document)
    create_source(ruled, theirs, document["source_id"], AUDIO)
    with pytest.raises(NotFound, match="there is no source"):
        ruled.catalog.deleted.restore_flow(mine, document["id"])


def test_a_source_that_was_created_again_and_is_hidden_fails_the_restoration_of_the_source(ruled: World) -> None:
    mine, theirs = member_of(ruled, "mine"), member_of(ruled, "theirs")
    document = make_flow(ruled, mine)
    delete(ruled, mine, document)
    create_source(ruled, theirs, document["source_id"], document["format"])
    with pytest.raises(NotFound, match="there is no source"):
        ruled.catalog.deleted.restore_source(mine, document["source_id"])


def test_a_flow_does_not_bring_back_the_deleted_source_of_somebody_else(ruled: World) -> None:
    mine, theirs = member_of(ruled, "mine"), member_of(ruled, "theirs")
    first = make_flow(ruled, theirs)
    delete(ruled, theirs, first)
    second = make_flow(ruled, mine, source_id=first["source_id"])
    delete(ruled, mine, second)
    with pytest.raises(NotFound, match="there is no source"):
        ruled.catalog.deleted.restore_flow(mine, second["id"])
    ruled.catalog.deleted.restore_flow(theirs, first["id"])
    assert ruled.catalog.sources.get(theirs, first["source_id"])["tags"]["auth_classes"] == classes("theirs")


def test_a_hidden_flow_whose_collection_contradicts_is_not_named(ruled: World) -> None:
    mine, theirs = member_of(ruled, "mine"), member_of(ruled, "theirs")
    both = {"auth_classes": [*classes("mine"), *classes("theirs")]}
    source_id = make_flow(ruled, mine, MULTI, tags=both)["source_id"]
    items = [{"id": make_flow(ruled, mine, tags=both)["id"]} for _ in range(2)]
    document = make_flow(ruled, mine, MULTI, source_id=source_id, flow_collection=items)
    delete(ruled, mine, document)
    hidden = make_flow(ruled, theirs, MULTI, source_id=source_id, flow_collection=items[::-1])
    with pytest.raises(AlreadyExists, match="another flow of the same source") as caught:
        ruled.catalog.deleted.restore_flow(mine, document["id"])
    assert hidden["id"] not in caught.value.message
