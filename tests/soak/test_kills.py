"""The short form of `make soak ARGS="--kills 200"`, with the stores of `--store` and `--media`."""

import sys
from pathlib import Path

import pytest

from tests.servers.plugin import running_stores
from tests.soak.kills import run_kills
from tests.soak.subject import new_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

KILLS = 3


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    with new_server(tmp_path, running_stores(pytestconfig)) as (server, clock):
        report = run_kills(server, clock, KILLS, authors=2, traffic_s=(0.1, 0.5))
    print(report)
    assert not report.has_failed, str(report)
    assert report.acknowledged and report.uploaded and report.events
    assert report.kinds.total() == KILLS
