"""What each of several processes does that compete for the same rows. It only knows the URL of the engine."""

import multiprocessing
import random
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from storage.errors import Conflict, Contended
from storage.tables import open_engine
from storage.tables.conditions import Overlaps, equals
from storage.tables.engine import Engine
from storage.tables.rows import SegmentRow, SourceRow
from storage.tables.transaction import Writer

APPENDS = 20
PLACEMENTS = 30
NAMES = 20
LENGTH = 10
SPACE = 10**6
"""Segments are appended after this time (ns), and placed before it."""
_TRIES = 1000

Result = TypeVar("Result")
Placed = list[tuple[int, int, str]]


def race(url: str, processes: int) -> list[tuple[Placed, list[str]]]:
    """Run `compete` in several processes at once. Returns what each of them believes it has done."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.starmap(compete, [(url, number) for number in range(processes)], chunksize=1)


def compete(url: str, number: int) -> tuple[Placed, list[str]]:
    """Add segments to the flow "f" and create sources. Returns the segments (start, end, object id) and source ids."""
    engine = open_engine(url)
    chance = random.Random(number)
    placed: Placed = []
    made = []
    try:
        for n in range(APPENDS):
            placed.append(_write(engine, partial(_append, object_id=f"{number}-{n}")))
        for n in range(PLACEMENTS):
            start = chance.randrange(0, 400)
            placed += _write(engine, partial(_place, start=start, object_id=f"{number}+{n}"))
        for n in range(NAMES):
            try:
                _write(engine, partial(_create_source, id_=f"id-{n}"))
            except Conflict:
                continue
            made.append(f"id-{n}")
    finally:
        engine.close()
    return placed, made


def _write(engine: Engine, change: Callable[[Writer], Result]) -> Result:
    """Retry the transaction while another writer comes first, as the catalogue does."""
    for _ in range(_TRIES):
        try:
            with engine.write() as tx:
                return change(tx)
        except Contended:
            continue
    raise AssertionError("another writer always came first")


def _append(tx: Writer, object_id: str) -> tuple[int, int, str]:
    tx.lock("flow:f")
    last = tx.select("segments", equals(flow_id="f"), order=("start_ns",), descending=True, limit=1)
    start = max(last[0]["end_ns"], SPACE) if last else SPACE
    _insert(tx, start, object_id)
    return start, start + LENGTH, object_id


def _place(tx: Writer, start: int, object_id: str) -> Placed:
    tx.lock("flow:f")
    if tx.select("segments", [*equals(flow_id="f"), Overlaps(start, start + LENGTH)], limit=1):
        return []
    _insert(tx, start, object_id)
    return [(start, start + LENGTH, object_id)]


def _insert(tx: Writer, start: int, object_id: str) -> None:
    state = tx.get("flows", id="f")
    assert state is not None
    tx.update("flows", equals(id="f"), {"segments_updated": (state["segments_updated"] or 0) + 1})
    row: SegmentRow = {
        "flow_id": "f",
        "start_ns": start,
        "end_ns": start + LENGTH,
        "object_id": object_id,
        "timerange": "",
        "created": 0,
        "doc": {},
    }
    tx.insert("segments", [row])


def _create_source(tx: Writer, id_: str) -> None:
    row: SourceRow = {
        "id": id_,
        "format": "f",
        "label": "",
        "unlabelled": True,
        "created": 0,
        "updated": 0,
        "doc": {},
    }
    tx.insert("sources", [row])
