"""Pages of the VAST engine compared with the same rows sorted in memory: wrong time windows, and very many ties."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from storage.tables import open_engine
from storage.tables.conditions import Compare, Condition, Overlaps, equals
from storage.tables.engine import Engine
from tests.vast_emulator import Emulator


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    emulator = Emulator()
    engine = open_engine(emulator.url("paged"))
    engine.create()
    yield engine
    engine.close()
    emulator.close()


def _gappy(chance: random.Random, count: int) -> list[tuple[int, int]]:
    """Spans and gaps of very different lengths."""
    spans, at = [], chance.choice([0, -(10**9), 10**18])
    for _ in range(count):
        at += chance.choice([0, 0, 0, 0, 1, 5, 10**4, 10**9])
        length = chance.choice([1, 10, 10, 10, 10, 1000, 10**7])
        spans.append((at, at + length))
        at += length
    return spans


@pytest.mark.parametrize("seed", range(4))
def test_pages_by_time_windows_are_complete(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    flow_id = f"gappy-{seed}"
    spans = _gappy(chance, 3000)
    common = {"flow_id": flow_id, "object_id": "o", "timerange": "_", "created": 0, "doc": {}}
    with engine.write() as tx:
        tx.insert("segments", [{**common, "start_ns": start, "end_ns": end} for start, end in spans])
    moments = [edge + off for span in spans for edge in span for off in (-1, 0, 1)]
    for _ in range(60):
        low, high = sorted(chance.sample(moments, 2))
        choices: list[tuple[Condition, ...]] = [(), (Overlaps(low, high),), (Overlaps(low, 2**63 - 1),)]
        choices += [(Overlaps(-(2**63), high),), (Compare("end_ns", ">", low),), (Compare("start_ns", "<", high),)]
        choices += [(Compare("start_ns", ">=", low), Compare("start_ns", "<", high), Compare("end_ns", "<=", high))]
        where = chance.choice(choices)
        descending, limit = chance.random() < 0.5, chance.choice([1, 7, 101, 400])
        after = chance.choice([None, chance.choice(spans)[0]])
        expected = sorted((span for span in spans if _meets(span, where)), reverse=descending)
        if after is not None:
            expected = [span for span in expected if (span[0] < after if descending else span[0] > after)]
        with engine.read() as tx:
            rows = tx.select(
                "segments",
                (*equals(flow_id=flow_id), *where),
                order=("start_ns",),
                descending=descending,
                after=None if after is None else [after],
                limit=limit,
                columns=["start_ns", "end_ns"],
            )
        assert [(row["start_ns"], row["end_ns"]) for row in rows] == expected[:limit]


def _meets(span: tuple[int, int], where: tuple[Condition, ...]) -> bool:
    values = {"start_ns": span[0], "end_ns": span[1]}
    for condition in where:
        match condition:
            case Overlaps(start, end):
                if not (span[0] < end and span[1] > start):
                    return False
            case Compare(column, sign, value):
                met = {">": values[column] > value, ">=": values[column] >= value}
                met |= {"<": values[column] < value, "<=": values[column] <= value}
                if not met[sign]:
                    return False
    return True


@pytest.mark.parametrize("descending", [False, True])
def test_very_many_ties_are_paged_exactly_once(engine: Engine, descending: bool) -> None:
    name = f"ties-{descending}"
    plain: dict[str, Any] = {"format": name, "label": "", "updated": 0, "doc": {}}
    keys = [(created, unlabelled) for created, count in ((1, 40), (2, 4000), (3, 40)) for unlabelled in [True] * count]
    rows = [
        {**plain, "id": f"{name}-{n:05}", "created": created, "unlabelled": unlabelled}
        for n, (created, unlabelled) in enumerate(keys)
    ]
    with engine.write() as tx:
        tx.insert("sources", rows)
    order = ("unlabelled", "created", "id")
    seen: list[str] = []
    after: list[Any] | None = None
    with engine.read() as tx:
        while True:
            page = tx.select(
                "sources",
                equals(format=name),
                order=order,
                descending=descending,
                after=after,
                limit=300,
                columns=list(order),
            )
            seen += [row["id"] for row in page]
            if len(page) < 300:
                break
            after = [page[-1][column] for column in order]
    assert seen == sorted((row["id"] for row in rows), reverse=descending)
