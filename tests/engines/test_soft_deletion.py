"""Soft deletion on every engine (F13): deleted flows are hidden, kept, restored, and deleted when their grace ends."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.deleted import deleted_resources
from storage.catalog.deleted.restoration import Restoration
from storage.catalog.flows import flow_collections, source_collections
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.objects.objects import ObjectQuery
from storage.catalog.paging import PageRequest
from storage.catalog.sources import SourceFilter
from storage.catalog.tags import TagFilter
from storage.errors import AlreadyExists, NotFound, Unavailable
from storage.tables import limits
from storage.tables.transaction import Reader, Writer
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import BASE, CALLER, World, open_world

GRACE_S = 3600
LIMITS = Limits(soft_delete_grace_s=GRACE_S, deletion_batch=2, async_deletion_threshold=3)
SHOWN_OF_DELETED = {"deleted", "deleted_by", "restorable_until"}


def delete(world: World, flow_id: str) -> None:
    assert world.catalog.deletions.delete_flow(CALLER, flow_id) is None


def restore(world: World, flow_id: str) -> None:
    world.catalog.deleted.restore_flow(CALLER, flow_id)


def deleted_flows(world: World, **filters: object) -> list[str]:
    page = world.catalog.deleted.flow_page(CALLER, FlowFilter(**filters), "created", PageRequest(10))  # type: ignore[arg-type]
    return [item["id"] for item in page.items]


def deleted_sources(world: World) -> list[str]:
    page = world.catalog.deleted.source_page(CALLER, SourceFilter(), "created", PageRequest(10))
    return [item["id"] for item in page.items]


def shown(world: World, flow_id: str) -> Json:
    """The flow as a GET returns it, with its timerange."""
    return world.catalog.flows.get(CALLER, flow_id, parse_timerange("_"))


def test_a_deleted_flow_is_hidden_and_restored_with_segments_and_objects(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow(label="news", tags={"a": ["b", "c"]})
        flow_id, source_id = world.make_flow(document), document["source_id"]
        add(world, flow_id, *(at(n) for n in range(5)))
        before, source = shown(world, flow_id), world.catalog.sources.get(CALLER, source_id)
        object_ids = sorted({row["object_id"] for row in world.rows("segments")})
        delete(world, flow_id)
        with pytest.raises(NotFound):
            shown(world, flow_id)
        with pytest.raises(NotFound):
            world.catalog.sources.get(CALLER, source_id)
        with pytest.raises(NotFound):
            world.object(object_ids[0])
        assert world.timeranges(flow_id) == []
        everything = FlowFilter(tags=TagFilter({"a": ["b"]}))
        assert world.catalog.flows.page(CALLER, everything, "created", PageRequest(10)).items == []
        world.clock.forward(GRACE_S - 1)
        world.run_background_work()
        assert all(world.has_bytes(object_id) for object_id in object_ids)
        restore(world, flow_id)
        assert shown(world, flow_id) == before
        assert world.catalog.sources.get(CALLER, source_id) == source
        assert world.timeranges(flow_id) == [at(n) for n in range(5)]
        assert all(world.is_registered(object_id) for object_id in object_ids)
        assert len(world.catalog.flows.page(CALLER, everything, "created", PageRequest(10)).items) == 1
        assert deleted_flows(world) == deleted_sources(world) == []


def test_deleted_resources_are_listed_with_filters_and_pages(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        ids = []
        for n in range(3):
            ids.append(world.make_flow(flow(label=f"n{n}", tags={"n": str(n)})))
            add(world, ids[-1], at(n))
            world.clock.forward(1)
        kept = world.make_flow()
        for flow_id in ids:
            delete(world, flow_id)
        assert deleted_flows(world) == ids[::-1]
        assert deleted_flows(world, columns={"label": "n1"}) == [ids[1]]
        assert deleted_flows(world, tags=TagFilter({"n": ["2"]})) == [ids[2]]
        assert deleted_flows(world, timerange=parse_timerange("[0:0_1:0)")) == [ids[0]]
        assert len(deleted_sources(world)) == 3
        first = world.catalog.deleted.flow_page(CALLER, FlowFilter(), "label", PageRequest(2))
        assert [item["id"] for item in first.items] == ids[:2]
        rest = world.catalog.deleted.flow_page(CALLER, FlowFilter(), "label", PageRequest(2, first.next_key))
        assert [item["id"] for item in rest.items] == ids[2:]
        assert rest.items[0].keys() >= SHOWN_OF_DELETED
        assert shown(world, kept).keys().isdisjoint(SHOWN_OF_DELETED)


def test_a_flow_returns_to_the_collections_that_it_was_in(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        first, second, third, collector = (world.make_flow() for _ in range(4))
        world.set_collection(collector, first, second, third)
        source_id = shown(world, collector)["source_id"]
        collected = world.catalog.sources.get(CALLER, source_id)["source_collection"]
        webhook_id = world.add_webhook("flows/updated", "sources/updated")
        delete(world, second)
        assert [item["id"] for item in shown(world, collector)["flow_collection"]] == [first, third]
        assert len(world.catalog.sources.get(CALLER, source_id)["source_collection"]) == 2
        assert sorted(world.delivered_types(webhook_id)) == ["flows/updated", "sources/updated"]
        restore(world, second)
        assert sorted(world.delivered_types(webhook_id)) == ["flows/updated", "sources/updated"]
        assert [item["id"] for item in shown(world, collector)["flow_collection"]] == [first, second, third]
        assert world.catalog.sources.get(CALLER, source_id)["source_collection"] == collected
        assert shown(world, second)["collected_by"] == [collector]


@pytest.mark.parametrize("deleted_first", ["member", "collector"])
@pytest.mark.parametrize("restored_first", ["member", "collector"])
def test_a_collection_of_deleted_flows_is_complete_in_whatever_order_they_return(
    engine_url: str, tmp_path: Path, deleted_first: str, restored_first: str
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flows = {"member": world.make_flow(), "collector": world.make_flow()}
        other = world.make_flow()
        world.set_collection(flows["collector"], other, flows["member"])
        for name in sorted(flows, key=lambda name: name != deleted_first):
            delete(world, flows[name])
        for name in sorted(flows, key=lambda name: name != restored_first):
            restore(world, flows[name])
        members = [item["id"] for item in shown(world, flows["collector"])["flow_collection"]]
        assert members == [other, flows["member"]]
        assert shown(world, flows["member"])["collected_by"] == [flows["collector"]]
        assert world.rows("deleted_collections") == []


def test_a_collector_returns_without_a_member_that_contradicts_another_flow_by_now(
    engine_url: str, tmp_path: Path
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        first, second = world.make_flow(), world.make_flow()
        collector = world.make_flow(flow(MULTI, flow_collection=[{"id": first}, {"id": second}]))
        delete(world, first)
        delete(world, collector)
        restore(world, first)
        source_id = world.rows("deleted_flows")[0]["source_id"]
        world.make_flow(flow(MULTI, source_id=source_id, flow_collection=[{"id": second}, {"id": first}]))
        restore(world, collector)
        assert [item["id"] for item in shown(world, collector)["flow_collection"]] == [second]
        assert world.rows("deleted_collections") == []
        assert list(world.catalog.consistency.check()) == []


def test_a_member_does_not_return_to_a_collector_whose_document_has_no_room_for_it(
    engine_url: str, tmp_path: Path
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        role = "r" * limits.ROLE
        member = world.make_flow()
        collector = world.make_flow(flow(MULTI, flow_collection=[{"id": member, "role": role}]))
        delete(world, member)
        for name in ("description", "label"):
            world.catalog.flows.set_member(CALLER, collector, name, "")
        room = limits.DOCUMENT - len(json.dumps(shown(world, collector))) - limits.ROLE // 2
        world.catalog.flows.set_member(CALLER, collector, "description", "d" * room)
        restore(world, member)
        world.catalog.flows.set_member(CALLER, collector, "label", "changed")
        assert shown(world, collector)["flow_collection"] == []
        assert world.rows("deleted_collections") == []


@pytest.mark.parametrize("is_deleted_first", [False, True])
def test_a_member_does_not_return_to_a_later_flow_with_the_id_of_its_collector(
    engine_url: str, tmp_path: Path, is_deleted_first: bool
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        member = world.make_flow()
        document = flow(MULTI, flow_collection=[{"id": member}])
        collector = world.make_flow(document)
        delete(world, member)
        if is_deleted_first:
            delete(world, collector)
            world.catalog.deleted.delete_flow(CALLER, collector)
        else:
            world.catalog.deletions.delete_flow(CALLER, collector, for_good=True)
        world.make_flow(flow(MULTI, id=collector))
        restore(world, member)
        assert "flow_collection" not in shown(world, collector)
        assert world.rows("deleted_collections") == []


def test_a_source_that_is_created_again_takes_the_restored_flow(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow(label="old")
        flow_id, source_id = world.make_flow(document), document["source_id"]
        delete(world, flow_id)
        again = world.make_flow(flow(label="new", source_id=source_id))
        restore(world, flow_id)
        assert world.catalog.sources.get(CALLER, source_id)["label"] == "new"
        assert deleted_sources(world) == []
        delete(world, flow_id)
        delete(world, again)
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert shown(world, flow_id)["source_id"] == shown(world, again)["source_id"] == source_id


def test_a_flow_returns_with_its_own_source_and_not_with_a_later_one_that_is_deleted_too(
    engine_url: str, tmp_path: Path
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow(label="first", tags={"a": "b"})
        flow_id, source_id = world.make_flow(document), document["source_id"]
        before = world.catalog.sources.get(CALLER, source_id)
        world.clock.forward(1)
        delete(world, flow_id)
        world.clock.forward(1)
        later = {"id": source_id, "format": "urn:x-nmos:format:audio", "label": "later"}
        assert isinstance(world.catalog.source_creation.create(CALLER, [later])[0], dict)
        webhook_id = world.add_webhook("sources/deleted")
        assert world.catalog.source_deletions.delete(CALLER, source_id) is None
        assert world.delivered_types(webhook_id) == ["sources/deleted"]
        restore(world, flow_id)
        assert world.catalog.sources.get(CALLER, source_id) == before
        assert deleted_sources(world) == []


def test_a_flow_of_a_later_source_is_not_restored_into_an_earlier_one_of_another_format(
    engine_url: str, tmp_path: Path
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow()
        first, source_id = world.make_flow(document), document["source_id"]
        world.clock.forward(1)
        delete(world, first)
        world.clock.forward(1)
        second = fresh()
        world.make_flow({"id": second, "source_id": source_id, "format": MULTI})
        world.clock.forward(1)
        delete(world, second)
        with pytest.raises(AlreadyExists, match="has format"):
            restore(world, second)
        with pytest.raises(AlreadyExists, match="has format"):
            world.catalog.deleted.restore_source(CALLER, source_id)  # as far as possible
        assert shown(world, first)["format"] == world.catalog.sources.get(CALLER, source_id)["format"]
        assert deleted_flows(world) == [second]


@pytest.mark.parametrize("remaining", [0, 1])
def test_the_restoration_of_a_source_is_repeated_for_flows_that_are_still_deleted(
    engine_url: str, tmp_path: Path, remaining: int
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id = fresh()
        ids = [world.make_flow(flow(source_id=source_id)) for _ in range(3)]
        for flow_id in ids[remaining:]:
            delete(world, flow_id)
        restore(world, ids[2])
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert {row["id"] for row in world.rows("flows") if row["id"]} == set(ids)
        with pytest.raises(NotFound):
            world.catalog.deleted.restore_source(CALLER, source_id)


def test_the_restoration_of_many_flows_takes_several_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted_resources, "_RESTORING_S", -1.0)
    monkeypatch.setattr(deleted_resources, "_TRANSACTION_S", -1.0)
    with open_world(tmp_path, LIMITS) as world:
        source_id = fresh()
        ids = [world.make_flow(flow(source_id=source_id)) for _ in range(3)]
        for flow_id in ids:
            delete(world, flow_id)
        for left in (3, 2):
            with pytest.raises(Unavailable, match=f"1 of {left} deleted flows") as error:
                world.catalog.deleted.restore_source(CALLER, source_id)
            assert error.value.code.name == "source.restoration_unfinished"
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert {row["id"] for row in world.rows("flows")} >= set(ids)


def test_many_flows_are_restored_in_few_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Writer] = []

    class Observed(Restoration):
        def __init__(self, tx: Writer, *args: Any) -> None:
            used.append(tx)
            super().__init__(tx, *args)

    monkeypatch.setattr(deleted_resources, "Restoration", Observed)
    monkeypatch.setattr(deleted_resources, "_TRANSACTION_S", 60.0)
    with open_world(tmp_path, LIMITS) as world:
        source_id = fresh()
        ids = [world.make_flow(flow(source_id=source_id)) for _ in range(25)]
        for flow_id in ids:
            delete(world, flow_id)
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert len(used) == 25
        assert len(set(map(id, used))) == 2
        assert {row["id"] for row in world.rows("flows") if row["id"]} == set(ids)


def test_flows_that_collect_none_are_deleted_and_restored_without_a_look_at_the_others_of_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, LIMITS) as world:
        source_id = fresh()
        ids = [world.make_flow(flow(source_id=source_id)) for _ in range(3)]
        looked_at: list[str] = []

        def collected_sources(_: Reader, flow_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
            looked_at.extend(flow_ids)
            return {}

        monkeypatch.setattr(source_collections, "collected_sources", collected_sources)
        monkeypatch.setattr(flow_collections, "collected_sources", collected_sources)
        for flow_id in ids:
            delete(world, flow_id)
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert looked_at == []
        assert {row["id"] for row in world.rows("flows") if row["id"]} == set(ids)


def test_what_is_deleted_stays_restorable_after_a_restart_without_the_setting(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id, ending, beside = world.make_flow(), world.make_flow(), world.make_flow()
        add(world, flow_id, at(0))
        delete(world, flow_id)
        delete(world, ending)
    with open_world(tmp_path, Limits(), engine_url) as world:
        assert world.catalog.deletions.delete_flow(CALLER, beside) is None
        assert sorted(deleted_flows(world)) == sorted([flow_id, ending])
        restore(world, flow_id)
        assert world.timeranges(flow_id) == [at(0)]
        world.clock.forward(GRACE_S)
        world.run_background_work()
        assert deleted_flows(world) == []
        assert [row["id"] for row in world.rows("flows") if row["id"]] == [flow_id]


def test_a_segment_of_another_flow_keeps_the_object_of_one_that_is_deleted_for_good(
    engine_url: str, tmp_path: Path
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        first, second = world.make_flow(), world.make_flow()
        world.add_object(first, "shared")
        assert world.register(second, {"object_id": "shared", "timerange": "[0:0_1:0)"}) == []
        delete(world, first)
        page = world.catalog.objects.get(CALLER, "shared", ObjectQuery(), BASE)
        assert page.document["referenced_by_flows"] == [second]
        assert "first_referenced_by_flow" not in page.document
        world.clock.forward(GRACE_S)
        world.run_background_work()
        world.clock.forward(LIMITS.unregistered_object_s + LIMITS.object_grace_s)
        world.run_background_work()
        assert world.is_registered("shared")
        assert world.has_bytes("shared")


def test_the_check_finds_nothing_wrong_with_deleted_flows(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        world.add_object(flow_id, "kept")
        delete(world, flow_id)
        assert list(world.catalog.consistency.check(repair=True)) == []
        restore(world, flow_id)
        assert list(world.catalog.consistency.check()) == []
