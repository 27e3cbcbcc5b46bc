"""Conditions that bound one column, merged into one lower and one upper bound."""

import itertools
from typing import Any

import pytest

from storage.tables.conditions import Compare, Condition, In, Overlaps, equals
from storage.tables.sql.bounds import OverlapsFrom, Place, with_one_bound, without_fixed_columns

MINE = equals(flow_id="f")


def merged(*where: Condition, order: tuple[str, ...] = (), descending: bool = False, after: Any = None) -> Any:
    return with_one_bound("segments", [*MINE, *where], order, descending, after)


def test_the_tighter_bounds_remain() -> None:
    where, _ = merged(
        Compare("start_ns", ">=", 5),
        Compare("start_ns", "<", 90),
        Compare("start_ns", ">", 5),
        Compare("start_ns", "<=", 90),
        Compare("end_ns", ">", 7),
    )
    assert set(where) == {
        *MINE,
        Compare("start_ns", ">", 5),
        Compare("start_ns", "<", 90),
        Compare("end_ns", ">", 7),
    }


@pytest.mark.parametrize(
    ("descending", "bound"), [(False, Compare("start_ns", ">", 50)), (True, Compare("start_ns", "<", 50))]
)
def test_a_page_key_is_a_bound(descending: bool, bound: Compare) -> None:
    where, after = merged(
        Compare("start_ns", ">=", 0),
        Compare("start_ns", "<", 99),
        order=("start_ns",),
        descending=descending,
        after=[50],
    )
    assert after is None
    assert bound in where
    assert len(where) == 3


def test_a_page_key_of_several_columns_is_left_alone() -> None:
    where = [Compare("created", ">", 1)]
    assert with_one_bound("flows", where, ("created", "id"), False, [1, "a"]) == (where, [1, "a"])


def test_a_lower_bound_inside_the_overlap_saves_looking_for_the_first_span() -> None:
    where, _ = merged(Overlaps(10, 90), Compare("start_ns", ">=", 10), Compare("start_ns", "<", 95))
    assert set(where) == {*MINE, Compare("start_ns", ">=", 10), Compare("start_ns", "<", 90)}


def test_a_lower_bound_before_the_overlap_is_kept_with_it() -> None:
    """The span at the start of the overlap may begin before the bound, and was on the page before."""
    where, _ = merged(Overlaps(10, 90), Compare("start_ns", ">", 8), Compare("start_ns", "<=", 50))
    assert set(where) == {*MINE, OverlapsFrom(10, 51, 9)}


def test_conditions_without_bounds_are_left_alone() -> None:
    where = [*MINE, In("start_ns", [1, 2]), Compare("object_id", "!=", "o")]
    assert with_one_bound("segments", where, ("start_ns",), False, None) == (where, None)


def selected(where: Any, order: Any, descending: bool, after: Any, spans: list[tuple[int, int]]) -> list[int]:
    """What the conditions mean, told row by row."""

    def meets(condition: Any, start: int, end: int) -> bool:
        match condition:
            case Compare("flow_id"):
                return True
            case OverlapsFrom(from_, until, floor):
                return start < until and end > from_ and start >= floor
            case Overlaps(from_, until):
                return start < until and end > from_
            case Compare("start_ns", sign, value):
                return bool({"<": start < value, "<=": start <= value, ">": start > value, ">=": start >= value}[sign])
        raise AssertionError(condition)

    found = [start for start, end in spans if all(meets(each, start, end) for each in where)]
    if after is not None:
        found = [start for start in found if (start < after[0] if descending else start > after[0])]
    return found


def test_no_combination_of_bounds_selects_other_rows() -> None:
    spans = [(0, 10), (10, 12), (15, 20), (20, 40)]
    points = [-5, 0, 9, 10, 12, 16, 20, 45]
    tried = 0
    for least, greatest, start, end, after, descending in itertools.product(
        [None, 0, 10, 16], [None, 10, 20, 99], points[::2], points[1::2], [None, 0, 10, 15, 20], [False, True]
    ):
        where: list[Condition] = [*MINE, Overlaps(start, end)]
        where += [] if least is None else [Compare("start_ns", ">=", least)]
        where += [] if greatest is None else [Compare("start_ns", "<", greatest)]
        key = None if after is None else [after]
        new_where, new_key = with_one_bound("segments", where, ("start_ns",), descending, key)
        assert selected(new_where, (), descending, new_key, spans) == selected(where, (), descending, key, spans)
        tried += 1
    assert tried > 1000


ORDER = ("unlabelled", "label", "id")


def test_columns_of_one_value_are_left_out_of_the_order() -> None:
    where = equals(unlabelled=False, label="x")
    place = Place(ORDER, after=[False, "x", "a"], until=[False, "x", "b"])
    assert without_fixed_columns(where, place) == Place(["id"], ["a"], ["b"])
    assert without_fixed_columns(where, Place(ORDER)) == Place(["id"])


def test_the_last_column_stays_where_all_have_one_value() -> None:
    where = equals(unlabelled=False, label="x", id="a")
    assert without_fixed_columns(where, Place(ORDER, [False, "x", "a"])) == Place(["id"], ["a"])


def test_limits_of_another_value_stay_as_they_are() -> None:
    place = Place(ORDER, after=[False, "w", "a"])
    assert without_fixed_columns(equals(label="x"), place) is place
    other = Place(ORDER)
    assert without_fixed_columns(equals(format="x"), other) is other
