"""How many requests the VAST engine sends to a cluster, as the emulator counts them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from storage.catalog import Catalog
from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.job_kinds import REMOVAL
from storage.catalog.job_queue import enqueue
from storage.catalog.jobs import JobSelection
from storage.tables import open_engine
from storage.tables.conditions import Compare, Condition, In, Overlaps, equals
from storage.tables.engine import Engine
from tests.engines.rows import flow_row
from tests.vast_emulator import Emulator

FEW, MANY = 1_000, 100_000
LENGTH = 2_000_000_000
PAGE = 101


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    yield emulator
    emulator.close()


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[Engine]:
    engine = open_engine(emulator.url("counted"))
    engine.create()
    yield engine
    engine.close()


class Count:
    """The requests of a `with` block, including rollbacks in the background."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def __enter__(self) -> "Count":
        self._emulator.counters.clear()
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + 10
        counters = self._emulator.counters
        while counters["begin"] > counters["commit"] + counters["rollback"] and time.monotonic() < deadline:
            time.sleep(0.005)
        self.rows = counters.pop("rows returned", 0)
        self.examined = counters.pop("rows examined", 0)
        self.by_kind = {kind: count for kind, count in counters.items() if count}

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())

    @property
    def waited_for(self) -> int:
        return self.total - self.by_kind.get("rollback", 0)


def _rows(flow_id: str, starts: range) -> list[dict[str, Any]]:
    common = {"flow_id": flow_id, "timerange": "_", "created": 0, "doc": {"last_duration": "0:1"}}
    return [{**common, "start_ns": n, "end_ns": n + LENGTH, "object_id": f"{flow_id}{n}"} for n in starts]


def _fill(engine: Engine, flow_id: str, count: int) -> None:
    at_once = 20_000
    for first in range(0, count, at_once):
        with engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            tx.insert("segments", _rows(flow_id, range(first * LENGTH, min(first + at_once, count) * LENGTH, LENGTH)))


def _page(engine: Engine, flow_id: str, size: int, *where: Condition, **options: Any) -> list[dict[str, Any]]:
    """A page as the catalogue selects it, which knows the timerange of the flow's `size` segments."""
    content = (Compare("start_ns", ">=", 0), Compare("start_ns", "<", size * LENGTH))
    with engine.read() as tx:
        where = (*equals(flow_id=flow_id), *content, *where)
        return tx.select("segments", where, order=("start_ns",), limit=PAGE, **options)


def test_a_page_of_segments_takes_few_requests(emulator: Emulator, engine: Engine) -> None:
    """Reads what the catalogue reads: the flow, the segments, and the instances of their objects."""
    _fill(engine, "f", FEW)
    instances = [{"object_id": f"f{n * LENGTH}", "instance": "i", "storage_id": "i", "created": 0} for n in range(PAGE)]
    with engine.write() as tx:
        tx.insert("instances", instances)
    with Count(emulator) as count, engine.read() as tx:
        tx.get("flows", id="f")
        rows = tx.select("segments", equals(flow_id="f"), order=("start_ns",), limit=PAGE)
        found = tx.select("instances", [In("object_id", [row["object_id"] for row in rows])])
    print("\npage as the catalogue reads it:", count.by_kind, "waited for:", count.waited_for)
    assert len(found) == PAGE
    assert count.by_kind == {"begin": 1, "select": 3, "rollback": 1}
    with Count(emulator) as count:
        assert len(_page(engine, "f", FEW)) == PAGE
    print("segments alone:", count.by_kind)
    assert count.total <= 4


def test_a_flow_is_locked_and_changed_in_two_requests(emulator: Emulator, engine: Engine) -> None:
    """Its row is the lock, and one update before the next read sends both the mark and the change."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    for number in range(3):
        with Count(emulator) as count, engine.write() as tx:
            tx.lock("flow:f")
            flow = tx.get("flows", id="f")
            assert flow is not None
            tx.update("flows", equals(id="f"), {"segments_updated": flow["segments_updated"] + 1})
            assert tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"]) == []
            assert tx.select("objects", [In("id", ["o"])]) == []
            tx.insert("segments", _rows("f", range(number * LENGTH, (number + 1) * LENGTH, LENGTH)), fresh=True)
        assert count.by_kind == {"begin": 1, "select": 2, "update": 1, "insert": 1, "commit": 1}
    assert len(_page(engine, "f", 3)) == 3


def test_rows_that_were_read_are_changed_without_another_query(emulator: Emulator, engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("flows", [flow_row(f"{n}", segments_updated=0) for n in range(3)])
    with Count(emulator) as count, engine.write() as tx:
        tx.select("flows", [In("id", ["0", "1", "2"])])
        for n in range(3):
            tx.update("flows", equals(id=f"{n}"), {"segments_updated": 5})
        assert tx.delete("flows", equals(id="nobody")) == 0
        flow = tx.get("flows", id="1")
    assert flow is not None
    assert flow["segments_updated"] == 5
    assert count.by_kind == {"begin": 1, "select": 2, "update": 1, "commit": 1}


def test_many_rows_are_updated_with_one_query_and_one_update(emulator: Emulator, engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("service", [{"key": f"{n}", "value": 0} for n in range(5)])
    with Count(emulator) as count, engine.write() as tx:
        tx.lock("service")
        assert tx.update_rows("service", [{"key": f"{n}", "value": n} for n in range(1, 9)]) == 4
    assert count.by_kind == {"begin": 1, "select": 2, "update": 2, "commit": 1}
    with engine.read() as tx:
        assert [row["value"] for row in tx.select("service", order=("key",))] == [0, 1, 2, 3, 4]


def test_a_replaced_row_is_updated_in_place(emulator: Emulator, engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("service", [{"key": "k", "value": 1}])
    with Count(emulator) as count, engine.write() as tx:
        tx.lock("service")
        tx.delete("service", equals(key="k"))
        tx.insert("service", [{"key": "k", "value": 2}])
        assert tx.get("service", key="k") == {"key": "k", "value": 2}
    assert count.by_kind == {"begin": 1, "select": 2, "update": 2, "commit": 1}
    with engine.read() as tx:
        assert tx.select("service") == [{"key": "k", "value": 2}]


def test_a_row_without_columns_beside_the_key_can_be_replaced(engine: Engine) -> None:
    tag = {"kind": "flow", "owner_id": "f", "name": "n", "value": "v", "empty": False}
    for _ in range(2):
        with engine.write() as tx:
            tx.lock("flow:f")
            tx.delete("tags", equals(kind="flow", owner_id="f"))
            tx.insert("tags", [tag, {**tag, "value": "w"}])
    with engine.read() as tx:
        assert [row["value"] for row in tx.select("tags", order=("value",))] == ["v", "w"]


def test_an_idle_poll_sends_two_queries_and_a_claim_of_many_jobs_one_update(emulator: Emulator, engine: Engine) -> None:
    catalog = Catalog(engine, {})
    with Count(emulator) as count:
        assert catalog.pending_work(1000) == (False, [])
    assert count.by_kind == {"select": 2}
    with engine.write() as tx:
        enqueue(tx, 0, REMOVAL, [f"{n}" for n in range(20)])
    with Count(emulator) as count:
        assert len(catalog.jobs.claim("a worker", [JobSelection(equals(kind=REMOVAL), 20)])) == 20
    assert count.by_kind == {"begin": 1, "select": 1, "update": 1, "commit": 1}


@pytest.mark.timeout(300)
def test_a_page_costs_the_same_in_a_long_flow(emulator: Emulator, engine: Engine) -> None:
    """At most 1.5 times the requests and rows of a page of a short flow."""
    _fill(engine, "short", FEW)
    _fill(engine, "long", MANY)
    cases: dict[str, Any] = {
        "first page": lambda n: ((), {}),
        "page after half": lambda n: ((), {"after": [n // 2 * LENGTH]}),
        "last page": lambda n: ((), {"after": [(n - 50) * LENGTH]}),
        "backwards": lambda n: ((), {"descending": True}),
        "backwards after half": lambda n: ((), {"descending": True, "after": [n // 2 * LENGTH]}),
        "within a timerange": lambda n: ((Overlaps(n // 2 * LENGTH + 5, (n // 2 + 40) * LENGTH - 5),), {}),
        "from a moment on": lambda n: ((Overlaps(n // 2 * LENGTH + 5, 2**63 - 1),), {}),
        "up to a moment, backwards": lambda n: ((Overlaps(-(2**63), n // 2 * LENGTH),), {"descending": True}),
    }
    for shared_engine, temperature in ((engine, "warm"), (None, "cold")):
        print(f"\n{temperature}: requests, rows, rows examined; of {FEW} segments and of {MANY}")
        for name, case in cases.items():
            counts = {}
            for flow_id, size in (("short", FEW), ("long", MANY)):
                reader = shared_engine or open_engine(emulator.url("counted"))
                if shared_engine is None:
                    with reader.read() as tx:
                        tx.get("flows", id="x")
                where, options = case(size)
                with Count(emulator) as count:
                    rows = _page(reader, flow_id, size, *where, **options)
                assert len(rows) == {"last page": 49, "within a timerange": 40}.get(name, PAGE)
                starts = [row["start_ns"] for row in rows]
                step = -LENGTH if options.get("descending") else LENGTH
                assert starts == list(range(starts[0], starts[0] + len(rows) * step, step))
                counts[size] = (count.total, count.rows, count.examined)
            print(f"  {name:28} {counts[FEW]}  {counts[MANY]}")
            assert all(many <= 1.5 * few for few, many in zip(counts[FEW], counts[MANY], strict=True))
            assert counts[MANY][0] <= 4


@pytest.mark.parametrize("filters", [{}, {"format": "even"}])
def test_a_page_for_a_caller_with_classes_takes_few_requests(
    emulator: Emulator, engine: Engine, filters: dict[str, Any]
) -> None:
    """The caller may read an eighth of the flows, which are too many to be read in advance."""
    count, apart = 20_000, 8
    rows = [flow_row(f"f{n:05}", created=n, format="even" if n % 16 else "odd") for n in range(count)]
    classes: Any = [
        {"kind": "flow", "owner_id": f"f{n:05}", "name": f"g{n % 400}_read", "created": n} for n in range(count)
    ]
    with engine.write() as tx:
        tx.insert("flows", rows, fresh=True)
        tx.insert("classes", classes, fresh=True)
    groups = frozenset(f"g{n}_read" for n in range(0, 400, apart))
    readable = [n for n in range(count - 1, -1, -1) if n % apart == 0 and (not filters or n % 16)]
    caller = Caller("reader", frozenset({"read"}), groups, AccessRules())
    where: tuple[Condition, ...] = (*equals(**filters), *caller.visible("flow"))
    how: dict[str, Any] = {"order": ("created", "id"), "descending": True, "limit": PAGE, "columns": ["created", "id"]}
    with Count(emulator) as counted, engine.read() as tx:
        first = tx.select("flows", where, **how)
        found = first + tx.select("flows", where, **how, after=[first[-1]["created"], first[-1]["id"]])
    assert [row["created"] for row in found] == readable[: 2 * PAGE]
    assert counted.total <= 2 * 6 + 2, counted.by_kind
    assert counted.rows <= 20_000
