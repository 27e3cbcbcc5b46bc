"""Two listings of segments, merged in the order of time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from tams_server.client import ClientError
from tams_server.client.documents import Segment
from tams_server.replication.comparison import Missing, Same, are_same, compare


def segment(object_id: str, timerange: str, **members: Any) -> Segment:
    return cast(Segment, {"object_id": object_id, "timerange": timerange, **members})


def at(second: int, object_id: str = "") -> Segment:
    return segment(object_id or f"o{second}", f"[{second}:0_{second + 1}:0)")


async def each(segments: Sequence[Segment]) -> AsyncIterator[Segment]:
    for one in segments:
        yield one


def compared(wanted: Sequence[Segment], there: Sequence[Segment]) -> list[tuple[str, str]]:
    """Kind and object of each difference."""

    async def collect() -> list[tuple[str, str]]:
        return [
            (type(difference).__name__, difference.segment["object_id"])
            async for difference in compare(each(wanted), each(there))
        ]

    return asyncio.run(collect())


def test_gaps_are_missing_wherever_they_are() -> None:
    assert compared([at(n) for n in range(5)], [at(1), at(3)]) == [
        (Missing.__name__, "o0"),
        (Same.__name__, "o1"),
        (Missing.__name__, "o2"),
        (Same.__name__, "o3"),
        (Missing.__name__, "o4"),
    ]


def test_what_only_the_target_has_is_surplus() -> None:
    assert compared([at(1)], [at(0), at(1), at(2)]) == [("Surplus", "o0"), ("Same", "o1"), ("Surplus", "o2")]
    assert compared([], [at(0)]) == [("Surplus", "o0")]


def test_other_content_at_the_same_time_is_a_conflict() -> None:
    assert compared([at(0), at(1)], [at(0, "x"), at(1)]) == [("Surplus", "x"), ("Conflicting", "o0"), ("Same", "o1")]


def test_a_segment_that_overlaps_several_conflicts_once_and_after_all_of_them() -> None:
    long = segment("long", "[0:0_3:0)")
    assert compared([long, at(3)], [at(0), at(1), at(2)]) == [
        ("Surplus", "o0"),
        ("Surplus", "o1"),
        ("Surplus", "o2"),
        ("Conflicting", "long"),
        ("Missing", "o3"),
    ]
    assert compared([at(0), at(1), at(3)], [long]) == [
        ("Surplus", "long"),
        ("Conflicting", "o0"),
        ("Conflicting", "o1"),
        ("Missing", "o3"),
    ]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (segment("o", "[0:0_1:0)"), True),
        (segment("o", "[0:0_0:999999999]"), True),
        (segment("o", "[0:0_1:0)", ts_offset="0:0", sample_offset=0), True),
        (segment("o", "[0:0_1:0)", last_duration="0:40000000"), True),
        (segment("o", "[0:0_1:0)", ts_offset="1:0"), False),
        (segment("o", "[0:0_1:0)", sample_count=3), False),
        (segment("p", "[0:0_1:0)"), False),
    ],
)
def test_segments_are_the_same_by_their_meaning(other: Segment, same: bool) -> None:
    assert are_same(segment("o", "[0:0_1:0)"), other) == same


def test_a_listing_out_of_order_is_an_error_and_not_a_difference() -> None:
    with pytest.raises(ClientError, match="order of time"):
        compared([at(1), at(0)], [])
