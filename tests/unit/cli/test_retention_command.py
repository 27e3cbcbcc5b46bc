"""F18: tams-server retention, from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.catalog.clock import SECOND, clock
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.tables.conditions import equals
from tams_server.cli.main import main
from tams_server.settings import Settings
from tams_server.wiring import open_parts, prepare
from tests.conformance.kit.documents import flow
from tests.unit.catalogs import BASE, CALLER


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    settings = Settings(data_dir=tmp_path, bootstrap_token="t")
    prepare(settings)
    parts = open_parts(settings)
    yield parts.catalog
    parts.close()


def make_loop(catalog: Catalog, segments: int, **tags: str) -> str:
    document = flow(tags={"loop_recorder_duration": "2", **tags})
    flow_id: str = document["id"]
    catalog.flows.put(CALLER, flow_id, document)
    ids = [f"{flow_id}-{n}" for n in range(segments)]
    catalog.allocation.allocate(CALLER, flow_id, {"object_ids": ids}, BASE)
    items = [{"object_id": object_id, "timerange": f"[{n}:0_{n + 1}:0)"} for n, object_id in enumerate(ids)]
    assert catalog.segments.register(CALLER, flow_id, items) == []
    return flow_id


def test_a_dry_run_tells_what_goes_and_the_run_deletes_it(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow_id = make_loop(catalog, 250, flow_retention_offset="86400:0", segment_retention_offset="never")
    where = ["--data-dir", str(tmp_path)]
    assert main(["retention", "--dry-run", *where]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{flow_id} 248 segments in [0:0_248:0); ignored: segment_retention_offset must be")
    assert main(["retention", "--dry-run", "--within", "2d", "--json", *where]) == 0
    due = json.loads(capsys.readouterr().out)
    assert (due["flow_id"], due["whole_flow"], due["segments"]) == (flow_id, True, 250)
    assert main(["retention", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"segments": 248, "flows": 0}
    left = SegmentFilter().inside(flow_id)
    with catalog.segments._env.engine.read() as tx:
        assert [row["start_ns"] for row in tx.select("segments", left)] == [248 * 10**9, 249 * 10**9]


def test_nothing_is_deleted_after_a_jump_of_the_clock_unless_forced(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_loop(catalog, 5)
    where = ["--json", "--data-dir", str(tmp_path)]
    with catalog.segments._env.engine.write() as tx:
        tx.lock("service")
        assert tx.update("service", equals(key="clock"), {"value": str(clock() - 3600 * SECOND)})
    assert main(["retention", *where]) != 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing was deleted: the clock is ahead" in told.err
    assert "--force" in told.err
    assert main(["retention", "--force", *where]) == 0
    assert json.loads(capsys.readouterr().out)["segments"] == 3
