"""F20: summaries of timelines on every engine, against the segments counted one by one."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.spans import Span
from storage.catalog.timeline.buckets import Bucket
from storage.catalog.timeline.timeline import Summary, TimelineRequest, Timelines
from storage.tables.sql.transaction import SqlTransaction
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, TimeRange, parse_timerange
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import CALLER, World, open_world


@pytest.fixture
def world(engine_url: str, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, database_url=engine_url) as world:
        yield world


@pytest.fixture(params=[7, 10_000])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many segments one request may count."""
    for reader in (Reader, SqlTransaction):
        monkeypatch.setattr(reader, "max_counted", request.param)
    return int(request.param)


def spans_of(seed: int, count: int, unit: int, start: int) -> list[Span]:
    """Spans with gaps between some of them, in order of time, some much longer than others."""
    chosen, spans, position = random.Random(seed), [], start
    for _ in range(count):
        position += chosen.choice([0, 0, 0, 1, unit, 50 * unit])
        length = chosen.choice([1, unit, unit, unit + 1, 300 * unit])
        spans.append((position, position + length))
        position += length
    return spans


def put(world: World, flow_id: str, spans: Sequence[Span]) -> None:
    """Store segments with these spans, past the catalogue's rules."""
    common = {"flow_id": flow_id, "timerange": "_", "created": 0, "doc": {}}
    rows: list[Any] = [
        {**common, "start_ns": start, "end_ns": end, "object_id": f"{flow_id} {start}"} for start, end in spans
    ]
    with world.engine.write() as tx:
        tx.insert("segments", rows)


def pages(timelines: Timelines, flow_id: str, request: TimelineRequest) -> list[Summary]:
    """All parts of a timeline, each of which begins where the one before ends."""
    found = [timelines.summary(CALLER, flow_id, request)]
    while not found[-1].rest.is_empty:
        last = found[-1]
        assert last.rest.start == last.timerange.end
        found.append(timelines.summary(CALLER, flow_id, TimelineRequest(last.rest, level=last.level)))
    return found


def merged(found: Sequence[Summary]) -> dict[int, tuple[int, int, bool]]:
    """Segments, covered time and whether there is a gap, by the number of each bucket that is not empty."""
    segments: Counter[int] = Counter()
    covered: Counter[int] = Counter()
    gaps: Counter[int] = Counter()
    for page in found:
        for bucket in page.buckets:
            segments[bucket.number] += bucket.segments
            covered[bucket.number] += bucket.covered
            gaps[bucket.number] += page.has_gap(bucket)
    filled = [number for number in sorted(covered) if covered[number]]
    return {number: (segments[number], covered[number], gaps[number] > 0) for number in filled}


def expected(spans: Sequence[Span], start: int, end: int, level: int) -> dict[int, tuple[int, int, bool]]:
    """The same, found by looking at every segment for every bucket."""
    start, end = max(start, spans[0][0]), min(end, spans[-1][1])
    found = {}
    for number in range(start >> level, (end - 1 >> level) + 1):
        first, last = max(start, number << level), min(end, (number + 1) << level)
        here = [(max(first, a), min(last, b)) for a, b in spans if a < last and b > first]
        if here:
            covered = sum(b - a for a, b in here)
            found[number] = sum(first <= a < last for a, _ in spans), covered, covered < last - first
    return found


@pytest.mark.parametrize(("unit", "start"), [(2_000_000_000, 1_700_000_000 * 10**9), (1, -500), (37, -(2**61))])
def test_counts_cover_and_gaps_are_exact(world: World, most: int, unit: int, start: int) -> None:
    flow_id, spans = world.make_flow(flow()), spans_of(unit, 40, unit, start)
    put(world, flow_id, spans)
    whole = pages(world.catalog.timelines, flow_id, TimelineRequest(buckets=100))
    level = whole[0].level
    assert merged(whole) == expected(spans, spans[0][0], spans[-1][1], level)
    assert {page.level for page in whole} == {level}
    assert whole[0].content == TimeRange(spans[0][0], spans[-1][1])
    assert (len(whole) == 1) == (most > len(spans))
    chosen = random.Random(most)
    for _ in range(3):
        first, last = sorted(chosen.sample(range(spans[0][0] - unit, spans[-1][1] + unit), 2))
        request = TimelineRequest(TimeRange(first, last), buckets=chosen.randrange(1, 200))
        part = pages(world.catalog.timelines, flow_id, request)
        assert len(merged(part)) <= request.buckets
        assert merged(part) == expected(spans, first, last, part[0].level)


def test_what_was_counted_before_is_not_counted_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlTransaction, "max_counted", 40)
    monkeypatch.setattr(Reader, "max_counted", 40)
    flow_id, spans = world.make_flow(flow()), spans_of(1, 200, 1000, 0)
    put(world, flow_id, spans)
    timelines = world.catalog.timelines
    first = pages(timelines, flow_id, TimelineRequest())
    again = pages(timelines, flow_id, TimelineRequest())
    assert len(first) > 4
    assert len(again) == 1
    assert merged(again) == merged(first)


def test_a_change_is_seen_at_once(world: World) -> None:
    flow_id = world.make_flow(flow())
    add(world, flow_id, *(at(n) for n in range(10)))
    timelines = world.catalog.timelines
    request = TimelineRequest(level=30)
    assert sum(bucket.segments for bucket in timelines.summary(CALLER, flow_id, request).buckets) == 10
    add(world, flow_id, at(20))
    found = timelines.summary(CALLER, flow_id, request)
    assert sum(bucket.segments for bucket in found.buckets) == 11
    world.delete_segments(flow_id, "[2:0_5:0)")
    changed = timelines.summary(CALLER, flow_id, request)
    assert sum(bucket.segments for bucket in changed.buckets) == 8
    assert changed.updated is not None
    assert found.updated is not None
    assert changed.updated > found.updated


def test_content_of_any_length_is_counted(world: World) -> None:
    """The lengths of these segments have a sum that no database can add as an integer of 64 bits."""
    flow_id = world.make_flow(flow())
    spans = [(-(2**63) + 1, -5), (-5, 7), (7, 2**63 - 1)]
    put(world, flow_id, spans)
    for request in (TimelineRequest(), TimelineRequest(buckets=1), TimelineRequest(level=62)):
        found = pages(world.catalog.timelines, flow_id, request)
        assert merged(found) == expected(spans, spans[0][0], spans[-1][1], found[0].level)
    near = world.catalog.timelines.summary(CALLER, flow_id, TimelineRequest(parse_timerange("[-1:0_1:0)"), level=3))
    assert merged([near]) == expected(spans, -(10**9), -(10**9) + 2000 * 8, 3)


def test_an_empty_flow_and_an_empty_timerange_have_no_buckets(world: World) -> None:
    flow_id = world.make_flow(flow())
    for timerange in (ETERNITY, parse_timerange("()"), parse_timerange("_5:0"), parse_timerange("[5:0_")):
        found = world.catalog.timelines.summary(CALLER, flow_id, TimelineRequest(timerange))
        assert (found.buckets, found.timerange.is_empty, found.rest.is_empty) == ([], True, True)
    add(world, flow_id, at(0))
    assert world.catalog.timelines.summary(CALLER, flow_id, TimelineRequest(parse_timerange("()"))).buckets == []


def test_reuse_parts_and_key_frames_are_told(world: World) -> None:
    flow_id, cut_id = world.make_flow(flow()), world.make_flow(flow())
    ids = [fresh() for _ in range(4)]
    world.allocate(flow_id, *ids)
    items = [{"object_id": id_, "timerange": at(n), "key_frame_count": 2} for n, id_ in enumerate(ids)]
    assert world.register(flow_id, *items) == []
    reference = {"object_id": ids[1], "timerange": "[100:0_100:500000000)", "ts_offset": "99:0"}
    assert world.register(cut_id, reference) == []

    def buckets(id_: str) -> list[Bucket]:
        return world.catalog.timelines.summary(CALLER, id_, TimelineRequest(level=28)).buckets

    told = [each for each in buckets(flow_id) if each.segments]
    assert [(each.sampled, each.reused, each.partial, each.key_frames) for each in told] == [
        (1, int(n == 1), 0, 2) for n in range(4)
    ]
    [cut] = [each for each in buckets(cut_id) if each.segments]
    assert (cut.sampled, cut.reused, cut.partial) == (1, 1, 1)


@pytest.mark.parametrize(
    ("used", "whole", "partial"),
    [
        ("[0:0_2:0)", "[0:0_2:21333333)", 0),  # an AAC frame of 1024 samples at 48 kHz
        ("[0:0_2:0)", "[0:0_2:50000000)", 0),
        ("[0:0_2:0)", "[0:0_2:50000001)", 1),
        ("[0:0_0:75000000)", "[0:0_0:100000000)", 0),
        ("[0:0_0:70000000)", "[0:0_0:100000000)", 1),
    ],
)
def test_an_object_a_little_longer_than_its_segment_is_no_part(
    world: World, used: str, whole: str, partial: int
) -> None:
    flow_id, object_id = world.make_flow(flow()), fresh()
    world.allocate(flow_id, object_id)
    assert world.register(flow_id, {"object_id": object_id, "timerange": used, "object_timerange": whole}) == []
    summary = world.catalog.timelines.summary(CALLER, flow_id, TimelineRequest(level=33))
    assert [(bucket.sampled, bucket.partial) for bucket in summary.buckets if bucket.segments] == [(1, partial)]


def test_a_long_timeline_is_sampled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.timeline.samples.MOST_SAMPLED", 20)
    flow_id = world.make_flow(flow())
    put(world, flow_id, [(n * 16, n * 16 + 16) for n in range(640)])
    found = world.catalog.timelines.summary(CALLER, flow_id, TimelineRequest(buckets=10))
    assert sum(bucket.segments for bucket in found.buckets) == 640
    assert [bucket.sampled for bucket in found.buckets] == [1] * len(found.buckets)
