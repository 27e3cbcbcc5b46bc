"""The content range that a flow's row records, on which every query for segments relies."""

from itertools import pairwise

import pytest

from storage.catalog import Limits
from storage.tables.conditions import equals
from tests.unit.catalogs import World

LIMITS = Limits(async_deletion_threshold=5, deletion_batch=2)

SECOND = 10**9


def _recorded_content(world: World, flow_id: str) -> tuple[float, float]:
    row = next(row for row in world.rows("flows") if row["id"] == flow_id)
    return row["content_start"] / SECOND, row["content_end"] / SECOND


def _fill(world: World, flow_id: str, *seconds: int) -> None:
    for second in seconds:
        world.allocate(flow_id, f"{flow_id}-{second}")
        segment = {"object_id": f"{flow_id}-{second}", "timerange": f"[{second}:0_{second + 1}:0)"}
        assert world.register(flow_id, segment) == []


def test_the_content_range_grows_with_segments_at_either_end(world: World) -> None:
    flow_id = world.make_flow()
    assert _recorded_content(world, flow_id) == (0, 0)
    _fill(world, flow_id, 100)
    assert _recorded_content(world, flow_id) == (100, 101)
    _fill(world, flow_id, 103, -5, 50)
    assert _recorded_content(world, flow_id) == (-5, 104)


@pytest.mark.parametrize(
    ("deleted", "left"),
    [
        ("[0:0_3:0)", (3, 10)),  # As in a ring buffer.
        ("_3:0)", (3, 10)),
        ("[7:0_", (0, 7)),
        ("[6:500000000_100:0)", (0, 7)),
        ("_2:500000000)", (2, 10)),
        ("[4:0_6:0)", (0, 10)),
        ("[20:0_30:0)", (0, 10)),
    ],
)
def test_the_content_range_shrinks_with_deletions_at_either_end(
    world: World, deleted: str, left: tuple[int, int]
) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(10))
    world.delete_segments(flow_id, deleted)
    world.run_background_work()
    assert _recorded_content(world, flow_id) == left


def test_the_content_range_is_empty_after_all_segments_are_deleted(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 5, 6)
    world.delete_segments(flow_id)
    assert _recorded_content(world, flow_id) == (0, 0)
    _fill(world, flow_id, 90)
    assert _recorded_content(world, flow_id) == (90, 91)


def test_the_content_range_is_exact_after_a_flow_delete_request(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(10))
    assert world.delete_segments(flow_id, "_8:0)") is not None
    world.run_background_work()
    assert _recorded_content(world, flow_id) == (8, 10)


def test_a_deletion_by_object_does_not_narrow_the_content_range(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 1, 2, 3)
    world.delete_segments(flow_id, object_id=f"{flow_id}-1")
    assert _recorded_content(world, flow_id) == (1, 4)
    assert len(world.timeranges(flow_id)) == 2


def test_a_registration_of_rejected_segments_only_changes_nothing(world: World) -> None:
    flow_id = world.make_flow()
    _fill(world, flow_id, 1)
    before = next(row for row in world.rows("flows") if row["id"] == flow_id)
    world.clock.forward(1)
    rejected = [
        {"object_id": "unknown", "timerange": "[50:0_51:0)"},
        {"object_id": f"{flow_id}-1", "timerange": "[1:0_2:0)"},
        {"object_id": "unknown", "timerange": "[9:0_8:0)"},
    ]
    assert len(world.register(flow_id, *rejected)) == 3
    assert next(row for row in world.rows("flows") if row["id"] == flow_id) == before


def test_failed_segments_are_in_the_order_of_the_request(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "good")
    items = [
        {"object_id": "unknown", "timerange": "[5:0_6:0)"},
        {"object_id": "good", "timerange": "[0:0_1:0)"},
        {"object_id": "good", "timerange": "[3:0_2:0)"},
        {"object_id": "good", "timerange": "[0:0_1:0)"},
    ]
    errors = world.register(flow_id, *items)
    assert [error.behaviour for error in errors] == ["SEG-POST-08", "SEG-POST-17", "SEG-POST-22"]
    assert world.timeranges(flow_id) == ["[0:0_1:0)"]


def test_an_unrecorded_content_range_is_measured(world: World) -> None:
    """As in tables that an earlier release wrote."""
    flow_id = world.make_flow()
    _fill(world, flow_id, 10, 20)
    with world.engine.write() as tx:
        tx.update("flows", equals(id=flow_id), {"content_start": None, "content_end": None})
    assert world.timeranges(flow_id) == ["[10:0_11:0)", "[20:0_21:0)"]
    world.allocate(flow_id, "again")
    overlapping = {"object_id": "again", "timerange": "[10:0_11:0)"}
    assert [error.behaviour for error in world.register(flow_id, overlapping)] == ["SEG-POST-22"]
    _fill(world, flow_id, 5)
    assert _recorded_content(world, flow_id) == (5, 21)


def test_overlap_is_rejected_after_deletions_at_the_ends_and_in_the_middle(world: World) -> None:
    """Time is occupied, freed at the ends and in the middle, and occupied again."""
    flow_id = world.make_flow()
    _fill(world, flow_id, *range(8))
    for deleted in ("_2:0)", "[6:0_", "[3:0_4:0)"):
        world.delete_segments(flow_id, deleted)
    world.allocate(flow_id, *(f"again-{n}" for n in range(-1, 9)))
    for n in range(-1, 9):
        is_occupied = n in (2, 4, 5)
        segment = {"object_id": f"again-{n}", "timerange": f"[{n}:0_{n}:999999999]" if n >= 0 else "[-1:0_0:0)"}
        assert bool(world.register(flow_id, segment)) is is_occupied, n
    starts = [int(text[1:].partition(":")[0]) for text in world.timeranges(flow_id)]
    assert starts == sorted(starts) == list(range(-1, 9))
    assert all(later - earlier == 1 for earlier, later in pairwise(starts))
