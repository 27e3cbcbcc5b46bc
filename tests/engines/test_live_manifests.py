"""F19: live manifests of DASH on every engine: where periods begin, on which processes agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog
from storage.catalog.playback import period_starts, recent_texts
from storage.catalog.playback.playlist_request import PlaylistRequest
from storage.errors import Unavailable
from tests.conformance.kit.documents import AUDIO, MULTI, flow, init_flow
from tests.conformance.kit.ids import fresh
from tests.playback.dash_rules import Manifest, check_reload, read_manifest
from tests.unit.catalogs import BASE, CALLER, World, open_world

from .test_playback import process

LIVE = PlaylistRequest(type="live", window_s=10)
SOUND = {"sample_rate": 48000, "channels": 2, "init_segments": True}

# One of the two ways of VAST to report conflicts is enough: nobody else writes, and there each test takes many seconds.
pytestmark = pytest.mark.parametrize("engine_url", ["sqlite", "postgresql", "vast-commit"], indirect=True)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)


def manifest(catalog: Catalog, flow_id: str) -> Manifest:
    return read_manifest(catalog.playback.manifest(CALLER, "flow", flow_id, LIVE, BASE).content.decode())


def recorder(world: World, document: dict[str, Any], restart_s: int) -> tuple[str, Callable[[int, int], None]]:
    """A flow, and how to add a segment to it by its first second and its last.

    Its media has another init object for every `restart_s` seconds.
    """
    flow_id = world.make_flow(document)
    inits: dict[int, str] = {}

    def add(start: int, end: int) -> None:
        init = inits.get(start // restart_s)
        if init is None:
            init = inits[start // restart_s] = fresh()
            world.allocate(flow_id, init)
        id_ = fresh()
        world.allocate(flow_id, id_)
        item = {"object_id": id_, "init_object_id": init, "timerange": f"[{start}:0_{end}:0)"}
        assert world.register(flow_id, item) == []

    return flow_id, add


def check_window(last: Manifest | None, found: list[Manifest]) -> Manifest:
    """Check that processes agree, and that nothing has moved since the last manifest."""
    for each in found:
        assert each.attributes["availabilityStartTime"] == found[0].attributes["availabilityStartTime"]
        assert each.periods == found[0].periods
    if last is not None:
        check_reload(last, found[0])
    return found[0]


def test_periods_stay_where_they_are_while_the_window_slides(engine_url: str, tmp_path: Path) -> None:
    """In every process, after a restart, and when segments are deleted."""
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id, add = recorder(world, init_flow(status="ingesting"), 12)
        replicas = [process(world) for _ in range(2)]
        last = None
        begins = set()
        for second in range(0, 48, 2):
            # With a gap in every restart.
            if second % 12 != 6:
                add(second, second + 1)
                add(second + 1, second + 2)
            last = check_window(last, [manifest(each, flow_id) for each in (*replicas, process(world))])
            begins.add(last.periods[0].start)
            world.delete_segments(flow_id, f"_{second - 10}:0)")
        assert begins == {0, 12, 24, 36}


def test_periods_of_a_programme_stay_where_they_are(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        video, add_pictures = recorder(world, init_flow(status="ingesting"), 18)
        document = flow(AUDIO, container="audio/mp4", essence_parameters=SOUND, status="ingesting")
        sound, add_sound = recorder(world, document, 14)
        multi = world.make_flow(flow(MULTI, flow_collection=[{"id": video}, {"id": sound}]))
        last, alone = None, None
        for second in range(0, 40, 2):
            add_pictures(second, second + 1)
            add_pictures(second + 1, second + 2)
            add_sound(second, second + 2)
            processes = [process(world) for _ in range(2)]
            last = check_window(last, [manifest(each, multi) for each in processes])
            alone = check_window(alone, [manifest(each, video) for each in processes])
        assert last is not None
        assert alone is not None
        # What breaks the sound begins no period of the pictures alone.
        assert [each.start for each in last.periods] == [28, 36]
        assert [each.start for each in alone.periods] == [18, 36]


def test_a_live_manifest_is_read_while_nothing_can_be_written(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id, add = recorder(world, init_flow(status="ingesting"), 12)
        for second in range(15):
            add(second, second + 1)

        def unavailable() -> Any:
            raise Unavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(world.engine, "write", unavailable)
            last = manifest(world.catalog, flow_id)
        assert [each.start for each in last.periods] == [0, 12]
        check_window(last, [manifest(world.catalog, flow_id)])
        for second in range(15, 23):
            add(second, second + 1)
        check_window(last, [manifest(process(world), flow_id)])


def test_no_more_beginnings_are_kept_than_a_manifest_has(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(period_starts, "MOST_PERIODS", 3)
    with open_world(tmp_path, database_url=engine_url) as world:
        flow_id, add = recorder(world, init_flow(status="ingesting"), 6)
        last = None
        for second in range(42):
            add(second, second + 1)
            last = check_window(last, [manifest(world.catalog, flow_id)])
        [row] = [each for each in world.rows("service") if each["key"].endswith(flow_id)]
        assert [time for time, _ in row["value"]["period_starts"]] == [n * 10**9 for n in (24, 30, 36)]
        world.catalog.deletions.delete_flow(CALLER, flow_id)
        world.run_background_work()
        assert not any(each["key"].endswith(flow_id) for each in world.rows("service"))
