"""Timeranges as sets of instants: the laws they obey, and the limits of the tables."""

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
    """The instants near zero in the range."""
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
def test_ranges_are_equal_however_their_end_is_written(timerange: TimeRange, closed: bool) -> None:
    assert TimeRange(timerange.start, timerange.end, closed) == timerange


@given(ranges())
def test_a_range_covers_itself_unless_it_is_empty(timerange: TimeRange) -> None:
    assert timerange.covers(timerange) == (not timerange.is_empty)


@pytest.mark.behaviour("TR-05")
@given(ranges())
def test_the_empty_range_covers_nothing_and_is_covered_by_nothing(timerange: TimeRange) -> None:
    assert not EMPTY.covers(timerange)
    assert not timerange.covers(EMPTY)


@pytest.mark.behaviour("TR-04")
@given(ranges(ANY_NS))
def test_eternity_covers_every_range_that_is_not_empty(timerange: TimeRange) -> None:
    assert ETERNITY.covers(timerange) == (not timerange.is_empty)
    assert timerange.covers(ETERNITY) == (timerange == ETERNITY)


@given(ranges(), ranges())
def test_a_range_covers_another_if_it_contains_all_its_instants(outer: TimeRange, inner: TimeRange) -> None:
    assume(not outer.is_empty and not inner.is_empty)
    ends_alike = (outer.start is None or inner.start is not None) and (outer.end is None or inner.end is not None)
    assert outer.covers(inner) == (ends_alike and held(inner) <= held(outer))


@given(ranges(), ranges(), ranges())
def test_covering_is_transitive(first: TimeRange, second: TimeRange, third: TimeRange) -> None:
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
def test_the_intersection_contains_the_instants_of_both(one: TimeRange, other: TimeRange) -> None:
    assert held(one.intersection(other)) == held(one) & held(other)
    assert one.intersection(other) == other.intersection(one)


@given(ranges(), ranges(), ranges())
def test_intersection_is_associative(first: TimeRange, second: TimeRange, third: TimeRange) -> None:
    assert first.intersection(second).intersection(third) == first.intersection(second.intersection(third))


@given(ranges(ANY_NS))
def test_intersection_with_itself_or_eternity_changes_nothing(timerange: TimeRange) -> None:
    assert timerange.intersection(timerange) == timerange
    assert str(timerange.intersection(ETERNITY)) == str(timerange)
    assert timerange.intersection(EMPTY) == EMPTY


@given(ranges(), ranges())
def test_a_range_covers_another_if_the_intersection_equals_the_other(outer: TimeRange, inner: TimeRange) -> None:
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
def test_shifting_preserves_covering_and_intersection(one: TimeRange, other: TimeRange, offset: int) -> None:
    assert one.shifted(offset).covers(other.shifted(offset)) == one.covers(other)
    assert one.shifted(offset).intersection(other.shifted(offset)) == one.intersection(other).shifted(offset)


@pytest.mark.behaviour("TR-05")
@given(ANY_NS)
def test_the_empty_range_stays_empty_wherever_it_is_shifted(offset: int) -> None:
    assert EMPTY.shifted(offset) == EMPTY


# -- Limits of the tables


@pytest.mark.behaviour("TR-14")
@given(ranges(ANY_NS), st.builds(TimeRange, STORABLE_NS, STORABLE_NS))
def test_clamping_a_filter_loses_no_stored_range(wanted: TimeRange, stored: TimeRange) -> None:
    assume(not stored.is_empty)
    start, end = wanted.bounds
    assert EARLIEST <= start <= LATEST
    assert EARLIEST <= end <= LATEST
    assert stored.start is not None and stored.end is not None
    meets = stored.start < end and start < stored.end and start < end
    assert meets == (not wanted.intersection(stored).is_empty)


@given(ranges(STORABLE_NS))
def test_storable_bounds_are_not_changed(timerange: TimeRange) -> None:
    start, end = timerange.bounds
    assert start == (EARLIEST if timerange.start is None else timerange.start)
    assert end == (LATEST if timerange.end is None else timerange.end)


@pytest.mark.behaviour("SEG-POST-16", "SEG-POST-17", "A38")
@pytest.mark.parametrize(
    "text",
    ["_", "()", "[0:0_", "_0:0)", "[5:0_5:0)", "[10:0_0:0)", "(0:0_1:0)", "(5:0]", "(0:0_1:0]", "nonsense", ""],
)
def test_a_segment_must_have_a_finite_range_with_an_inclusive_start(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_bounded(text, "object_timerange")
    assert error.value.field == "object_timerange"


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
def test_a_segment_must_have_a_range_that_fits_the_tables(text: str) -> None:
    with pytest.raises(Invalid, match="64-bit"):
        parse_bounded(text)


@pytest.mark.behaviour("TR-03", "TR-06", "TR-14")
@given(st.builds(TimeRange, STORABLE_NS, STORABLE_NS, st.booleans()))
def test_a_segment_can_have_any_other_range(timerange: TimeRange) -> None:
    assume(not timerange.is_empty)
    assert parse_bounded(str(timerange)) == timerange
