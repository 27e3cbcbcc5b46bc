"""What is told when a collection changes: of the flow, of its members, and of the sources of them all (AMB-19)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.catalog.event_journal import EventJournal
from storage.errors import Unavailable
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.unit.catalogs import CALLER, World, open_world
from tests.unit.ears import Ear, named

Told = set[tuple[str, str]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture
def ear(world: World, specification: Specification) -> Ear:
    return Ear.listening(world, specification)


@dataclass
class Family:
    """A flow that may collect others, each with a source of its own. told: what there is to be told since."""

    world: World
    ear: Ear
    parent: Json
    members: list[Json]

    def told(self) -> Told:
        """Type and id of the events since, each of which came once and shows what a GET would."""
        bodies = self.ear.hear()
        for body in bodies:
            event = body["event"]
            if "flow" in event:
                assert event["flow"] == self.world.catalog.flows.get(CALLER, event["flow"]["id"])
            if "source" in event:
                assert event["source"] == self.world.catalog.sources.get(CALLER, event["source"]["id"])
        found = [(body["event_type"], named(body)) for body in bodies]
        assert len(found) == len(set(found))
        return set(found)

    def collect(self, *members: Json) -> None:
        self.world.set_collection(self.parent["id"], *(each["id"] for each in members))

    def versions(self) -> list[str]:
        return [self.world.catalog.flows.get(CALLER, each["id"])["metadata_version"] for each in self.members]


@pytest.fixture
def family(world: World, ear: Ear) -> Family:
    made = Family(world, ear, flow(MULTI), [flow() for _ in range(3)])
    for document in (made.parent, *made.members):
        world.make_flow(document)
    ear.hear()
    return made


def updated(*flows: Json) -> Told:
    """Flows and their sources, all of them changed."""
    flow_events = {("flows/updated", each["id"]) for each in flows}
    return flow_events | {("sources/updated", each["source_id"]) for each in flows}


@pytest.mark.behaviour("EVT-FU-02", "EVT-SU-02", "AMB-19")
def test_who_enters_and_who_leaves_is_told(family: Family) -> None:
    first, second, third = family.members
    family.collect(first, second)
    assert family.told() == updated(family.parent, first, second)
    family.collect(second, third)
    assert family.told() == updated(family.parent, first, third)
    family.world.catalog.flows.set_member(CALLER, family.parent["id"], "flow_collection", None)
    assert family.told() == updated(family.parent, second, third)


@pytest.mark.behaviour("AMB-19", "FLOW-META-11")
def test_members_keep_their_version(family: Family) -> None:
    before = family.versions()
    family.collect(*family.members)
    family.collect()
    assert family.versions() == before


@pytest.mark.behaviour("EVT-SU-02", "AMB-19", "AMB-20")
def test_a_collection_that_is_set_as_it_was_changes_its_flow_alone(family: Family) -> None:
    family.collect(*family.members)
    family.told()
    family.collect(*family.members)
    assert family.told() == {("flows/updated", family.parent["id"])}


@pytest.mark.behaviour("EVT-SU-02", "AMB-19")
def test_another_role_or_order_is_told_of_the_collection_and_not_of_its_members(family: Family) -> None:
    family.collect(*family.members)
    family.told()
    items = [{"id": each["id"], "role": "another"} for each in family.members]
    for changed in (items, items[::-1]):
        family.world.catalog.flows.set_member(CALLER, family.parent["id"], "flow_collection", changed)
        assert family.told() == updated(family.parent)


@pytest.mark.behaviour("EVT-SU-02", "AMB-19")
def test_a_source_that_goes_on_collecting_another_is_not_told(family: Family) -> None:
    """Both flows of one source collect it; that one of them stops changes the flows alone."""
    first = family.members[0]
    twin = flow(MULTI, source_id=family.parent["source_id"])
    family.world.make_flow(twin)
    family.told()
    family.collect(first)
    assert family.told() == updated(family.parent, first)
    family.world.set_collection(twin["id"], first["id"])
    assert family.told() == {("flows/updated", twin["id"]), ("flows/updated", first["id"])}
    family.world.set_collection(twin["id"])
    assert family.told() == {("flows/updated", twin["id"]), ("flows/updated", first["id"])}


@pytest.mark.behaviour("EVT-FC-01", "EVT-SC-01", "EVT-SU-02", "AMB-19")
def test_a_flow_that_is_made_with_members_is_told_with_them(family: Family) -> None:
    first, second, _ = family.members
    document = flow(MULTI, flow_collection=[{"id": first["id"], "role": "a"}, {"id": second["id"], "role": "b"}])
    family.world.make_flow(document)
    created = {("flows/created", document["id"]), ("sources/created", document["source_id"])}
    assert family.told() == created | updated(first, second)


@pytest.mark.behaviour("A27", "AMB-19")
def test_a_flow_that_collects_itself_is_told_once(family: Family) -> None:
    family.collect(family.parent)
    assert family.told() == updated(family.parent)
    family.world.catalog.deletions.delete_flow(CALLER, family.parent["id"])
    assert family.told() == {("flows/deleted", family.parent["id"]), ("sources/deleted", family.parent["source_id"])}


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-01", "EVT-SU-02", "AMB-19", "A28")
def test_the_collectors_of_a_deleted_flow_are_told(family: Family) -> None:
    first, second, _ = family.members
    family.collect(first, second)
    family.told()
    family.world.catalog.deletions.delete_flow(CALLER, first["id"])
    gone = {("flows/deleted", first["id"]), ("sources/deleted", first["source_id"])}
    assert family.told() == gone | updated(family.parent)


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-01", "EVT-SU-02", "AMB-19")
def test_the_members_of_a_deleted_flow_are_told(family: Family) -> None:
    first, second, _ = family.members
    family.collect(first, second)
    family.told()
    family.world.catalog.deletions.delete_flow(CALLER, family.parent["id"])
    gone = {("flows/deleted", family.parent["id"]), ("sources/deleted", family.parent["source_id"])}
    assert family.told() == gone | updated(first, second)


@pytest.mark.behaviour("DLV-13", "AMB-19")
def test_a_collection_that_could_not_be_changed_is_told_nobody(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    write = EventJournal.write

    def failing(journal: EventJournal) -> None:
        write(journal)
        raise Unavailable("the catalogue is away")

    with monkeypatch.context() as broken:
        broken.setattr(EventJournal, "write", failing)
        with pytest.raises(Unavailable):
            family.collect(*family.members)
    assert family.told() == set()
    assert "collected_by" not in family.world.catalog.flows.get(CALLER, family.members[0]["id"])
