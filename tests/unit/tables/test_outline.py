"""Outlines contain the content, are found by exactly the timeranges that they overlap, and seldom change."""

import itertools
import random

import pytest

from storage.tables.conditions import Compare, Condition, In
from storage.tables.outline import EMPTY_NODE, END, NODE, START, outline_columns, overlapping, without_content

SECOND = 10**9
LOWEST, HIGHEST = -(2**63), 2**63 - 1
NOW = 1_700_000_000 * SECOND


def _holds(row: dict[str, int], condition: Condition) -> bool:
    if isinstance(condition, In):
        return row[condition.column] in condition.values
    assert isinstance(condition, Compare)
    value = row[condition.column]
    other: int = condition.value
    return {
        "==": value == other,
        "<": value < other,
        ">": value > other,
        ">=": value >= other,
    }[condition.operator]


def _random_span(numbers: random.Random) -> tuple[int, int]:
    about = numbers.choice([0, NOW, LOWEST, HIGHEST - 1])
    start = about + numbers.randrange(-(1 << numbers.choice([4, 36, 63])), 1 << numbers.choice([4, 36, 63]))
    start = min(max(start, LOWEST), HIGHEST - 1)
    return start, min(start + 1 + numbers.randrange(1 << numbers.choice([1, 30, 45, 63])), HIGHEST)


def test_a_timerange_finds_each_outline_that_it_overlaps_once_and_no_other() -> None:
    numbers = random.Random(1)
    found = 0
    for _ in range(3_000):
        row = outline_columns(*_random_span(numbers))
        start, end = _random_span(numbers)
        met = sum(all(_holds(row, each) for each in part) for part in overlapping(start, end))
        assert met == (row[START] < end and start < row[END])
        found += met
    assert 300 < found < 2_700


def test_an_outline_contains_the_content() -> None:
    numbers = random.Random(2)
    for _ in range(1_000):
        start, end = _random_span(numbers)
        row = outline_columns(start, end)
        assert LOWEST <= row[START] <= start < end <= row[END] <= HIGHEST
        assert row[START] <= row[NODE] < row[END]


@pytest.mark.parametrize("span", [(LOWEST, HIGHEST), (LOWEST, LOWEST + 1), (HIGHEST - 1, HIGHEST), (-1, 1), (0, 1)])
def test_no_content_is_told_apart_from_any(span: tuple[int, int]) -> None:
    (is_empty,) = without_content()
    assert not _holds(outline_columns(*span), is_empty)
    empty = outline_columns(0, 0)
    assert empty[NODE] == EMPTY_NODE
    assert _holds(empty, is_empty)
    assert not any(all(_holds(empty, each) for each in part) for part in overlapping(*span))


def test_the_outline_of_a_live_flow_changes_seldom() -> None:
    outlines = [outline_columns(NOW, NOW + n * SECOND) for n in range(1, 3_601)]
    changes = sum(one != other for one, other in itertools.pairwise(outlines))
    assert changes < 100
