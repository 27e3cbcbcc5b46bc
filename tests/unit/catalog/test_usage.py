"""The bytes that principals have stored: what is charged, what is discharged, and the quota."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import StoredBytesQuota
from storage.catalog.caller import Caller
from storage.catalog.check.findings import UNCHARGED_BYTES, WRONG_USAGE
from storage.catalog.check.usage_totals import UsageTotals
from storage.errors import NotFound, QuotaExceeded
from storage.media.object_file import Upload
from storage.tables.conditions import equals
from storage.tables.transaction import Writer
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World, open_world

OTHER = Caller("other", frozenset({"admin"}))
QUOTA = 100
GRACE_S = 3600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, quota=StoredBytesQuota(QUOTA, {"other": None})) as world:
        yield world


def usage(world: World, principal: str = "tester") -> int:
    return {row["principal"]: int(row["bytes"]) for row in world.rows("usage")}.get(principal, 0)


def allocate(world: World, flow_id: str, *ids: str, caller: Caller = CALLER) -> None:
    world.catalog.allocation.allocate(caller, flow_id, {"object_ids": list(ids)}, BASE)


def upload(world: World, object_id: str, size: int) -> None:
    """Upload an object as the media plane does."""
    uploads = world.catalog.object_uploads
    target = uploads.find(object_id, DEFAULT_BACKEND)
    target.check_size(size)
    received: Upload = world.stores[DEFAULT_BACKEND].begin(object_id, target.content_type)
    received.add(b"x" * size)
    received.complete()
    try:
        uploads.publish(target, received, only_new=False)
    finally:
        received.abort()


def register(world: World, flow_id: str, object_id: str) -> None:
    assert world.register(flow_id, {"object_id": object_id, "timerange": "[0:0_1:0)"}) == []


def collect(world: World) -> None:
    world.clock.forward(GRACE_S)
    while world.catalog.remove_expired():
        pass


def test_uploads_are_charged_to_the_principal_that_allocated(world: World) -> None:
    flow_id = world.make_flow()
    allocate(world, flow_id, "a", "b")
    allocate(world, flow_id, "c", caller=OTHER)
    for object_id, size in (("a", 10), ("b", 20), ("c", 70)):
        upload(world, object_id, size)
    assert (usage(world), usage(world, "other")) == (30, 70)


def test_a_repeated_upload_is_charged_once(world: World) -> None:
    allocate(world, world.make_flow(), "a")
    for size in (10, 60, 50):
        upload(world, "a", size)
    assert usage(world) == 50


def test_an_upload_beyond_the_quota_leaves_nothing(world: World) -> None:
    allocate(world, world.make_flow(), "a", "b")
    upload(world, "a", 60)
    target = world.catalog.object_uploads.find("b", DEFAULT_BACKEND)
    with pytest.raises(QuotaExceeded, match="tester would exceed its quota"):
        target.check_size(41)
    with pytest.raises(QuotaExceeded):
        upload(world, "b", 41)
    assert not world.has_bytes("b")
    assert usage(world) == 60
    upload(world, "b", 40)
    assert usage(world) == QUOTA


def test_uploads_that_end_together_do_not_exceed_the_quota(world: World) -> None:
    """Both find room when they begin."""
    allocate(world, world.make_flow(), "a", "b")
    target = world.catalog.object_uploads.find("b", DEFAULT_BACKEND)
    upload(world, "a", 60)
    late = world.stores[DEFAULT_BACKEND].begin("b", target.content_type)
    late.add(b"x" * 60)
    late.complete()
    with pytest.raises(QuotaExceeded):
        world.catalog.object_uploads.publish(target, late, only_new=False)
    late.abort()
    assert not world.has_bytes("b")
    assert usage(world) == 60


def test_an_upload_locks_its_object_before_the_usage_of_its_owner(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of registration and removal, so that no two of them wait for each other."""
    allocate(world, world.make_flow(), "a")
    with world.engine.write() as tx:
        kind = type(tx)
    order: list[str] = []
    update = kind.update

    def noted_update(tx: Writer, table: str, *rest: Any) -> int:
        order.append(table)
        return update(tx, table, *rest)

    monkeypatch.setattr(kind, "lock", lambda _, *names: order.extend(names))
    monkeypatch.setattr(kind, "update", noted_update)
    upload(world, "a", 1)
    assert order[:2] == ["objects", "usage:tester"]


def test_a_larger_repetition_beyond_the_quota_leaves_the_first(world: World) -> None:
    allocate(world, world.make_flow(), "a")
    upload(world, "a", 60)
    with pytest.raises(QuotaExceeded):
        upload(world, "a", QUOTA + 1)
    assert usage(world) == 60
    stored = world.stores[DEFAULT_BACKEND].stat("a")
    assert stored is not None and stored.size == 60


def test_nothing_is_allocated_once_the_quota_is_used(world: World) -> None:
    flow_id = world.make_flow()
    allocate(world, flow_id, "a")
    upload(world, "a", QUOTA)
    with pytest.raises(QuotaExceeded):
        allocate(world, flow_id, "b")
    allocate(world, flow_id, "b", caller=OTHER)


def test_removed_objects_are_discharged(world: World) -> None:
    flow_id = world.make_flow()
    allocate(world, flow_id, "a", "never registered")
    upload(world, "a", 60)
    upload(world, "never registered", 30)
    register(world, flow_id, "a")
    collect(world)
    assert usage(world) == 60
    world.delete_segments(flow_id)
    assert usage(world) == 60
    collect(world)
    assert usage(world) == 0


def test_an_upload_to_a_removed_object_is_not_charged(world: World) -> None:
    allocate(world, world.make_flow(), "a")
    target = world.catalog.object_uploads.find("a", DEFAULT_BACKEND)
    collect(world)
    late = world.stores[DEFAULT_BACKEND].begin("a", target.content_type)
    late.complete()
    with pytest.raises(NotFound):
        world.catalog.object_uploads.publish(target, late, only_new=False)
    late.abort()
    assert usage(world) == 0


def test_copies_are_charged_to_those_who_have_them_made(world: World) -> None:
    flow_id = world.make_flow()
    allocate(world, flow_id, "a")
    upload(world, "a", 60)
    register(world, flow_id, "a")
    world.catalog.copies.copy(OTHER, "a", SECOND_BACKEND)
    assert (usage(world), usage(world, "other")) == (60, 60)
    world.catalog.objects.remove_instance(CALLER, "a", SECOND_BACKEND, None)
    assert (usage(world), usage(world, "other")) == (60, 0)


def test_nothing_is_copied_once_the_quota_is_used(world: World) -> None:
    flow_id = world.make_flow()
    allocate(world, flow_id, "a")
    upload(world, "a", QUOTA)
    register(world, flow_id, "a")
    with pytest.raises(QuotaExceeded):
        world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    assert world.rows("jobs") == []


def test_usage_stays_right_when_the_quota_is_switched_off(tmp_path: Path) -> None:
    with open_world(tmp_path, quota=StoredBytesQuota(QUOTA)) as world:
        flow_id = world.make_flow()
        allocate(world, flow_id, "a", "b")
        upload(world, "a", 60)
    with open_world(tmp_path) as world:
        upload(world, "b", 1000)
        assert usage(world) == 60
        collect(world)
        assert usage(world) == 0


def test_a_check_finds_and_corrects_a_wrong_usage(world: World) -> None:
    allocate(world, world.make_flow(), "a")
    upload(world, "a", 60)
    with world.engine.write() as tx:
        tx.update("usage", equals(principal="tester"), {"bytes": 5})
    check = world.catalog.consistency.check
    assert [finding.kind for finding in check()] == [WRONG_USAGE]
    assert usage(world) == 5
    [repaired] = check(repair=True)
    assert (repaired.kind, repaired.repaired) == (WRONG_USAGE, True)
    assert repaired.detail == "60 bytes are charged to tester, 5 are recorded"
    assert usage(world) == 60
    assert list(check()) == []


def test_a_repair_charges_what_was_stored_before_there_was_a_quota(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        flow_id = world.make_flow()
        allocate(world, flow_id, "a", "b")
        upload(world, "a", QUOTA + 50)
        upload(world, "b", 10)
        register(world, flow_id, "a")
        assert world.rows("usage") == []
    with open_world(tmp_path, quota=StoredBytesQuota(QUOTA)) as world:
        check = world.catalog.consistency.check
        assert list(check()) == []  # an upload may still be in progress
        world.clock.forward(GRACE_S)
        [finding] = check()
        expected = "2 instances of objects of tester, with 160 bytes, are not charged"
        assert (finding.kind, finding.detail) == (UNCHARGED_BYTES, expected)
        assert [found.repaired for found in check(repair=True)] == [True]
        assert usage(world) == QUOTA + 60
        assert list(check()) == []


def test_two_repairs_of_the_same_finding_correct_it_once(world: World) -> None:
    allocate(world, world.make_flow(), "a")
    upload(world, "a", 60)
    [found] = world.rows("usage")
    totals = UsageTotals(world.catalog.segments._env, True, lambda _what, _count: None)
    assert [totals._correct({**found}, 5) for _ in range(2)] == [True, False]  # type: ignore[typeddict-item]
    assert usage(world) == 65
