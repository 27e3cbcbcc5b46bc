"""F19: what a consistency check finds and repairs in the numbers of live playlists."""

from storage.catalog.check.findings import LEFT_NUMBERS
from storage.catalog.playback.playlist_request import PlaylistRequest
from tests.unit.catalog.check.checks import check, repair_all
from tests.unit.catalogs import BASE, CALLER, World


def test_numbers_of_a_flow_that_is_gone_are_deleted(world: World, filled: str) -> None:
    world.catalog.playback.flow_playlist(CALLER, filled, PlaylistRequest(type="live"), BASE)
    assert check(world) == []
    with world.engine.write() as tx:
        [row] = [each for each in tx.select("service") if each["key"].endswith(filled)]
        tx.insert("service", [{**row, "key": row["key"].replace(filled, "gone")}])
    [finding] = check(world)
    assert (finding.kind, finding.flow_id, finding.repaired) == (LEFT_NUMBERS, "gone", False)
    repair_all(world)
    assert row in world.rows("service")
