"""Every listing and filter of the catalogue finds its rows by an index, in SQLite and PostgreSQL, with few rows and
many, with statistics and without."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.flows.flows import ORDERS as FLOW_ORDERS
from storage.catalog.paging import PageRequest, select_page
from storage.catalog.segments.flow_delete_requests import ORDERS as REQUEST_ORDERS
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.segments.tagged_page import select_tagged_page
from storage.catalog.sources import ORDERS as SOURCE_ORDERS
from storage.catalog.tags import TagFilter
from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps, equals
from storage.tables.sql.transaction import SqlTransaction
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, TimeRange
from tests.engines.listed_databases import Database, postgres_database, sqlite_database
from tests.engines.listed_rows import FLOW_FILTERS, READERS, SOURCE_FILTERS, flow_filter, source_filter

_ROWS = (1_000, 100_000)
_PAGE = 20
Statement = tuple[str, Sequence[Any]]
Read = Callable[[Reader], Any]


@pytest.fixture(params=[f"{kind} {rows}" for rows in _ROWS for kind in ("sqlite", "postgresql")])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    kind, rows = request.param.split()
    if kind == "sqlite":
        opened = sqlite_database(tmp_path, int(rows))
    else:
        opened = postgres_database(request.getfixturevalue("postgres"), int(rows))
    with opened as database:
        yield database


def _flows(filters: Sequence[str], order: str, *, reverse: bool = False) -> Read:
    where = flow_filter(*filters).conditions()
    return lambda tx: _two_pages(tx, "flows", where, FLOW_ORDERS[order], reverse)


def _sources(filters: Sequence[str], order: str, *, reverse: bool = False) -> Read:
    where = source_filter(*filters).conditions()
    return lambda tx: _two_pages(tx, "sources", where, SOURCE_ORDERS[order], reverse)


def _readable(table: str, kind: str, reader: str, order: Any, *filters: str) -> Read:
    where = [*flow_filter(*filters).conditions(), *READERS[reader].visible(kind)]
    return lambda tx: _two_pages(tx, table, where, order)


def _two_pages(tx: Reader, table: str, where: Sequence[Condition], order: Any, reverse: bool = False) -> None:
    _, key = select_page(tx, table, where, order, PageRequest(reverse=reverse), _PAGE)
    if key is not None:
        select_page(tx, table, where, order, PageRequest(key=key, reverse=reverse), _PAGE)


def _select(table: str, *where: Condition, **how: Any) -> Read:
    select: Any = SqlTransaction.select
    return lambda tx: select(tx, table, where, **how)


def _segments(
    tags: TagFilter, timerange: TimeRange = ETERNITY, object_id: str | None = None, *, reverse: bool = False
) -> Read:
    """Two pages of the segments of the flow "long"."""
    flow: Any = {"content_start": 0, "content_end": 10**18}

    def read(tx: Reader) -> None:
        key = None
        for _ in range(2):
            request = PageRequest(key=key, reverse=reverse)
            filters = SegmentFilter(timerange, object_id, tags)
            _, key = select_tagged_page(tx, "long", flow, filters, request, _PAGE, ("start_ns", "doc"))

    return read


_TAGGED = TagFilter({"level": ["common"]}, {"list": True}).conditions
_FLOW_OF_REFERENCE = Exists("flows", "id", "flow_id")
_BATCH: Any = {"order": ("object_id",), "limit": 100}
_ID = "00000000-0000-4000-8000-102654435761"

LISTINGS: dict[str, Read] = {
    "profiles by format": _select("profiles", *equals(format="rare"), order=("unlabelled", "label", "id"), limit=_PAGE),
    "profiles by both": _select(
        "profiles", *equals(format="common", codec="rare"), order=("unlabelled", "label", "id"), limit=_PAGE
    ),
    "profiles by label": _select(
        "profiles", *equals(unlabelled=False, label="common"), order=("unlabelled", "label", "id"), limit=_PAGE
    ),
    "webhooks": _select("webhooks", order=("url", "id"), limit=_PAGE),
    "webhooks of an owner": _select("webhooks", *equals(owner="owner-7"), order=("url", "id"), limit=_PAGE),
    "webhooks by rare tag": _select(
        "webhooks", *TagFilter({"level": ["rare"]}).conditions("webhook"), order=("url", "id"), limit=_PAGE
    ),
    "webhooks by common tag": _select(
        "webhooks", *TagFilter({"level": ["common"]}).conditions("webhook"), order=("url", "id"), limit=_PAGE
    ),
    "newest of the enabled webhooks": _select(
        "webhooks", *equals(enabled=True), order=("since",), descending=True, columns=["since"], limit=1
    ),
    "delete requests by creation": lambda tx: _two_pages(tx, "deletion_requests", (), REQUEST_ORDERS["created"]),
    "delete requests by expiry": lambda tx: _two_pages(tx, "deletion_requests", (), REQUEST_ORDERS["expiry"]),
    "expired delete requests": _select(
        "deletion_requests", Compare("expiry", "<=", 500_000), *equals(status="done"), limit=1, columns=["id"]
    ),
    "delete requests of a flow": _select(
        "deletion_requests", *equals(flow_id="f7"), In("status", ("created", "started", "error"))
    ),
    "flows of an object": _select(
        "object_refs", *equals(object_id="object-7"), _FLOW_OF_REFERENCE, order=("object_id", "flow_id"), limit=_PAGE
    ),
    "flows of an object by tag": _select(
        "object_refs",
        *equals(object_id="object-7"),
        *_TAGGED("flow", "flow_id"),
        order=("object_id", "flow_id"),
        limit=_PAGE,
    ),
    "objects of a flow": _select("object_refs", *equals(flow_id=_ID), order=("flow_id", "object_id"), limit=_PAGE),
    "expired objects": _select("objects", Compare("expires", "<=", 500), limit=100),
    "objects by id": _select("objects", In("id", ["object-1", "object-7"])),
    "instances": _select("instances", In("object_id", ["object-1", "object-7"]), order=("object_id", "instance")),
    "pending events": _select("events", *equals(pending=True), order=("position",), limit=100),
    "deliveries of a webhook": _select(
        "deliveries", *equals(webhook_id="w7"), order=("webhook_id", "position", "event_id"), limit=100
    ),
    "deliveries of an event": _select("deliveries", In("event_id", [_ID]), columns=["event_id"]),
    "due jobs": _select("jobs", In("kind", ["delivery", "copy"]), Compare("due", "<=", 500), order=("due",), limit=9),
    "jobs by key": _select("jobs", *equals(kind="copy"), In("key", [_ID]), columns=["key"]),
    "garbage of a backend": _select("garbage", *equals(storage_id="s1"), **_BATCH),
    "next garbage of a backend": _select("garbage", *equals(storage_id="s1"), after=["o"], **_BATCH),
    "garbage by object": _select("garbage", In("object_id", [_ID])),
    "credential": _select("credentials", *equals(id=_ID), limit=1),
    "any credential": _select("credentials", limit=1, columns=["id"]),
    "collectors of flows": _select("collections", In("member_id", [_ID]), order=("member_id", "collector_id")),
    "members of flows": _select("collections", In("collector_id", ["rare"]), order=("collector_id", "position")),
    "collectors of sources": _select("source_collections", *equals(member_id=_ID), columns=["collector_id"]),
    "segments": _select("segments", *equals(flow_id="long"), order=("start_ns",), limit=_PAGE),
    "segments backwards": _select(
        "segments", *equals(flow_id="long"), order=("start_ns",), descending=True, after=[500 * 10**9], limit=_PAGE
    ),
    "segments within a timerange": _select(
        "segments", *equals(flow_id="long"), Overlaps(500 * 10**9, 600 * 10**9), order=("start_ns",), limit=_PAGE
    ),
    "segments of an object": _select(
        "segments", *equals(flow_id="long", object_id="object-7"), order=("start_ns",), limit=_PAGE
    ),
    "segments from any object": _select("segments", *equals(object_id="object-7"), limit=1),
    "segments by common tag": _segments(TagFilter({"level": ["common"]})),
    "segments by rare tag": _segments(TagFilter({"level": ["rare"]}), reverse=True),
    "segments by absent tag": _segments(TagFilter({"level": ["none"]})),
    "segments by many values": _segments(TagFilter({"level": ["rare", "common", "none"]}), reverse=True),
    "segments with a tag": _segments(TagFilter({}, {"list": True}), TimeRange(500 * 10**9 + 1, 900 * 10**9)),
    "segments without a tag": _segments(TagFilter({}, {"list": False})),
    "segments without a tag that nearly all have": _segments(TagFilter({}, {"level": False})),
    "segments by two tags": _segments(TagFilter({"level": ["common"], "list": ["one"]})),
    "segments by tags that exclude each other": _segments(TagFilter({"level": ["other"], "list": ["none"]})),
    "segments of an object by tag": _segments(TagFilter({"level": ["common"]}), object_id="object-7"),
    "classes of flows": _select("classes", *equals(kind="flow"), In("owner_id", [_ID]), In("name", ["rare_read"])),
    **{
        f"flows for {reader} by {order}": _readable("flows", "flow", reader, FLOW_ORDERS[order])
        for reader in READERS
        for order in FLOW_ORDERS
    },
    **{f"sources for {reader}": _readable("sources", "source", reader, SOURCE_ORDERS["created"]) for reader in READERS},
    **{
        f"flows for {reader} with {name}": _readable("flows", "flow", reader, FLOW_ORDERS["created"], name)
        for reader in READERS
        for name in ("format common", "format rare", "tag common", "tag rare", "timerange common")
    },
    **{
        f"an object for {reader}": _select(
            "object_refs",
            *equals(object_id="object-7"),
            *READERS[reader].visible("flow", outer="flow_id"),
            limit=1,
            columns=["object_id"],
        )
        for reader in READERS
    },
    **{f"flows by {order}": _flows([], order) for order in FLOW_ORDERS},
    **{f"sources by {order}": _sources([], order) for order in SOURCE_ORDERS},
    **{
        f"flows with {name} by {order}": _flows([name], order, reverse=order == "label")
        for name in FLOW_FILTERS
        for order in FLOW_ORDERS
        if name != "tag missing rare"
    },
    **{
        f"sources with {name} by {order}": _sources([name], order, reverse=order == "label")
        for name in SOURCE_FILTERS
        for order in SOURCE_ORDERS
        if name != "tag missing rare"
    },
}
"""All but one: the few flows without a tag that nearly all have are found by reading an index for each flow."""


_BY_VALUE = {
    "segments by common tag",
    "segments by rare tag",
    "segments by absent tag",
    "segments by many values",
    "segments by two tags",
    "segments by tags that exclude each other",
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """The statements that transactions run."""
    statements: list[Statement] = []
    for name in ("_rows", "_places"):
        run = getattr(SqlTransaction, name)

        def record(
            self: SqlTransaction, statement: Any, parameters: Sequence[Any], *rest: Any, run: Any = run
        ) -> list[Any]:
            statements.append((statement.sql, parameters))
            found: list[Any] = run(self, statement, parameters, *rest)
            return found

        monkeypatch.setattr(SqlTransaction, name, record)
    return statements


def _is_a_tie(name: str, database: str, *, has_statistics: bool) -> bool:
    """Whether two indexes cost the same by what the database knows, so that it may choose either.

    The index by name serves listings of segments that have a tag, and the index by value those with one value of it.
    Before its first statistics, PostgreSQL expects one row from both.
    """
    return name in _BY_VALUE and database.startswith("postgresql") and not has_statistics


@pytest.mark.timeout(600)  # Much of it is for filling the databases.
def test_every_listing_finds_its_rows_by_an_index(
    database: Database, recorded: list[Statement], request: pytest.FixtureRequest
) -> None:
    chosen = request.node.callspec.params["database"]
    faults = {}
    for has_statistics in (False, True):
        database.set_statistics(has_statistics)
        for name, read in LISTINGS.items():
            recorded.clear()
            with database.engine.read() as tx:
                read(tx)
            assert recorded
            for statement in recorded:
                fault = database.fault(*statement)
                if fault and not _is_a_tie(name, chosen, has_statistics=has_statistics):
                    faults[name, has_statistics] = fault, statement[0]
    assert not faults


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_statement_without_an_index_is_noticed(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """So that the test above can fail."""
    postgres = request.getfixturevalue("postgres") if kind == "postgresql" else None
    with postgres_database(postgres, 1_000) if postgres else sqlite_database(tmp_path, 1_000) as database:
        with database.engine.read() as tx:
            assert isinstance(tx, SqlTransaction)
            statement = tx.statement_of("flows", equals(container="x"), order=("container",), limit=_PAGE)
        assert database.fault(*statement)
        places = "SELECT id FROM flows ORDER BY id LIMIT 1000"
        join = f"SELECT flows.doc FROM ({places}) AS places LEFT JOIN flows ON flows.container = places.id"
        assert database.fault(join, ())
