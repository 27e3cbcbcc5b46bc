"""The statements of frequent requests, so that none comes back whose answer is known or does not matter."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from storage.catalog.batch import Outcome
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.objects.objects import ObjectQuery
from storage.catalog.paging import PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.tags import TagFilter
from storage.errors import TamsError
from storage.tables.conditions import equals
from storage.tables.sql.transaction import SqlTransaction
from tests.conformance.kit.documents import MULTI, flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World

Statements = Counter[tuple[str, str]]
"""The number of statements by kind and table."""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """The statements of the test so far."""
    counted: Statements = Counter()

    def count(name: str, kind: str) -> None:
        original = getattr(SqlTransaction, name)

        def counting(self: SqlTransaction, table: str, *args: Any, **kwargs: Any) -> Any:
            if kind != "insert" or args[0]:
                counted[kind, table] += 1
            return original(self, table, *args, **kwargs)

        monkeypatch.setattr(SqlTransaction, name, counting)

    count("select", "select")
    count("_insert", "insert")
    count("_update", "update")
    count("_update_rows", "update")
    count("delete", "delete")
    return counted


@pytest.fixture
def flow_id(world: World) -> str:
    """A flow with the allocated objects "a" to "d"."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "b", "c", "d")
    return flow_id


def segment(object_id: str, start: int) -> dict[str, Any]:
    return {"object_id": object_id, "timerange": f"[{start}:0_{start + 1}:0)"}


REGISTRATION = {
    ("select", "flows"): 1,
    ("update", "flows"): 1,
    ("select", "objects"): 1,
    ("update", "objects"): 1,
    ("insert", "segments"): 1,
    ("insert", "object_refs"): 1,
    ("select", "webhooks"): 1,
}


def test_a_segment_of_an_allocated_object_updates_the_object(
    world: World, flow_id: str, statements: Statements
) -> None:
    for number, object_id in enumerate("ab"):
        statements.clear()
        assert world.register(flow_id, segment(object_id, number)) == []
        assert statements == REGISTRATION


def test_many_segments_take_as_many_statements_as_two(world: World, flow_id: str, statements: Statements) -> None:
    statements.clear()
    assert world.register(flow_id, *(segment(object_id, number) for number, object_id in enumerate("abcd"))) == []
    assert statements == REGISTRATION


def test_tags_of_many_segments_take_one_statement(world: World, flow_id: str, statements: Statements) -> None:
    """F14."""
    statements.clear()
    tags = {"shot": ["wide", "close"], "take": "1"}
    segments = [{**segment(object_id, number), "tags": tags} for number, object_id in enumerate("abcd")]
    assert world.register(flow_id, *segments) == []
    assert statements == REGISTRATION | {("insert", "segment_tags"): 1}


@pytest.mark.parametrize("tags", [TagFilter({"shot": ["wide"]}), TagFilter({}, {"shot": True})], ids=str)
def test_a_page_of_segments_by_tag_takes_one_statement_more(
    world: World, flow_id: str, statements: Statements, tags: TagFilter
) -> None:
    """F14."""
    assert world.register(flow_id, {**segment("a", 0), "tags": {"shot": "wide"}}) == []
    statements.clear()
    filters = SegmentFilter(tags=tags)
    page = world.catalog.segments.page(CALLER, flow_id, filters, PageRequest(), GetUrlFilter(), BASE)
    assert len(page.page.items) == 1
    assert statements == SEGMENTS | {("select", "segment_tags"): 1}


def test_an_allocation_reads_the_flow_only(world: World, flow_id: str, statements: Statements) -> None:
    statements.clear()
    world.catalog.allocation.allocate(CALLER, flow_id, {"limit": 5}, BASE)
    assert statements == {("select", "flows"): 1, ("insert", "objects"): 1, ("insert", "instances"): 1}


def test_an_upload_reads_its_object_in_one_statement(world: World, flow_id: str, statements: Statements) -> None:
    statements.clear()
    target = world.catalog.object_uploads.find("a", DEFAULT_BACKEND)
    assert (target.object_id, target.flow_id) == ("a", flow_id)
    assert statements == {("select", "objects"): 1}


def test_pages_and_documents(world: World, flow_id: str, statements: Statements) -> None:
    world.register(flow_id, segment("a", 0))
    statements.clear()
    world.catalog.flows.page(CALLER, FlowFilter(), "created", PageRequest())
    assert statements == {("select", "flows"): 1, ("select", "collections"): 1}
    statements.clear()
    world.catalog.objects.get(CALLER, "a", ObjectQuery(), BASE)
    assert statements == {("select", "objects"): 1, ("select", "object_refs"): 1, ("select", "instances"): 1}


SEGMENTS = {("select", "flows"): 1, ("select", "segments"): 1, ("select", "instances"): 1}


@pytest.mark.parametrize(
    ("filters", "more"),
    [
        (GetUrlFilter(), {("select", "objects"): 1}),
        (GetUrlFilter(labels=["second"]), {}),
        (GetUrlFilter(storage_ids=[SECOND_BACKEND]), {}),
    ],
)
def test_the_extension_of_an_old_instance_is_looked_up_if_it_is_shown(
    world: World, flow_id: str, statements: Statements, filters: GetUrlFilter, more: dict[tuple[str, str], int]
) -> None:
    """Instances from before extensions have none in their row: that of their object's content type is shown."""

    def page() -> list[dict[str, Any]]:
        statements.clear()
        found = world.catalog.segments.page(CALLER, flow_id, SegmentFilter(), PageRequest(), filters, BASE)
        return found.page.items

    assert world.register(flow_id, segment("a", 0)) == []
    recent = page()
    assert statements == SEGMENTS
    with world.engine.write() as tx:
        tx.update("instances", equals(object_id="a"), {"extension": None})
    assert page() == recent
    assert statements == SEGMENTS | more


def test_the_page_of_an_object_knows_its_content_type(world: World, flow_id: str, statements: Statements) -> None:
    world.register(flow_id, segment("a", 0))
    recent = world.object("a").document
    with world.engine.write() as tx:
        tx.update("instances", equals(object_id="a"), {"extension": None})
    statements.clear()
    assert world.object("a").document == recent
    assert statements["select", "objects"] == 1


def test_a_batch_takes_as_many_statements_as_one_item(world: World, statements: Statements) -> None:
    """F5 and F6: with a webhook that is sent all of it."""
    world.add_webhook()
    owner = world.make_flow()

    def counted(count: int) -> list[Statements]:
        members = [flow(tags={"studio": "A", "auth_classes": ["a_read"]}) for _ in range(count)]
        collection = [{"id": owner}, *({"id": each["id"]} for each in members)]
        programme = {"source_id": fresh(), "format": MULTI, "flow_collection": collection}
        creations: list[Callable[[], list[Outcome]]] = [
            lambda: world.catalog.flow_creation.create(CALLER, [programme, *members]),
            lambda: world.catalog.source_creation.create(CALLER, [{"format": MULTI} for _ in range(count)]),
            lambda: world.catalog.object_batch.register(CALLER, [{"flow_id": owner} for _ in range(count)], BASE),
        ]
        found = []
        for create in creations:
            statements.clear()
            assert not any(isinstance(outcome, TamsError) for outcome in create())
            found.append(Counter(statements))
        return found

    assert counted(50) == counted(1)
