"""Pages of filtered listings have exactly the rows that pass, in order and once, by whatever index they are found."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.flows.flows import ORDERS
from storage.tables.conditions import Condition
from storage.tables.engine import Engine
from storage.tables.rows import ClassRow, TagRow
from storage.tables.sql import filtered_listing
from storage.tables.transaction import ByteBudget, Reader
from tests.engines.listed_databases import postgres_database, sqlite_database
from tests.engines.listed_rows import FLOW_FILTERS, READERS, flow_filter, pairs

_ROWS = 300
_PAGE = 25
_PAIRS = 120


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def listed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        opened = sqlite_database(tmp_path_factory.mktemp("listed"), _ROWS, listed_only=True)
    else:
        opened = postgres_database(request.getfixturevalue("postgres"), _ROWS, listed_only=True)
    with opened as database:
        yield database.engine


def _paged(tx: Reader, where: list[Condition], how: Any) -> list[str]:
    """The ids on all pages."""
    ids: list[str] = []
    after = None
    while True:
        rows = tx.select("flows", where, **how, after=after, limit=_PAGE)
        ids += [row["id"] for row in rows]
        if len(rows) < _PAGE:
            return ids
        after = [rows[-1][column] for column in how["order"]]


@pytest.mark.parametrize("few", [0, 30, 100])
def test_the_pages_of_a_listing_are_all_rows_that_pass(
    listed: Engine, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Without a limit there are no pages, and no index is chosen. few: below which the rows are sorted."""
    monkeypatch.setattr(filtered_listing, "_FEW", few)
    monkeypatch.setattr(filtered_listing, "_SOME", 2 * few)
    chosen = random.Random(few)
    cases = [*((name,) for name in FLOW_FILTERS), *chosen.sample(list(pairs(FLOW_FILTERS)), _PAIRS)]
    for names in cases:
        where = flow_filter(*names).conditions()
        how: Any = {"order": ORDERS[chosen.choice(list(ORDERS))].columns, "descending": chosen.random() < 0.5}
        with listed.read() as tx:
            whole = tx.select("flows", where, **how)
            assert _paged(tx, where, how) == [row["id"] for row in whole], (names, how)


class _UndoError(Exception):
    """Rolls back what a test has written."""


def test_tags_whose_owner_is_gone_end_no_listing(listed: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is not full is the last. No request leaves such tags, but a database may have them all the same."""
    monkeypatch.setattr(filtered_listing, "_FEW", 0)
    where = flow_filter("tag common").conditions()
    how: Any = {"order": ORDERS["created"].columns, "descending": True}
    with suppress(_UndoError), listed.write() as tx:
        whole = [row["id"] for row in tx.select("flows", where, **how)]
        tag: TagRow = {"kind": "flow", "owner_id": "gone", "name": "level", "value": "common", "empty": False}
        tx.insert("tags", [{**tag, "created": 1000 * _ROWS - 1}])
        paged = _paged(tx, where, how)
        raise _UndoError
    assert len(whole) > _PAGE
    assert paged == whole


_MANY_GROUPS = frozenset(f"common-{number}_read" for number in range(100))
"""More than one statement merges."""
_READERS = {
    **{name: READERS[name] for name in ("many common", "none")},
    "all": Caller("reader", frozenset({"read"}), _MANY_GROUPS, AccessRules()),
}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("reader", _READERS)
def test_the_pages_of_a_reader_are_all_rows_with_its_classes(listed: Engine, reader: str, descending: bool) -> None:
    """Also where a class has lost its flow, which no request leaves behind."""
    where = list(_READERS[reader].visible("flow"))
    how: Any = {"order": ORDERS["created"].columns, "descending": descending}
    with suppress(_UndoError), listed.write() as tx:
        whole = tx.select("flows", where, **how)
        pages = [_paged(tx, where, how)]
        names: Any = {"columns": ("created", "id")}
        pages.append(_paged(tx, where, {**how, **names}))
        budget = ByteBudget(9 * len("{}"))
        within = tx.select("flows", where, **how, limit=_PAGE, budget=budget)
        name = sorted(_READERS[reader].groups)[0]
        gone: ClassRow = {"kind": "flow", "owner_id": "gone", "name": name, "created": 1000 * _ROWS // 2 - 1}
        tx.insert("classes", [gone])
        pages.append(_paged(tx, where, how))
        raise _UndoError
    assert pages == [[row["id"] for row in whole]] * 3
    assert within == whole[:10]


def test_some_listings_have_several_pages_and_some_have_none(listed: Engine) -> None:
    """So that the test above says something."""
    counts = []
    for name in FLOW_FILTERS:
        with listed.read() as tx:
            counts.append(len(tx.select("flows", flow_filter(name).conditions())))
    assert min(counts) == 0
    assert max(counts) > 3 * _PAGE
