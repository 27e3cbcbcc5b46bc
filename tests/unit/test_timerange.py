"""Timeranges as sets of instants: the laws that they keep, and what the tables hold of them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storage.errors import Invalid
from storage.timerange import (
    EARLIEST,
    EMPTY,
    ETERNITY,
    LATEST,
    TimeRange,
    format_timestamp,
    parse_bounded,
    parse_timerange,
)
from tests.unit.instants import ANY_NS, NEAR, instant, ranges

STORABLE_NS = st.integers(EARLIEST + 1, LATEST - 1)


def held(timerange: TimeRange) -> set[int]:
    """The instants near zero that lie in the range."""
    return {ns for ns in range(-8, 9) if timerange.covers(instant(ns))}


@pytest.mark.behaviour("TR-05", "TR-11", "TR-12")
@given(start=NEAR, length=st.integers(-3, 0), closed=st.booleans())
def test_every_empty_range_is_the_empty_range(start: int, length: int, closed: bool) -> None:
    empty = TimeRange(start, start + length, closed)
    assert empty == EMPTY
    assert hash(empty) == hash(EMPTY)
    assert empty.is_empty
    assert str(empty) == "()"


@pytest.mark.behaviour("TR-15")
@given(ranges())
def test_a_range_with_an_instant_in_it_is_not_empty(timerange: TimeRange) -> None:
    assert timerange.is_empty == (not held(timerange))


@given(ranges(), st.booleans())
def test_how_an_end_was_written_does_not_tell_ranges_apart(timerange: TimeRange, closed: bool) -> None:
    assert TimeRange(timerange.start, timerange.end, closed) == timerange


@given(ranges())
def test_a_range_covers_itself_unless_it_is_empty(timerange: TimeRange) -> None:
    assert timerange.covers(timerange) == (not timerange.is_empty)


@pytest.mark.behaviour("TR-05")
@given(ranges())
def test_the_empty_range_covers_nothing_and_lies_in_nothing(timerange: TimeRange) -> None:
    assert not EMPTY.covers(timerange)
    assert not timerange.covers(EMPTY)


@pytest.mark.behaviour("TR-04")
@given(ranges(ANY_NS))
def test_all_time_covers_every_range_with_content(timerange: TimeRange) -> None:
    assert ETERNITY.covers(timerange) == (not timerange.is_empty)
    assert timerange.covers(ETERNITY) == (timerange == ETERNITY)


@given(ranges(), ranges())
def test_covering_is_to_hold_every_instant_of_the_other(outer: TimeRange, inner: TimeRange) -> None:
    assume(not outer.is_empty and not inner.is_empty)
    ends_alike = (outer.start is None or inner.start is not None) and (outer.end is None or inner.end is not None)
    assert outer.covers(inner) == (ends_alike and held(inner) <= held(outer))


@given(ranges(), ranges(), ranges())
def test_covering_passes_on(first: TimeRange, second: TimeRange, third: TimeRange) -> None:
    middle = first.intersection(second)
    inmost = middle.intersection(third)
    assume(not inmost.is_empty)
    assert first.covers(middle)
    assert middle.covers(inmost)
    assert first.covers(inmost)


@given(ranges(), ranges())
def test_ranges_that_cover_each_other_are_equal(one: TimeRange, other: TimeRange) -> None:
    assert (one.covers(other) and other.covers(one)) == (one == other and not one.is_empty)


@pytest.mark.behaviour("TR-15")
@given(ranges(), ranges())
def test_the_intersection_holds_the_instants_of_both(one: TimeRange, other: TimeRange) -> None:
    assert held(one.intersection(other)) == held(one) & held(other)
    assert one.intersection(other) == other.intersection(one)


@given(ranges(), ranges(), ranges())
def test_intersections_may_be_taken_in_any_order(first: TimeRange, second: TimeRange, third: TimeRange) -> None:
    assert first.intersection(second).intersection(third) == first.intersection(second.intersection(third))


@given(ranges(ANY_NS))
def test_intersection_with_itself_or_all_time_changes_nothing(timerange: TimeRange) -> None:
    assert timerange.intersection(timerange) == timerange
    assert str(timerange.intersection(ETERNITY)) == str(timerange)
    assert timerange.intersection(EMPTY) == EMPTY


@given(ranges(), ranges())
def test_what_covers_another_meets_it_in_the_whole_of_it(outer: TimeRange, inner: TimeRange) -> None:
    assume(not inner.is_empty)
    assert outer.covers(inner) == (outer.intersection(inner) == inner)


@pytest.mark.behaviour("TR-15")
@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("[0:0_1:0)", "[1:0_2:0)", "()"),
        ("[0:0_1:0]", "[1:0_2:0)", "[1:0]"),
        ("[0:0_1:0]", "(1:0_2:0)", "()"),
        ("[0:0_10:0]", "[5:0_", "[5:0_10:0]"),
        ("_10:0)", "[5:0_10:0]", "[5:0_10:0)"),
        ("_", "[5:0]", "[5:0]"),
    ],
)
def test_ranges_that_touch_share_only_instants_that_both_include(one: str, other: str, shared: str) -> None:
    assert str(parse_timerange(one).intersection(parse_timerange(other))) == shared


@given(ranges(), st.integers(-4, 4))
def test_shifting_moves_every_instant(timerange: TimeRange, offset: int) -> None:
    moved = {ns for ns in range(-4, 5) if timerange.covers(instant(ns - offset))}
    assert held(timerange.shifted(offset)) & set(range(-4, 5)) == moved


@given(ranges(ANY_NS), ANY_NS, ANY_NS)
def test_shifting_there_and_back_changes_nothing(timerange: TimeRange, first: int, second: int) -> None:
    assert str(timerange.shifted(first).shifted(-first)) == str(timerange)
    assert timerange.shifted(first).shifted(second) == timerange.shifted(first + second)


@given(ranges(), ranges(), ANY_NS)
def test_shifting_keeps_how_ranges_lie_to_each_other(one: TimeRange, other: TimeRange, offset: int) -> None:
    assert one.shifted(offset).covers(other.shifted(offset)) == one.covers(other)
    assert one.shifted(offset).intersection(other.shifted(offset)) == one.intersection(other).shifted(offset)


@pytest.mark.behaviour("TR-05")
@given(ANY_NS)
def test_the_empty_range_stays_empty_wherever_it_is_shifted(offset: int) -> None:
    assert EMPTY.shifted(offset) == EMPTY


# -- What the tables hold


@pytest.mark.behaviour("TR-14")
@given(ranges(ANY_NS), st.builds(TimeRange, STORABLE_NS, STORABLE_NS))
def test_cutting_a_filter_to_the_tables_loses_no_stored_range(wanted: TimeRange, stored: TimeRange) -> None:
    assume(not stored.is_empty)
    start, end = wanted.bounds
    assert EARLIEST <= start <= LATEST
    assert EARLIEST <= end <= LATEST
    assert stored.start is not None and stored.end is not None
    meets = stored.start < end and start < stored.end and start < end
    assert meets == (not wanted.intersection(stored).is_empty)


@given(ranges(STORABLE_NS))
def test_storable_bounds_are_taken_as_they_are(timerange: TimeRange) -> None:
    start, end = timerange.bounds
    assert start == (EARLIEST if timerange.start is None else timerange.start)
    assert end == (LATEST if timerange.end is None else timerange.end)


@pytest.mark.behaviour("SEG-POST-16", "SEG-POST-17", "A38")
@pytest.mark.parametrize(
    "text",
    ["_", "()", "[0:0_", "_0:0)", "[5:0_5:0)", "[10:0_0:0)", "(0:0_1:0)", "(5:0]", "(0:0_1:0]", "nonsense", ""],
)
def test_a_segment_takes_no_range_that_is_empty_open_or_without_its_start(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_bounded(text, "object_timerange")
    assert refusal.value.field == "object_timerange"


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize(
    "text",
    [
        "[281474976710655:0_281474976710656:0)",
        f"[0:0_{format_timestamp(LATEST)})",
        f"[0:0_{format_timestamp(LATEST - 1)}]",
        f"[{format_timestamp(EARLIEST)}_0:0)",
    ],
)
def test_a_segment_takes_no_range_that_does_not_fit_the_tables(text: str) -> None:
    with pytest.raises(Invalid, match="64-bit"):
        parse_bounded(text)


@pytest.mark.behaviour("TR-03", "TR-06", "TR-14")
@given(st.builds(TimeRange, STORABLE_NS, STORABLE_NS, st.booleans()))
def test_a_segment_takes_every_other_range(timerange: TimeRange) -> None:
    assume(not timerange.is_empty)
    assert parse_bounded(str(timerange)) == timerange
