"""What the tests of the consistency check share."""

from storage.catalog import Limits
from storage.catalog.check.findings import Finding
from storage.tables.conditions import equals
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import World

CHECK_LIMITS = Limits(min_object_timeout_s=600, object_grace_s=60, async_deletion_threshold=5, deletion_batch=2)
OLD_S = 661
"""Seconds after which no upload can be in progress."""


def fill(world: World) -> str:
    """Create a flow with five objects, o0 to o4, whose uploads have long been complete. Returns its id."""
    flow_id = world.make_flow()
    for n in range(5):
        world.add_object(flow_id, f"o{n}", at(n))
    world.clock.forward(OLD_S)
    return flow_id


def check(world: World, *, repair: bool = False, storage_id: str | None = None) -> list[Finding]:
    return list(world.catalog.consistency.check(repair=repair, storage_id=storage_id))


def kinds_and_ids(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return sorted((each.kind, each.object_id) for each in findings)


def repair_all(world: World) -> None:
    """Repair everything; assert that nothing is left."""
    assert all(each.repaired for each in check(world, repair=True))
    assert check(world) == []


def corrupt(world: World, table: str, values: dict[str, object] | None, **key: object) -> None:
    """Set columns of a row to values that the server would never write, or remove the row."""
    with world.engine.write() as tx:
        changed = tx.delete(table, equals(**key)) if values is None else tx.update(table, equals(**key), values)
    assert changed
