"""Events about many segments, which are divided by number and by size."""

from pathlib import Path

import orjson
import pytest

from storage.tables.limits import EVENT
from tests.unit.catalogs import open_world

COUNT = 450


@pytest.mark.behaviour("EVT-SA-01", "AMB-23")
@pytest.mark.parametrize(("length", "events"), [(20, 3), (400, 4)])
def test_events_about_segments_fit_a_row_of_every_engine(tmp_path: Path, length: int, events: int) -> None:
    ids = [f"{number:03}".ljust(length, "x") for number in range(COUNT)]
    with open_world(tmp_path) as world:
        world.add_webhook("flows/segments_added")
        flow = world.make_flow()
        timeranges = [f"[{n}:0_{n + 1}:0)" for n in range(COUNT)]
        url = {"url": "https://media.example.com/x", "label": "elsewhere"}
        segments = [
            {"object_id": id_, "timerange": timerange, "get_urls": [url]}
            for id_, timerange in zip(ids, timeranges, strict=True)
        ]
        assert world.register(flow, *segments) == []
        rows = sorted(world.rows("events"), key=lambda row: row["position"])
    parts = [row["doc"]["message"]["event"].get("segments", []) for row in rows]
    assert [segment["object_id"] for part in parts for segment in part] == ids
    assert len([part for part in parts if part]) == events
    assert max(len(orjson.dumps(row["doc"])) for row in rows) < EVENT
