"""Removal of bytes when some objects cannot be removed: the others are, whatever the order of their ids."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from storage.catalog import Limits
from storage.catalog.job_kinds import REMOVAL
from storage.errors import Unavailable
from tests.unit.catalogs import DEFAULT_BACKEND, World, open_world

BATCH = 3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(removal_batch=BATCH)) as world:
        yield world


def make_garbage(world: World, *object_ids: str) -> None:
    """Make objects without references, whose bytes are to be removed."""
    flow = world.make_flow()
    for number, object_id in enumerate(object_ids):
        world.add_object(flow, object_id, f"[{number}:0_{number + 1}:0)")
    world.delete_segments(flow)
    world.clock.forward(3600)
    while world.run_background_pass():
        pass


def keep(world: World, monkeypatch: pytest.MonkeyPatch, *kept: str) -> None:
    """Make the store unable to remove these objects; it fails if it can remove none."""
    store = world.stores[DEFAULT_BACKEND]
    delete_many = store.delete_many

    def delete_others(names: Iterable[str]) -> list[str]:
        wanted = list(names)
        removed = delete_many([name for name in wanted if not name.startswith(kept)])
        if wanted and not removed:
            raise Unavailable("permission denied")
        return removed

    monkeypatch.setattr(store, "delete_many", delete_others)


def run_removals(world: World, times: int) -> None:
    for _ in range(times):
        for claim in world.claim(REMOVAL):
            world.run_job(claim)
        world.clock.forward(600)


@pytest.mark.parametrize("kept", [1, BATCH, BATCH + 1, 3 * BATCH])
def test_objects_that_cannot_be_removed_do_not_keep_others(
    world: World, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    first = [f"a{number:02}" for number in range(kept)]
    others = [f"b{number:02}" for number in range(BATCH + 1)]
    make_garbage(world, *first, *others)
    keep(world, monkeypatch, *first)
    run_removals(world, 8)
    assert [object_id for object_id in others if world.has_bytes(object_id)] == []
    assert [row["object_id"] for row in world.rows("garbage")] == first
    assert world.jobs("waiting") == [(REMOVAL, "waiting")]


def test_what_could_not_be_removed_is_removed_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"a{number}" for number in range(2 * BATCH)]
    make_garbage(world, *ids)
    with monkeypatch.context() as patched:
        keep(world, patched, *ids[:4])
        run_removals(world, 4)
    assert len(world.rows("garbage")) == 4
    run_removals(world, 2)
    assert world.rows("garbage") == []
    assert world.jobs() == []
    assert not any(world.has_bytes(object_id) for object_id in ids)
