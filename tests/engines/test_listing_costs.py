"""The cost of a page of a filtered listing is the same in a catalogue of any size, counted in steps of SQLite's virtual
machine, which do not depend on the machine that runs the tests."""

from collections.abc import Iterator, Sequence

import pytest

from storage.catalog.flows.flows import ORDERS
from storage.catalog.paging import PageRequest, select_page
from storage.tables.conditions import Condition
from storage.tables.engine import Engine
from storage.tables.sql.transaction import SqlTransaction
from tests.engines.listed_databases import sqlite_database
from tests.engines.listed_rows import FLOW_FILTERS, READERS, flow_filter, pairs

_SMALL, _LARGE = 1_000, 50_000
_UNIT = 50
_MERGE = 12_000
"""Steps of a bounded walk and of a merge of several classes, of which a small catalogue has too few rows."""
_SLACK = 3_000
"""Steps of a bounded look, which a small catalogue does not need."""
_WALKS = "tag missing rare"
"""To find the few flows without a tag that nearly all others have, a row of an index is read for each flow."""

_ALONE = [(name,) for name in FLOW_FILTERS if name != _WALKS]
_TOGETHER = [names for names in pairs(FLOW_FILTERS) if _WALKS not in names]

Engines = tuple[Engine, Engine]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A small catalogue and a large one."""
    folder = tmp_path_factory.mktemp("costs")
    with (
        sqlite_database(folder, _SMALL, listed_only=True) as small,
        sqlite_database(folder, _LARGE, listed_only=True) as large,
    ):
        yield small.engine, large.engine


def _filtered(engine: Engine, names: tuple[str, ...], order: str, *, reverse: bool = False) -> int:
    return _steps(engine, flow_filter(*names).conditions(), order, reverse=reverse)


def _steps(engine: Engine, where: Sequence[Condition], order: str, *, reverse: bool = False) -> int:
    """The steps of the first two pages."""
    count = 0

    def step() -> None:
        nonlocal count
        count += _UNIT

    with engine.read() as tx:
        assert isinstance(tx, SqlTransaction)
        tx.connection.set_progress_handler(step, _UNIT)
        try:
            _, key = select_page(tx, "flows", where, ORDERS[order], PageRequest(reverse=reverse), 20)
            if key is not None:
                select_page(tx, "flows", where, ORDERS[order], PageRequest(key=key, reverse=reverse), 20)
        finally:
            tx.connection.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("order", ORDERS)
def test_the_cost_of_a_filter_does_not_grow_with_the_catalogue(engines: Engines, order: str) -> None:
    costs = {
        (names, reverse): [_filtered(engine, names, order, reverse=reverse) for engine in engines]
        for names in _ALONE
        for reverse in (False, True)
    }
    assert not {case: cost for case, cost in costs.items() if cost[1] > 2 * cost[0] + _SLACK}


def test_the_cost_of_two_filters_does_not_grow_with_the_catalogue(engines: Engines) -> None:
    costs = {names: [_filtered(engine, names, "created") for engine in engines] for names in _TOGETHER}
    assert not {names: cost for names, cost in costs.items() if cost[1] > 2 * cost[0] + _SLACK}


@pytest.mark.parametrize("reader", READERS)
def test_the_cost_of_classes_does_not_grow_with_the_catalogue(engines: Engines, reader: str) -> None:
    where = READERS[reader].visible("flow")
    costs = {
        reverse: [_steps(engine, where, "created", reverse=reverse) for engine in engines] for reverse in (False, True)
    }
    assert not {case: cost for case, cost in costs.items() if cost[1] > cost[0] + _MERGE}


def test_the_cost_of_a_walk_is_noticed(engines: Engines) -> None:
    """So that the tests above can fail."""
    small, large = (_filtered(engine, (_WALKS,), "created") for engine in engines)
    assert large > 10 * small
