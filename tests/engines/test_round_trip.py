"""A used catalogue is moved SQLite -> VAST -> PostgreSQL -> SQLite, and every export has the same bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from storage.catalog import Limits, StoredBytesQuota
from storage.catalog.access.owners import remember_owner
from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.violations import Seen, Violation, day_of
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.schema import TABLES
from storage.tables.transfer import export_tables, import_tables
from tests.conformance.kit.documents import MULTI, TECHNICAL, VIDEO, flow, init_flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import CALLER, SECOND_BACKEND, World, open_world

ODD_TAGS = {"": "", "list": ["a", "b,c", ""], "none": [], "schöne Grüße \U0001f600": "line\nbreak", "a%2Fb/c": "'\"\\"}
EARLIEST, LATEST = "[-9000000000:0_-8999999999:999999999)", "[9000000000:1_9000000001:0)"


def silent(_table: str, _rows: int) -> None:
    """Ignore the progress."""


def _use(world: World) -> None:
    """Use the catalogue so that every table has rows."""
    catalog = world.catalog
    catalog.service.update({"name": "Round trip", "description": ""})
    catalog.credentials.add_token("somebody", ["read"], expires=2**53 + 1)
    catalog.credentials.add_password("user", "a password", ["admin"])
    world.add_webhook(api_key_name="X-Key", api_key_value="sécret", tags={"auth_classes": ["a", "b"]})
    outsider = Caller("issuer:ann", frozenset({"read"}), frozenset({"news_read", "a, b"}))
    with world.engine.write() as tx:
        remember_owner(tx, AccessRules(enabled=True), outsider, world.clock())
    profile_id, linked = fresh(), flow()
    profile = {"id": profile_id, "label": "profile", "flow_metadata": TECHNICAL[VIDEO]}
    catalog.profiles.create(CALLER, profile_id, profile)
    world.make_flow({"id": linked["id"], "source_id": linked["source_id"], "profile_id": profile_id})
    full = world.make_flow(flow(label="", description="\u2028", tags=ODD_TAGS))
    catalog.flows.set_member(CALLER, full, "read_only", True)
    catalog.flows.set_member(CALLER, full, "read_only", False)
    world.set_collection(world.make_flow(flow(MULTI)), full, linked["id"])
    for number, timerange in enumerate([EARLIEST, "[0:0_1:0]", "[1:1_2:0)", LATEST]):
        world.add_object(
            full, f"object/{number} é", timerange, sample_count=number, ts_offset="-1:5", last_duration="0:1"
        )
    initial = world.make_flow(init_flow())
    world.allocate(initial, "init", content_type="video/mp4")
    world.add_object(initial, "with-init", init_object_id="init", key_frame_count=2)
    catalog.objects.add_uncontrolled(CALLER, "with-init", "https://media.example.com/é?a=b", "elsewhere")
    world.allocate(full, "never-uploaded", content=None)
    catalog.segment_tags.set(CALLER, full, "[0:0_1:0]", "schöne Grüße", ["a,b", ""])
    broken = Violation("rejected", "GET_flows", "#/paths/~1flows/get", "Ann, ünd 'more'")
    catalog.violations.add({(day_of(world.clock()), broken): Seen(1, world.clock(), world.clock())})


def _leave_work(world: World) -> None:
    """Leave events that are not sent yet, jobs that no worker has done, and a flow that can be restored."""
    busy = world.make_flow()
    for second in range(3):
        world.add_object(busy, f"busy-{second}", f"[{second}:0_{second + 1}:0)")
    while world.catalog.deliveries.dispatch():
        pass
    world.catalog.copies.copy(CALLER, "busy-1", SECOND_BACKEND)
    world.catalog.objects.remove_instance(CALLER, "busy-1", SECOND_BACKEND, None)
    assert world.delete_segments(busy) is not None
    deleted = world.make_flow()
    world.set_collection(world.make_flow(flow(MULTI)), deleted)
    assert world.catalog.deletions.delete_flow(CALLER, deleted) is None
    doomed = flow()
    world.make_flow(doomed)
    assert world.catalog.source_deletions.delete(CALLER, doomed["source_id"], cascade=True) is not None


@pytest.fixture
def used(tmp_path: Path) -> Engine:
    """An SQLite catalogue with rows in every table, written by the catalogue itself."""
    limits = Limits(async_deletion_threshold=1, soft_delete_grace_s=3600)
    with open_world(tmp_path, limits, quota=StoredBytesQuota(2**60)) as world:
        _use(world)
        _leave_work(world)
    return open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")


@pytest.mark.parametrize("vast", ["vast-statement", "vast-commit"])
def test_a_used_catalogue_is_the_same_on_every_engine(
    used: Engine, vast: str, new_vast_url: Callable[[str], str], new_postgres_url: Callable[[], str], tmp_path: Path
) -> None:
    first = tmp_path / "0"
    counts = export_tables(used, first, silent)
    used.close()
    assert not [table for table in TABLES if not counts[table]]
    expected = {file.name: file.read_bytes() for file in first.iterdir()}
    for number, url in enumerate((new_vast_url(vast), new_postgres_url(), f"sqlite:///{tmp_path / 'last.db'}")):
        engine = open_engine(url)
        engine.create()
        assert import_tables(engine, tmp_path / str(number), silent) == counts
        export_tables(engine, tmp_path / str(number + 1), silent)
        engine.close()
        assert {file.name: file.read_bytes() for file in (tmp_path / str(number + 1)).iterdir()} == expected
