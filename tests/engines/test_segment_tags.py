"""F14: segments filtered by tags, on every engine, against a model; and the tags that follow their segments."""

import itertools
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.paging import PageRequest
from storage.catalog.segments import tagged_page
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.tags import TagFilter
from storage.tables import open_engine
from storage.tables.transfer import export_tables, import_tables
from storage.timerange import ETERNITY, TimeRange
from tests.engines.test_vast_requests import Count
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import BASE, CALLER, World, open_world
from tests.vast_emulator import Emulator

SECOND = 10**9
COUNT = 60
FILTERS = [
    TagFilter({"shot": ["wide"]}),
    TagFilter({"shot": ["wide", "close", "none such"]}),
    TagFilter({"shot": ["x" * 4000]}),
    TagFilter({"rare": ["yes"]}),
    TagFilter({"rare": ["no"]}),
    TagFilter({"shot": [""]}),
    TagFilter({}, {"shot": True}),
    TagFilter({}, {"shot": False}),
    TagFilter({}, {"empty": True}),
    TagFilter({}, {"all": False}),
    TagFilter({"shot": ["wide"], "number": ["1", "2"]}),
    TagFilter({"number": [str(n) for n in range(7)]}, {"rare": False}),
    TagFilter({"number": ["0"]}, {"shot": True, "all": True}),
    TagFilter({"number": ["0"], "odd": ["yes"]}),
]


@pytest.fixture
def world(engine_url: str, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(async_deletion_threshold=20, deletion_batch=7), engine_url) as world:
        yield world


def _tags(number: int, chosen: random.Random) -> dict[str, Any]:
    tags: dict[str, Any] = {"all": "yes", "number": str(number % 10)}
    if number % 10 % 2:
        tags["odd"] = "yes"
    if chosen.random() < 0.6:
        tags["shot"] = chosen.choice(["wide", "close", ["wide", "close"], ["x" * 4000, ""]])
    if number in (16, 50):
        tags["rare"] = "yes"
    if number == 40:
        tags["empty"] = []
    return tags


def _fill(world: World) -> tuple[str, dict[int, dict[str, Any]]]:
    """A flow with segments of a second and gaps, and the tags of each segment by its second."""
    chosen = random.Random(7)
    flow_id, other = world.make_flow(), world.make_flow()
    tags = {number: _tags(number, chosen) for number in range(COUNT) if number % 7 != 3}
    for each in (flow_id, other):
        segments = [
            {"object_id": f"{each}/{number}", "timerange": at(number), "tags": value, "get_urls": [_url(number)]}
            for number, value in tags.items()
        ]
        assert world.register(each, *segments) == []
    return flow_id, tags


def _url(number: int) -> dict[str, str]:
    return {"label": "elsewhere", "url": f"https://media.example.com/{number}"}


def _pages(
    world: World, flow_id: str, tags: TagFilter, timerange: TimeRange = ETERNITY, limit: int = 1000, *, reverse: bool
) -> list[int]:
    """The seconds of the segments on all pages."""
    found: list[int] = []
    key = None
    for _ in range(COUNT + 2):
        page = world.catalog.segments.page(
            CALLER,
            flow_id,
            SegmentFilter(timerange, None, tags),
            PageRequest(limit, key, reverse),
            GetUrlFilter(),
            BASE,
        ).page
        assert len(page.items) <= limit
        found += [int(each["timerange"][1:].partition(":")[0]) for each in page.items]
        key = page.next_key
        if key is None:
            return found
    raise AssertionError("the pages do not end")


def _expected(stored: Mapping[int, dict[str, Any]], tags: TagFilter, first: int, last: int, reverse: bool) -> list[int]:
    seconds = [second for second, value in stored.items() if first <= second < last and tags.matches(value)]
    return seconds[::-1] if reverse else seconds


def test_pages_are_those_of_the_model(world: World) -> None:
    flow_id, stored = _fill(world)
    within = TimeRange(20 * SECOND + 1, 51 * SECOND)
    for tags, reverse in itertools.product(FILTERS, (False, True)):
        assert _pages(world, flow_id, tags, reverse=reverse) == _expected(stored, tags, 0, COUNT, reverse), tags
        found = _pages(world, flow_id, tags, within, 8, reverse=reverse)
        assert found == _expected(stored, tags, 20, 51, reverse), tags


def test_pages_that_end_early_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pages do if very many segments pass each filter, but hardly any passes all."""
    monkeypatch.setattr(tagged_page, "_ROUNDS", 2)
    monkeypatch.setattr(tagged_page, "_MOST", 5)
    flow_id, stored = _fill(world)
    for tags, reverse in itertools.product(FILTERS[6:], (False, True)):
        found = _pages(world, flow_id, tags, limit=4, reverse=reverse)
        assert found == _expected(stored, tags, 0, COUNT, reverse), tags


@pytest.fixture
def with_ten_values(world: World) -> tuple[str, TagFilter]:
    """A flow of which every segment has ten values of a tag, and a filter that needs one of them, and none at all."""
    flow_id, values = world.make_flow(), [f"v{number}" for number in range(10)]
    segments = [
        {"object_id": f"{flow_id}/{number}", "timerange": at(number), "tags": {"x": values}, "get_urls": [_url(number)]}
        for number in range(COUNT)
    ]
    assert world.register(flow_id, *segments) == []
    return flow_id, TagFilter({"x": values}, {"x": False})


@pytest.mark.parametrize("reverse", [False, True])
def test_a_segment_with_several_values_counts_once_for_a_page_of_sql(
    world: World,
    with_ten_values: tuple[str, TagFilter],
    engine_url: str,
    monkeypatch: pytest.MonkeyPatch,
    reverse: bool,
) -> None:
    monkeypatch.setattr(tagged_page, "_ROUNDS", 1)
    flow_id, tags = with_ten_values
    with world.engine.read() as tx:
        select, read = tx.select, list[int]()

        def counted(table: str, *arguments: Any, **how: Any) -> list[Any]:
            rows = select(table, *arguments, **how)
            read.extend(row["start_ns"] // SECOND for row in rows if table == "segment_tags")
            return rows

        monkeypatch.setattr(tx, "select", counted, raising=False)
        flow: Any = {"id": flow_id, "content_start": 0, "content_end": COUNT * SECOND}
        request = PageRequest(24, None, reverse)
        filters = SegmentFilter(ETERNITY, None, tags)
        rows, next_key = tagged_page.select_tagged_page(tx, flow_id, flow, filters, request, 24, ["start_ns"])
    assert (rows, next_key is None) == ([], False)
    seen = 3 if engine_url.startswith("vast") else 25  # VAST returns a row for each value.
    assert list(dict.fromkeys(read)) == list(range(COUNT))[:: -1 if reverse else 1][:seen]
    assert seen == 3 or len(read) == seen


def test_a_page_ends_when_lists_of_values_have_led_to_many_rows(
    world: World, with_ten_values: tuple[str, TagFilter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagged_page, "_MOST_READ", 100)
    flow_id, tags = with_ten_values
    page = world.catalog.segments.page(
        CALLER, flow_id, SegmentFilter(ETERNITY, None, tags), PageRequest(9), GetUrlFilter(), BASE
    ).page
    assert page.items == []
    assert page.next_key is not None


def test_tags_are_those_of_the_last_change(world: World) -> None:
    flow_id, stored = _fill(world)
    for second in (0, 1, 2):
        world.catalog.segment_tags.set(CALLER, flow_id, at(second), "new", [str(second), "any"])
    world.catalog.segment_tags.set(CALLER, flow_id, at(1), "new", "other")
    world.catalog.segment_tags.delete(CALLER, flow_id, at(2), "new")
    assert _pages(world, flow_id, TagFilter({"new": ["any"]}), reverse=False) == [0]
    assert _pages(world, flow_id, TagFilter({}, {"new": True}), reverse=False) == [0, 1]
    assert world.catalog.segment_tags.all(CALLER, flow_id, at(2)) == stored[2]
    assert list(world.catalog.consistency.check()) == []


def test_tags_go_with_segments_that_are_deleted_in_batches(world: World) -> None:
    flow_id, stored = _fill(world)
    assert (
        world.catalog.deletions.delete_segments(CALLER, flow_id, SegmentFilter(TimeRange(0, 40 * SECOND))) is not None
    )
    world.run_background_work()
    left = {second: tags for second, tags in stored.items() if second >= 40}
    assert _pages(world, flow_id, TagFilter({"all": ["yes"]}), reverse=False) == list(left)
    assert {row["start_ns"] for row in world.rows("segment_tags") if row["flow_id"] == flow_id} == {
        second * SECOND for second in left
    }
    world.catalog.deletions.delete_flow(CALLER, flow_id)
    world.run_background_work()
    assert not any(row["flow_id"] == flow_id for row in world.rows("segment_tags"))
    assert list(world.catalog.consistency.check()) == []


def test_tags_are_exported_and_imported(world: World, tmp_path: Path) -> None:
    flow_id, stored = _fill(world)
    export_tables(world.engine, tmp_path / "export", lambda _table, _count: None)
    copy = open_engine(f"sqlite:///{tmp_path / 'copy.sqlite'}")
    copy.create()
    import_tables(copy, tmp_path / "export", lambda _table, _count: None)
    copy.close()
    with open_world(tmp_path / "other", database_url=f"sqlite:///{tmp_path / 'copy.sqlite'}") as other:
        found = _pages(other, flow_id, TagFilter({"shot": ["wide"]}), reverse=False)
    assert found == _expected(stored, TagFilter({"shot": ["wide"]}), 0, COUNT, reverse=False)


def test_a_page_takes_few_requests_to_a_cluster(tmp_path: Path) -> None:
    """However many segments have the tag."""
    emulator = Emulator()
    number, rows = 24_000, 4_000
    with open_world(tmp_path, database_url=emulator.url("counted")) as world:
        engine = world.engine
        flow_id = world.make_flow()
        for first in range(0, number, rows):
            seconds = range(first, first + rows)
            with engine.write() as tx:
                tx.insert("segments", [_row(flow_id, second) for second in seconds], fresh=True)
                tx.insert("segment_tags", [_tag_row(flow_id, s, "common") for s in seconds], fresh=True)
                tx.insert(
                    "segment_tags", [_tag_row(flow_id, s, "rare") for s in seconds if s % 10_000 == 7], fresh=True
                )
        with engine.write() as tx:
            tx.update("flows", [], {"content_start": 0, "content_end": number * SECOND})
        within = TimeRange(5_000 * SECOND + 5, 20_000 * SECOND)
        for tags, timerange, most in (
            (TagFilter(), ETERNITY, 4),
            (TagFilter({"tag": ["common"]}), ETERNITY, 8),
            (TagFilter({"tag": ["rare"]}), ETERNITY, 5),
            (TagFilter({"tag": ["none such"]}), ETERNITY, 3),
            (TagFilter({}, {"tag": True}), within, 9),
            (TagFilter({"tag": ["rare", "common"]}), within, 9),
            (TagFilter({"tag": ["rare"]}, {"tag": True}), within, 12),
        ):
            with Count(emulator) as count:
                filters = SegmentFilter(timerange, None, tags)
                page = world.catalog.segments.page(CALLER, flow_id, filters, PageRequest(30), GetUrlFilter(), BASE)
            assert count.total <= most, (tags, count.by_kind)
            assert bool(page.page.items) == (tags.values.get("tag") != ["none such"])
    emulator.close()


def _row(flow_id: str, second: int) -> Any:
    span = {"start_ns": second * SECOND, "end_ns": (second + 1) * SECOND, "timerange": at(second)}
    return {"flow_id": flow_id, **span, "object_id": f"o{second}", "created": 1, "doc": {"object_timerange": at(0)}}


def _tag_row(flow_id: str, second: int, value: str) -> Any:
    return {"flow_id": flow_id, "start_ns": second * SECOND, "name": "tag", "value": value, "empty": False}
