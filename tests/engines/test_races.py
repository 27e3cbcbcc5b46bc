"""Several processes write the same rows concurrently: no overlap, lost row or duplicate id on any engine."""

import multiprocessing
import threading
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.connection import Connection

import pytest

from storage.errors import Contended
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from tests.engines.racing import APPENDS, NAMES, SPACE, race
from tests.engines.rows import flow_row

PROCESSES = 8


@pytest.mark.timeout(300)
def test_processes_that_compete_for_one_flow_lose_nothing(engine_url: str, engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    results = race(engine_url, PROCESSES)
    with engine.read() as tx:
        rows = tx.select("segments", equals(flow_id="f"), order=("start_ns",))
        state = tx.get("flows", id="f")
        sources = [row["id"] for row in tx.select("sources", order=("id",))]
    stored = [(row["start_ns"], row["end_ns"], row["object_id"]) for row in rows]
    assert stored == sorted(placed for result, _ in results for placed in result)
    assert all(before[1] <= after[0] for before, after in pairwise(stored))
    assert len([start for start, _, _ in stored if start >= SPACE]) == PROCESSES * APPENDS
    assert state is not None
    assert state["segments_updated"] == len(stored)
    assert sorted(id_ for _, made in results for id_ in made) == sources == sorted(f"id-{n}" for n in range(NAMES))


@pytest.mark.parametrize("others", [[], [f"object:{n}" for n in range(5000)]], ids=["alone", "with_thousands_more"])
def test_writers_that_lock_the_same_name_wait_for_each_other(engine: Engine, others: list[str]) -> None:
    """The second writer reads what the first has written, although it asked for the lock before that was committed."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    holding, seen = threading.Event(), []

    def second() -> None:
        holding.wait(30)
        while not seen:
            try:
                with engine.write() as tx:
                    tx.lock("flow:f")
                    state = tx.get("flows", id="f")
                    assert state is not None
                    seen.append(state["segments_updated"])
            except Contended:
                continue

    thread = threading.Thread(target=second)
    thread.start()
    with engine.write() as tx:
        tx.lock("flow:f", *others)
        holding.set()
        thread.join(0.3)
        assert seen == []
        tx.update("flows", equals(id="f"), {"segments_updated": 7})
    thread.join(30)
    assert seen == [7]


def _count(engine: Engine, answers: Connection) -> None:
    with engine.write() as tx:
        tx.lock("flow:f")
        answers.send(len(tx.select("flows")))


def test_an_engine_works_in_forked_processes(engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        mine, theirs = context.Pipe()
        process = context.Process(target=_count, args=(engine, theirs))
        process.start()
        assert mine.poll(30)
        assert mine.recv() == 1
        process.join(30)
        assert process.exitcode == 0
        with engine.read() as tx:
            assert len(tx.select("flows")) == 1


def test_processes_that_create_the_tables_concurrently_all_succeed(new_url: Callable[[], str]) -> None:
    empty_url = new_url()
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_create, [empty_url] * 4, chunksize=1)
    engine = open_engine(empty_url)
    with engine.read() as tx:
        assert tx.select("jobs") == []
    engine.close()


def _create(url: str) -> None:
    engine = open_engine(url)
    engine.create()
    engine.close()
