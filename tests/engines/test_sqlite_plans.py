"""SQLite finds a page of segments in an index, and by no more than one bound, with statistics and without."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.paging import PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.segments.tagged_page import select_tagged_page
from storage.catalog.tags import TagFilter
from storage.tables import open_engine
from storage.tables.conditions import Compare, Condition, Overlaps, equals
from storage.tables.engine import Engine
from storage.tables.sql.transaction import SqlTransaction
from storage.timerange import TimeRange

SECOND = 10**9
COUNT = 20_000
PAGE = 30
STEPS = 200
"""Of SQLite's virtual machine, between two calls of its progress handler."""

_ROWS = (
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
    " INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc)"
    " SELECT ?, i * 1000000000, (i + 1) * 1000000000, ? || i, '', i, '{}' FROM n"
)
_TAGS = (
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
    " INSERT INTO segment_tags (flow_id, start_ns, name, value, empty)"
    " SELECT ?, i * 1000000000, ?, CASE WHEN i % 1000 = 7 THEN 'rare' ELSE 'common' END, 0 FROM n"
)


@pytest.fixture(scope="module", params=["without statistics", "with statistics", "with statistics of a short flow"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    file: Path = tmp_path_factory.mktemp("plans") / "catalogue.sqlite"
    engine = open_engine(file)
    engine.create()
    with sqlite3.connect(file) as connection:
        connection.execute(_ROWS, [10, "short", "short"])
        if request.param == "with statistics of a short flow":
            connection.execute("ANALYZE")
        connection.execute(_ROWS, [COUNT, "long", "long"])
        for name in ("shot", "take"):
            connection.execute(_TAGS, [COUNT, "long", name])
        if request.param == "with statistics":
            connection.execute("ANALYZE")
    connection.close()
    yield engine
    engine.close()


def _queries() -> dict[str, tuple[list[Condition], dict[str, Any]]]:
    content = [*equals(flow_id="long"), Compare("start_ns", ">=", 0), Compare("start_ns", "<", COUNT * SECOND)]
    middle, near_end = COUNT // 2 * SECOND, (COUNT - PAGE - 1) * SECOND
    page: dict[str, Any] = {"order": ("start_ns",), "limit": PAGE}
    backwards = {**page, "descending": True}
    until = Overlaps(5, middle)
    since = Overlaps(middle, 2**63 - 1)
    return {
        "first": (content, page),
        "last": (content, backwards),
        "by key": (content, {**page, "after": [near_end]}),
        "backwards by key": (content, {**backwards, "after": [middle]}),
        "everything by key": ([*content, Overlaps(-(2**63), 2**63 - 1)], {**page, "after": [near_end]}),
        "timerange": ([*content, since], page),
        "timerange by key": ([*content, since], {**page, "after": [near_end]}),
        "timerange backwards": ([*content, until], backwards),
        "timerange backwards by key": ([*content, until], {**backwards, "after": [middle // 2]}),
        "object": ([*content, *equals(object_id="long7")], page),
        "object backwards by key": ([*content, *equals(object_id="long7")], {**backwards, "after": [middle]}),
    }


@pytest.mark.parametrize("query", list(_queries()))
def test_a_page_of_a_long_flow_takes_a_few_steps(engine: Engine, query: str) -> None:
    where, how = _queries()[query]
    with engine.read_once() as tx:
        assert isinstance(tx, SqlTransaction)
        sql, parameters = tx.statement_of("segments", where, **how)
        plan = [row[3] for row in tx.connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        calls: list[int] = []
        # The first statement of a connection reads the schema and its statistics.
        tx.connection.execute(sql, parameters).fetchall()
        tx.connection.set_progress_handler(lambda: calls.append(1), STEPS)
        found = len(tx.connection.execute(sql, parameters).fetchall())
        tx.connection.set_progress_handler(None, 0)
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan
    assert found == (1 if query.startswith("object") else PAGE)
    assert len(calls) * STEPS <= 20 * PAGE + STEPS


@pytest.mark.parametrize(
    ("tags", "count"),
    [
        (TagFilter({"shot": ["common"]}), PAGE),
        (TagFilter({"shot": ["rare"]}), 10),
        (TagFilter({"shot": ["none"]}), 0),
        (TagFilter({"shot": ["rare", "common"]}), PAGE),
        (TagFilter({}, {"shot": True}), PAGE),
        (TagFilter({}, {"other": False}), PAGE),
        (TagFilter({"shot": ["rare"], "take": ["rare"]}), 10),
        (TagFilter({"shot": ["common"]}, {"take": True}), PAGE),
    ],
    ids=str,
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_page_by_tags_takes_a_few_steps(engine: Engine, tags: TagFilter, count: int, reverse: bool) -> None:
    flow: Any = {"content_start": 0, "content_end": COUNT * SECOND}
    filters = SegmentFilter(TimeRange(COUNT // 2 * SECOND + 1, COUNT * SECOND), None, tags)
    calls: list[int] = []
    with engine.read_once() as tx:
        assert isinstance(tx, SqlTransaction)
        tx.connection.set_progress_handler(lambda: calls.append(1), STEPS)
        rows, _ = select_tagged_page(tx, "long", flow, filters, PageRequest(reverse=reverse), PAGE, ("start_ns",))
        tx.connection.set_progress_handler(None, 0)
    assert len(rows) == count
    assert len(calls) * STEPS <= 120 * PAGE
