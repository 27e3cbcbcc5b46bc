"""A query with as many filters as the API permits costs little more, for each filter, than a query with one."""

import time

import pytest

from storage.catalog.tags import TagFilter
from storage.tables.conditions import Exists, In
from storage.tables.engine import Engine
from tams_server.http.limits import FILTERS, LIST_ITEMS
from tests.engines.rows import flow_row

_FLOWS = 400


@pytest.fixture
def tagged(engine: Engine) -> Engine:
    """Flows with more tags than a query has filters."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row(f"f{number}") for number in range(_FLOWS)], fresh=True)
    rows = [
        {"kind": "flow", "owner_id": f"f{owner}", "name": f"n{name}", "value": f"v{(owner + name) % 3}", "empty": False}
        for owner in range(_FLOWS)
        for name in range(FILTERS + 4)
    ]
    with engine.write() as tx:
        tx.insert("tags", rows, fresh=True)  # type: ignore[call-overload]
    return engine


def _seconds(engine: Engine, tags: TagFilter, *, found: int) -> float:
    """The shortest of three times of a listing that must find this many flows."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        with engine.read() as tx:
            rows = tx.select("flows", tags.conditions("flow"), order=("created", "id"), limit=100)
        times.append(time.perf_counter() - start)
        assert len(rows) == found
    return min(times)


def _matching(count: int) -> TagFilter:
    names = [f"n{number}" for number in range(count)]
    return TagFilter({name: ["v0", "v1", "v2"] for name in names}, dict.fromkeys(names, True))


def _absent(count: int) -> TagFilter:
    names = [f"x{number}" for number in range(count)]
    return TagFilter({name: ["v0"] for name in names}, dict.fromkeys(names, False))


def test_the_cost_of_tag_filters_is_linear(tagged: Engine) -> None:
    one = _seconds(tagged, _matching(1), found=100)
    assert _seconds(tagged, _matching(FILTERS), found=100) < 3 * FILTERS * one + 0.5
    assert _seconds(tagged, _absent(FILTERS), found=0) < 3 * FILTERS * one + 0.5


def test_the_cost_of_a_list_is_linear(tagged: Engine) -> None:
    def seconds(count: int) -> float:
        start = time.perf_counter()
        with tagged.read() as tx:
            ids = [f"f{number}" for number in range(count)]
            assert tx.select("flows", [Exists("collections", "member_id", "id", (In("collector_id", ids),))]) == []
        return time.perf_counter() - start

    one = min(seconds(1) for _ in range(3))
    assert seconds(LIST_ITEMS) < 20 * one + 0.5
