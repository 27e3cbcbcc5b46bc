"""Where a flow has its content, which its row tells and every look for segments relies on."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from storage.catalog import Limits
from storage.tables.conditions import equals
from tests.unit.catalogs import World, open_world

SECOND = 10**9


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(async_deletion_threshold=5, deletion_batch=2)) as world:
        yield world


def _content(world: World, flow_id: str) -> tuple[float, float]:
    row = next(row for row in world.rows("flows") if row["id"] == flow_id)
    return row["content_start"] / SECOND, row["content_end"] / SECOND


def _fill(world: World, flow_id: str, *seconds: int) -> None:
    for second in seconds:
        world.allocate(flow_id, f"{flow_id}-{second}")
        segment = {"object_id": f"{flow_id}-{second}", "timerange": f"[{second}:0_{second + 1}:0)"}
        assert world.register(flow_id, segment) == []


def test_it_grows_with_segments_at_either_end(world: World) -> None:
    flow_id = world.make_flow()
    assert _content(world, flow_id) == (0, 0)
    _fill(world, flow_id, 100)
    assert _content(world, flow_id) == (100, 101)
    _fill(world, flow_id, 103, -5, 50)
    assert _content(world, flow_id) == (-5, 104)


@pytest.mark.parametrize(
    ("deleted", "left"),
    [
        ("[0:0_3:0)", (3, 10)),  # What a ring buffer does.
        ("_3:0)", (3, 10)),
        ("[7:0_", (0, 7)),
        ("[6:500000000_100:0)", (0, 7)),
        ("_2:500000000)", (2, 10)),
        ("[4:0_6:0)", (0, 10)),
        ("[20:0_30:0)", (0, 10)),
    ],
)
def test_it_shrinks_with_what_is_deleted_at_an_end(world: World, deleted: str, left: tuple[int, int]) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(10))
    world.delete_segments(flow_id, deleted)
    world.run_background_work()
    assert _content(world, flow_id) == left


def test_it_is_empty_once_all_is_deleted_and_starts_anew(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 5, 6)
    world.delete_segments(flow_id)
    assert _content(world, flow_id) == (0, 0)
    _fill(world, flow_id, 90)
    assert _content(world, flow_id) == (90, 91)


def test_a_long_deletion_leaves_it_right(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(10))
    assert world.delete_segments(flow_id, "_8:0)") is not None
    world.run_background_work()
    assert _content(world, flow_id) == (8, 10)


def test_what_is_deleted_by_object_does_not_narrow_it(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 1, 2, 3)
    world.delete_segments(flow_id, object_id=f"{flow_id}-1")
    assert _content(world, flow_id) == (1, 4)
    assert len(world.timeranges(flow_id)) == 2


def test_a_request_that_is_refused_whole_changes_nothing(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 1)
    before = next(row for row in world.rows("flows") if row["id"] == flow_id)
    world.clock.forward(1)
    refused = [
        {"object_id": "unknown", "timerange": "[50:0_51:0)"},
        {"object_id": f"{flow_id}-1", "timerange": "[1:0_2:0)"},
        {"object_id": "unknown", "timerange": "[9:0_8:0)"},
    ]
    assert len(world.register(flow_id, *refused)) == 3
    assert next(row for row in world.rows("flows") if row["id"] == flow_id) == before


def test_failures_come_in_the_order_of_the_items(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "good")
    items = [
        {"object_id": "unknown", "timerange": "[5:0_6:0)"},
        {"object_id": "good", "timerange": "[0:0_1:0)"},
        {"object_id": "good", "timerange": "[3:0_2:0)"},
        {"object_id": "good", "timerange": "[0:0_1:0)"},
    ]
    refused = world.register(flow_id, *items)
    assert [refusal.behaviour for refusal in refused] == ["SEG-POST-08", "SEG-POST-17", "SEG-POST-22"]
    assert world.timeranges(flow_id) == ["[0:0_1:0)"]


def test_a_flow_whose_content_is_not_known_yet_is_looked_into(world: World) -> None:
    """As the tables of an earlier release have it."""
    flow_id = world.make_flow()
    _fill(world, flow_id, 10, 20)
    with world.engine.write() as tx:
        tx.update("flows", equals(id=flow_id), {"content_start": None, "content_end": None})
    assert world.timeranges(flow_id) == ["[10:0_11:0)", "[20:0_21:0)"]
    world.allocate(flow_id, "again")
    overlapping = {"object_id": "again", "timerange": "[10:0_11:0)"}
    assert [refusal.behaviour for refusal in world.register(flow_id, overlapping)] == ["SEG-POST-22"]
    _fill(world, flow_id, 5)
    assert _content(world, flow_id) == (5, 21)


def test_nothing_overlaps_whatever_was_deleted_before(world: World) -> None:
    """Places are taken, given up at the ends and in the middle, and taken again."""
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(8))
    for deleted in ("_2:0)", "[6:0_", "[3:0_4:0)"):
        world.delete_segments(flow_id, deleted)
    world.allocate(flow_id, *(f"again-{n}" for n in range(-1, 9)))
    for n in range(-1, 9):
        is_taken = n in (2, 4, 5)
        segment = {"object_id": f"again-{n}", "timerange": f"[{n}:0_{n}:999999999]" if n >= 0 else "[-1:0_0:0)"}
        assert bool(world.register(flow_id, segment)) is is_taken, n
    starts = [int(text[1:].partition(":")[0]) for text in world.timeranges(flow_id)]
    assert starts == sorted(starts) == list(range(-1, 9))
    assert all(later - earlier == 1 for earlier, later in pairwise(starts))
