"""Rows that have one of several values, merged in the order of an index: what is read for them."""

from typing import Any

import pytest

from storage.tables.conditions import Compare, In, equals
from storage.tables.sql.merged_listing import merged_parts, merged_rows
from storage.tables.transaction import Selection

LIMIT = 100
VALUES = [f"v{number}" for number in range(30)]
PLACES = {
    "rows of one value each": {value: list(range(number, 60_000, 30)) for number, value in enumerate(VALUES)},
    "rows of all values": {value: list(range(2_000)) for value in VALUES},
    "rows of one value": {"v7": list(range(2_000))},
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("descending", [False, True])
def test_each_row_is_found_once_and_few_more_are_read(name: str, descending: bool) -> None:
    places, read = PLACES[name], 0

    def find(_table: str, part: Any, *, limit: int, after: Any = None, **_how: Any) -> list[Any]:
        nonlocal read
        (value,) = (each.value for each in part if each.column == "value")
        rows = sorted(places.get(value, ()), reverse=descending)
        if after is not None:
            rows = [start for start in rows if (start < after[0] if descending else start > after[0])]
        read += len(rows[:limit])
        return [{"start_ns": start} for start in rows[:limit]]

    where = [*equals(flow_id="f", name="x", empty=False), In("value", VALUES), Compare("start_ns", ">=", 0)]
    how: Selection = {"order": ("start_ns",), "columns": ["start_ns"], "limit": LIMIT, "descending": descending}
    parts = merged_parts("segment_tags", where, how)
    assert parts is not None
    found = [row["start_ns"] for row in merged_rows(find, "segment_tags", parts, how)]
    everything = sorted({start for starts in places.values() for start in starts}, reverse=descending)
    assert found == everything[:LIMIT]
    repeats = len(VALUES) if name == "rows of all values" else 1
    assert read <= 4 * LIMIT * repeats
