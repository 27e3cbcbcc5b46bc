"""Rows are read until their documents have so many bytes, on every engine; pages of the catalogue rely on it."""

from typing import Any

import pytest

from storage.catalog.paging import PAGE_BYTES, Order, PageRequest, select_page
from storage.tables.conditions import Condition, equals
from storage.tables.engine import Engine
from storage.tables.transaction import ByteBudget

LARGE = 50_000
ORDER = ("created", "id")


def insert_sources(engine: Engine, count: int, size: int) -> None:
    plain: dict[str, Any] = {"label": "", "unlabelled": True, "updated": 0, "doc": {"description": "x" * size}}
    rows: list[Any] = [{"id": f"{n:04}", "format": f"f{n % 2}", "created": n // 7, **plain} for n in range(count)]
    with engine.write() as tx:
        tx.insert("sources", rows)


@pytest.mark.parametrize(("where", "step"), [([], 1), (equals(format="f1"), 2)])
def test_rows_are_returned_until_the_budget_is_spent(engine: Engine, where: list[Condition], step: int) -> None:
    insert_sources(engine, 60, LARGE)
    size = LARGE + len('{"description":""}')
    for budget, expected in ((ByteBudget(10 * size), 11), (ByteBudget(10 * size - 1), 10), (ByteBudget(0), 1)):
        with engine.read() as tx:
            rows = tx.select("sources", where, order=ORDER, limit=50, budget=budget)
        assert [row["id"] for row in rows] == [f"{n:04}" for n in range(step - 1, expected * step, step)]
        assert budget.is_spent
    budget = ByteBudget(60 * size)
    with engine.read() as tx:
        assert len(tx.select("sources", where, order=ORDER, limit=60, budget=budget)) == 60 // step
    assert not budget.is_spent


def walk(engine: Engine, size: int, where: list[Condition]) -> list[list[str]]:
    """The ids of all sources, by page."""
    pages, key = [], None
    while True:
        with engine.read() as tx:
            rows, key = select_page(tx, "sources", where, Order(ORDER), PageRequest(key=key), size)
        pages.append([row["id"] for row in rows])
        if key is None:
            return pages


@pytest.mark.parametrize("where", [[], equals(format="f1")])
def test_pages_of_large_documents_lead_to_all_of_them(engine: Engine, where: list[Condition]) -> None:
    insert_sources(engine, 160, LARGE)
    pages = walk(engine, 1000, where)
    step = 2 if where else 1
    assert [id_ for page in pages for id_ in page] == [f"{n:04}" for n in range(step - 1, 160, step)]
    assert [len(page) for page in pages[:-1]] == [PAGE_BYTES // (LARGE + 18)] * (len(pages) - 1)
    assert len(pages) > 1


def test_long_pages_of_small_documents_are_whole(engine: Engine) -> None:
    """Engines that see rows only when all have arrived read such pages in two steps."""
    insert_sources(engine, 640, 10)
    for size in (299, 300, 301, 639, 640):
        pages = walk(engine, size, [])
        assert [id_ for page in pages for id_ in page] == [f"{n:04}" for n in range(640)]
        assert {len(page) for page in pages[:-1]} <= {size}
