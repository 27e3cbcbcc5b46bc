"""A flow in very many collections: a jingle that every programme has."""

import time

from storage.catalog.flows.flow_collections import collectors_by_member
from storage.tables.limits import EVENT
from tests.conformance.kit.documents import flow
from tests.unit.catalogs import CALLER, World


def add(world: World, count: int) -> str:
    """Add a flow that so many flows collect, and its source so many sources, and return its id."""
    document = flow()
    member_id = world.make_flow(document)
    with world.engine.write() as tx:
        for table, id_ in (("collections", member_id), ("source_collections", document["source_id"])):
            ids = [f"{table}-{number:06}-1234-1234-123456789012" for number in range(count)]
            rows = [{"collector_id": each, "position": 0, "member_id": id_, "role": "x"} for each in ids]
            tx.insert(table, rows, fresh=True)  # type: ignore[call-overload]
    return member_id


def test_reading_its_collectors_takes_time_that_is_linear_in_their_number(world: World) -> None:
    """It was quadratic: 4 s of a core for these."""
    member_id = add(world, 20_000)
    with world.engine.read() as tx:
        started = time.thread_time()
        assert len(collectors_by_member(tx, [member_id])[member_id]) == 20_000
    assert time.thread_time() - started < 1


def test_it_can_be_changed_and_deleted_and_its_events_are_sent(world: World) -> None:
    """With all collectors in each event, the events of 1,100 were too long, and every change was rejected."""
    member_id = add(world, 4000)
    collector = "collections-003999-1234-1234-123456789012"
    webhook = world.add_webhook("flows/updated", "flows/deleted", flow_collected_by_ids=[collector])
    other = world.add_webhook("flows/updated", flow_collected_by_ids=["of-no-flow"])
    uncollected = world.add_webhook("flows/updated", flow_collected_by_ids=[])
    world.catalog.flows.set_tag(CALLER, member_id, "genre", "jingle")
    assert len(world.catalog.flows.get(CALLER, member_id)["collected_by"]) == 4000
    world.catalog.deletions.delete_flow(CALLER, member_id)
    assert max(len(str(row)) for row in world.rows("events")) < EVENT
    assert world.delivered_types(webhook) == ["flows/updated", "flows/deleted"]
    assert world.delivered_types(other) == []
    assert world.delivered_types(uncollected) == []
