"""Merges of rows with one of several values return the first ones, each once, however the values are distributed."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from storage.tables.sql.merging import Place, merge_shares, merge_unions, padded

LIMIT = 10
DISTRIBUTIONS = {
    "even": [40] * 5,
    "one frequent": [200, 1, 0, 2, 1],
    "few": [1, 0, 2, 0, 0],
    "none": [0] * 5,
    "many values": [3] * 130,
    "one value": [50],
}


def rows_of(counts: Sequence[int], seed: int) -> dict[int, list[Place]]:
    """By value, places of which some have several values."""
    chance = random.Random(seed)
    places = [(chance.randrange(1000), f"id-{number}") for number in range(max(sum(counts), 1))]
    return {value: chance.sample(places, min(count, len(places))) for value, count in enumerate(counts)}


def ordered(places: Any, after: Sequence[Any] | None, *, descending: bool) -> list[Place]:
    left = [each for each in places if after is None or (each < tuple(after) if descending else each > tuple(after))]
    return sorted(left, reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("counts", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_merges_return_the_first_places(counts: Sequence[int], descending: bool) -> None:
    for seed in range(20):
        rows = rows_of(counts, seed)
        everything = set().union(*rows.values())
        for after in (None, (500, "id-3")):
            expected = ordered(everything, after, descending=descending)[:LIMIT]

            def read_union(values: Sequence[Any], after: Any = after, rows: Any = rows) -> list[Place]:
                places = set().union(*(rows[value] for value in values))
                return ordered(places, after, descending=descending)[:LIMIT]

            def read_shares(start: Any, share: int, rows: Any = rows) -> list[Place]:
                assert share <= LIMIT
                found = [
                    (*place, number)
                    for places in rows.values()
                    for number, place in enumerate(ordered(places, start, descending=descending)[:share], start=1)
                ]
                return sorted(found, key=lambda row: row[:-1], reverse=descending)[:LIMIT]

            assert merge_unions(read_union, list(rows), LIMIT, descending=descending) == expected
            assert merge_shares(read_shares, len(rows), LIMIT, after=after) == expected


def test_values_are_padded_to_few_numbers() -> None:
    assert {len(padded(range(count))) for count in range(1, 65)} == {1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64}
    assert set(padded([1, 2, 3])) == {1, 2, 3}
