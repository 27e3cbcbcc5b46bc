"""F18: retention by the worker of a real server, over a restart and while an ingest goes on."""

from pathlib import Path

import httpx

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, own_server
from tests.unit.catalog.seconds import at

TOKEN = "a-token-for-both-lives-of-the-server"
SETTINGS = {"TAMS_BOOTSTRAP_TOKEN": TOKEN, "TAMS_RETENTION_INTERVAL": "0.1"}


def client(subject: Subject) -> TamsClient:
    http = httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    return TamsClient(http, Checker())


def test_a_loop_is_kept_while_it_is_recorded_and_after_a_restart(tmp_path: Path) -> None:
    with own_server(tmp_path, {**SETTINGS, "TAMS_RETENTION": "false"}) as first:
        tams = client(first)
        made = tams.make_flow(tags={"loop_recorder_duration": "3"})
        path = f"/flows/{made['id']}"
        tams.make_segments(made["id"], [at(n) for n in range(8)])
        assert len(tams.segments(made["id"])) == 8
    with own_server(tmp_path, SETTINGS) as second:
        tams = client(second)
        wait_until(lambda: len(tams.segments(made["id"])) == 3, "the loop")
        for n in range(8, 12):
            tams.make_segments(made["id"], [at(n)])
        wait_until(
            lambda: [each["timerange"] for each in tams.segments(made["id"])] == [at(9), at(10), at(11)], "the loop"
        )
        assert tams.put(f"{path}/tags/loop_recorder_duration", "1").status_code == 204
        wait_until(lambda: len(tams.segments(made["id"])) == 1, "the shorter loop")
        assert tams.put(f"{path}/tags/flow_retention_offset", "0:1").status_code == 204
        wait_until(lambda: tams.get(path).status_code == 404, "the end of the flow")
