"""What one of several processes does that race for the same rows. Knows no more of an engine than its URL."""

import multiprocessing
import random
from collections.abc import Callable
from typing import Any, TypeVar

from storage.errors import Conflict, Contended
from storage.tables import open_engine
from storage.tables.conditions import Overlaps, equals
from storage.tables.engine import Engine, Writer

APPENDS = 20
PLACEMENTS = 30
NAMES = 20
LENGTH = 10
SPACE = 10**6
"""Appends happen beyond, placements before it."""
_TRIES = 1000

Result = TypeVar("Result")
Placed = list[tuple[int, int, str]]


def race(url: str, processes: int) -> list[tuple[Placed, list[str]]]:
    """Run `compete` in so many processes at once; what each of them was told that it had done."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.starmap(compete, [(url, number) for number in range(processes)], chunksize=1)


def compete(url: str, number: int) -> tuple[Placed, list[str]]:
    """Segments that were put into the flow "f" as (start, end, object id), and ids of sources that were made."""
    engine = open_engine(url)
    chance = random.Random(number)
    placed: Placed = []
    made = []
    try:
        for n in range(APPENDS):
            placed.append(_write(engine, lambda tx, n=n: _append(tx, f"{number}-{n}")))
        for n in range(PLACEMENTS):
            start = chance.randrange(0, 400)
            placed += _write(engine, lambda tx, n=n, start=start: _place(tx, start, f"{number}+{n}"))
        for n in range(NAMES):
            try:
                _write(engine, lambda tx, n=n: tx.insert("sources", [_source(f"id-{n}")]))
            except Conflict:
                continue
            made.append(f"id-{n}")
    finally:
        engine.close()
    return placed, made


def _write(engine: Engine, change: Callable[[Writer], Result]) -> Result:
    """As the catalogue does it: a transaction that has lost is made again."""
    for _ in range(_TRIES):
        try:
            with engine.write() as tx:
                return change(tx)
        except Contended:
            continue
    raise AssertionError("never won")


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
    tx.update("flows", equals(id="f"), {"segments_updated": state["segments_updated"] + 1})
    row = {"flow_id": "f", "start_ns": start, "end_ns": start + LENGTH, "object_id": object_id}
    tx.insert("segments", [{**row, "timerange": "", "created": 0, "doc": {}}])


def _source(id_: str) -> dict[str, Any]:
    return {"id": id_, "format": "f", "label": "", "unlabelled": True, "created": 0, "updated": 0, "doc": {}}
