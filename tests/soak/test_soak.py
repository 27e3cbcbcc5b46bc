"""The short form of `make soak`: all kinds of traffic, with a server that leaks and one that does not lose anything."""

import sys
from pathlib import Path

import pytest

from tests.servers.stores import Stores
from tests.soak.findings import Findings
from tests.soak.soaking import SETTINGS, run_soak
from tests.soak.subject import new_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

MINUTES = 0.1
LEAKING = Path(__file__).parent / "leaking"


@pytest.mark.timeout(300)
def test_a_server_that_leaks_fails_and_loses_nothing(tmp_path: Path) -> None:
    with new_server(tmp_path, Stores(), SETTINGS) as (server, clock):
        report = run_soak(server, clock, MINUTES, authors=2, at_start=LEAKING)
    print(report)
    assert report.has_failed
    growing = {trend.name for trend in report.growing}
    leaking = ("background worker 1", "serving process 1", "serving process 2")
    assert {f"{what}, {where}" for what in ("memory", "allocated", "open files") for where in leaking} <= growing
    assert "open files, master 1" not in growing
    assert not report.responses.errors
    assert not report.findings, str(report.findings)
    assert not report.errors
    assert report.acknowledged and report.uploaded and report.events


def test_what_is_missing_doubled_or_out_of_order_is_found() -> None:
    findings = Findings()
    findings.compare("segments", [1, 2, 3], [1, 2, 3])
    assert not findings
    findings.compare("segments", [1, 2, 3], [1, 3, 3])
    assert findings.lost == ["segments: 2 is missing"]
    assert findings.doubled == ["segments: 3 is there without having been acknowledged"]
    findings.compare("events", ["a", "b"], ["b", "a"])
    assert len(findings.wrong) == 1
