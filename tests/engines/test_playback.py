"""F19: playlists on every engine: what is read, and the numbers of live segments, which processes share."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from storage.catalog import Catalog
from storage.catalog.playback import recent_texts
from storage.catalog.playback.flow_media import read_timerange
from storage.catalog.playback.playlist_request import PlaylistRequest
from storage.catalog.playback.programme import playable
from storage.errors import Invalid, Unavailable, Unsuitable
from storage.playback.suitability import HLS
from storage.tables.conditions import equals
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, parse_timerange
from tests.conformance.kit.documents import IMAGE, MULTI, flow
from tests.conformance.kit.ids import fresh
from tests.playback.rules import Playlist, check_reload, read_media_playlist, read_multivariant_playlist
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import BASE, CALLER, World, open_world

LIVE = PlaylistRequest(type="live", window_s=10)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)


def process(world: World) -> Catalog:
    """The catalogue as another process has it."""
    return Catalog(world.engine, world.stores, clock=world.clock)


def playlist(catalog: Catalog, flow_id: str, request: PlaylistRequest = LIVE) -> Playlist:
    return read_media_playlist(catalog.playback.flow_playlist(CALLER, flow_id, request, BASE).content.decode())


def test_a_timerange_is_listed_in_order(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.playback.flow_media._PAGE", 7)
    monkeypatch.setattr("storage.catalog.playback.media_urls._BATCH", 11)
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="closed_complete"))
        add(world, flow_id, *(at(n) for n in range(40) if n != 30))
        found = playlist(world.catalog, flow_id, PlaylistRequest())
        assert [each.is_discontinuous for each in found.segments] == [n == 30 for n in range(39)]
        part = PlaylistRequest(parse_timerange("[25:0_35:0)"))
        assert [each.uri for each in playlist(world.catalog, flow_id, part).segments] == [
            each.uri for each in found.segments[25:34]
        ]


def test_processes_agree_on_numbers_while_segments_come_and_go(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        processes = [process(world) for _ in range(3)]
        add(world, flow_id, *(at(n) for n in range(8)))
        last = playlist(processes[0], flow_id)
        for number in range(8, 32, 2):
            # A gap before each sixth segment.
            add(world, flow_id, *(at(n) for n in (number, number + 1) if n % 6))
            found = [playlist(each, flow_id) for each in processes]
            assert found[0] == found[1] == found[2]
            check_reload(last, found[0])
            last = found[0]
            world.delete_segments(flow_id, f"_{number - 12}:0)")


def test_processes_that_number_a_flow_at_once_agree(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        add(world, flow_id, *(at(n) for n in range(20)))
        processes = [process(world) for _ in range(6)]
        with ThreadPoolExecutor(len(processes)) as threads:
            found = list(threads.map(lambda each: playlist(each, flow_id), processes))
        assert all(each == found[0] for each in found)


def test_a_programme_has_what_a_multi_flow_collects(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        members = [world.make_flow(flow(status="closed_complete")) for _ in range(2)]
        for flow_id in members:
            add(world, flow_id, at(0), at(1))
        multi = flow(MULTI, flow_collection=[{"id": flow_id} for flow_id in members])
        world.make_flow(multi)
        playback = world.catalog.playback
        for text in (
            playback.flow_playlist(CALLER, multi["id"], PlaylistRequest(), BASE),
            playback.source_playlist(CALLER, multi["source_id"], PlaylistRequest()),
        ):
            found = read_multivariant_playlist(text.content.decode())
            assert [each["URI"].split("/")[3] for each in found.variants] == members


class CountingReader:
    """Notes the table of each selection, and counts rows."""

    def __init__(self, tx: Reader) -> None:
        self._tx = tx
        self.max_fetched = tx.max_fetched
        self.tables: list[str] = []
        self.rows = 0

    def select(self, table: str, where: Sequence[Any] = (), **how: Any) -> Any:
        self.tables.append(table)
        found = self._tx.select(table, where, **how)
        self.rows += len(found)
        return found


def test_nested_collections_cost_two_queries_a_level(engine_url: str, tmp_path: Path) -> None:
    """However many flows collect the same ones, none is read twice."""
    with open_world(tmp_path, database_url=engine_url) as world:

        def collecting(*ids: str) -> str:
            return world.make_flow(flow(MULTI, flow_collection=[{"id": id_} for id_ in ids]))

        pictures = [world.make_flow(flow(IMAGE)) for _ in range(4)]
        middle = [collecting(*pictures) for _ in range(4)]
        upper = [collecting(*middle) for _ in range(4)]
        top, video = collecting(*upper), world.make_flow(flow())
        other = collecting(top, collecting(video), video)
        with world.engine.read() as tx:
            found = playable(tx, CALLER, tx.select("flows", equals(id=other)), HLS)
            assert [row["id"] for row in found] == [video]
            reader = CountingReader(tx)
            with pytest.raises(Unsuitable, match=pictures[0]):
                playable(cast(Reader, reader), CALLER, tx.select("flows", equals(id=top)), HLS)
        assert reader.tables == ["collections", "flows"] * 3


def test_too_many_segments_are_counted_before_their_documents_are_read(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST_SEGMENTS", 12), ("_COUNTED_AFTER", 4), ("_PAGE", 2)):
        monkeypatch.setattr(f"storage.catalog.playback.flow_media.{name}", value)
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="closed_complete"))
        add(world, flow_id, *(at(n) for n in range(12)))
        assert len(playlist(world.catalog, flow_id, PlaylistRequest()).segments) == 12
        add(world, flow_id, at(12))
        with world.engine.read() as tx:
            reader = CountingReader(tx)
            row = tx.get("flows", id=flow_id)
            assert row is not None
            with pytest.raises(Invalid, match="at most 12"):
                read_timerange(cast(Reader, reader), row, ETERNITY, 0)
        assert reader.tables == ["segments"] * 3
        assert reader.rows == 4 + 9


def test_a_live_window_without_segments_to_play_reads_no_more_than_a_few(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST_SEGMENTS", 12), ("_MOST_PASSED", 3)):
        monkeypatch.setattr(f"storage.catalog.playback.flow_media.{name}", value)
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        items = [
            {"object_id": fresh(), "timerange": at(n), "object_timerange": f"[{n}:0_{n + 5}:0)"} for n in range(11)
        ]
        world.allocate(flow_id, *(item["object_id"] for item in items))
        assert world.register(flow_id, *items) == []
        with pytest.raises(Unsuitable, match="all 8 segments"):
            world.catalog.playback.flow_playlist(CALLER, flow_id, PlaylistRequest(type="live", window_s=5), BASE)


def test_a_flow_that_is_written_again_gets_new_numbers(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        known: dict[int, str] = {}
        last = 0
        for first in (100, 90, 97):
            add(world, flow_id, *(at(n) for n in range(first, first + 8)))
            for number in range(first + 8, first + 11):
                found = playlist(world.catalog, flow_id)
                assert all(known.setdefault(each.number, each.uri) == each.uri for each in found.segments)
                assert found.segments[0].discontinuity >= last
                last = found.segments[0].discontinuity
                add(world, flow_id, at(number))
            world.delete_segments(flow_id, "_")


def test_a_segment_that_is_deleted_within_the_window_renumbers_nothing(engine_url: str, tmp_path: Path) -> None:
    """Not the one either from which numbers are counted, the last when the flow was first played."""
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        add(world, flow_id, *(at(n) for n in range(10)))
        playlist(world.catalog, flow_id)
        add(world, flow_id, *(at(n) for n in range(10, 13)))
        before = playlist(world.catalog, flow_id)
        world.delete_segments(flow_id, "[9:0_10:0)")
        after = playlist(world.catalog, flow_id)
        assert [each.number for each in after.segments] == [each.number for each in before.segments]
        assert len({each.discontinuity for each in (*before.segments, *after.segments)}) == 1
        assert [each.is_gap for each in after.segments] == [n == 9 for n in range(3, 13)]


def test_numbers_go_on_when_all_segments_have_been_deleted(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting", segment_duration={"numerator": 1}))
        add(world, flow_id, *(at(n) for n in range(4)), "[4:0_9:0)")
        full = playlist(world.catalog, flow_id)
        world.delete_segments(flow_id, "_")
        empty = playlist(world.catalog, flow_id)
        add(world, flow_id, at(20))
        again = playlist(world.catalog, flow_id)
        first = int(empty.tags["EXT-X-MEDIA-SEQUENCE"])
        assert full.segments[-1].number < first <= again.segments[0].number
        assert full.segments[-1].discontinuity <= int(empty.tags["EXT-X-DISCONTINUITY-SEQUENCE"])
        assert full.target == empty.target == again.target == 5


def test_an_earlier_window_has_the_numbers_of_the_last_one(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        add(world, flow_id, *(at(n) for n in range(40) if n != 15))
        whole = playlist(world.catalog, flow_id, PlaylistRequest(type="live", window_s=60))
        for _ in range(2):
            for end in (12, 20, 33):
                request = PlaylistRequest(parse_timerange(f"_{end}:0)"), "live", 10)
                found = playlist(world.catalog, flow_id, request)
                assert {each.uri: (each.number, each.discontinuity) for each in found.segments}.items() <= {
                    each.uri: (each.number, each.discontinuity) for each in whole.segments
                }.items()
            add(world, flow_id, at(40))
            playlist(world.catalog, flow_id)
            world.delete_segments(flow_id, "[40:0_41:0)")


def test_numbers_are_forgotten_with_their_flow(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        document = flow(status="ingesting")
        flow_id = world.make_flow(document)
        add(world, flow_id, *(at(n) for n in range(5)))
        playlist(world.catalog, flow_id)
        assert any(row["key"].endswith(flow_id) for row in world.rows("service"))
        world.catalog.deletions.delete_flow(CALLER, flow_id)
        world.run_background_work()
        assert not any(row["key"].endswith(flow_id) for row in world.rows("service"))


def test_a_live_playlist_is_read_while_nothing_can_be_written(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id = world.make_flow(flow(status="ingesting"))
        add(world, flow_id, *(at(n) for n in range(10)))
        last = playlist(world.catalog, flow_id)
        add(world, flow_id, *(at(n) for n in range(10, 19)))

        def unavailable() -> Any:
            raise Unavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(world.engine, "write", unavailable)
            found = playlist(world.catalog, flow_id)
        check_reload(last, found)
        assert playlist(world.catalog, flow_id) == found
