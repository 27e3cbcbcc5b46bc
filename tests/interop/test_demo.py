"""The demo against this project's server, and its output when something is wrong."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import pytest

from .demo import clip as clips
from .demo.__main__ import main
from .demo.client import ApiError, Tams
from .demo.commands import commands, tams_commands, timeline_address
from .demo.report import Report
from .demo.server import DemoServer
from .demo.steps import run_demo


class ChangesBytes(Tams):
    """A client that changes a byte of each downloaded object."""

    def download(self, segment: Mapping[str, Any]) -> bytes:
        media = super().download(segment)
        return media[:-1] + bytes([media[-1] ^ 1])


class LosesSegments(Tams):
    """A client that loses the last page of segments."""

    def pages(self, flow_id: str, timerange: str, limit: int) -> Iterator[list[dict[str, Any]]]:
        yield from list(super().pages(flow_id, timerange, limit))[:-1]


def failed(report: Report) -> list[str]:
    return [check.what for check in report.checks if not check.holds]


def test_the_demo_reads_back_exactly_what_it_stored(server: DemoServer, clip: clips.Clip) -> None:
    lines: list[str] = []
    report = Report(print_line=lines.append)
    with Tams(server.base_url, server.token) as service:
        run_demo(service, clip, report)
    assert failed(report) == []
    assert report.passed
    assert "  ok      frames are exactly 188 to 329: 142 frames, 188 to 329" in lines
    assert re.search(r"^video uploaded +15 objects +[\d,]+ +[\d.]+ s$", report.tables(), re.MULTILINE)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_commands_shown_at_the_end_work(server: DemoServer, clip: clips.Clip, tmp_path: Path) -> None:
    with Tams(server.base_url, server.token) as service:
        stored = run_demo(service, clip, Report(print_line=lambda line: None))
    lines = commands(server.base_url, server.token, stored)
    script = "\n".join(line.replace("curl -s ", "curl --noproxy '*' -sS --fail ") for line in lines)
    subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, check=True, timeout=60)
    assert sum(line.startswith("curl") for line in lines) == 7
    assert (tmp_path / "segment.ts").read_bytes() == stored.video.downloads[0]


def test_the_tams_commands_shown_at_the_end_work(server: DemoServer, clip: clips.Clip, tmp_path: Path) -> None:
    with Tams(server.base_url, server.token) as service:
        stored = run_demo(service, clip, Report(print_line=lambda line: None))
    *lines, play = tams_commands(server.base_url, server.token, stored, clip.path)
    assert play.startswith("tams play ")
    scripts = f"export PATH={Path(sys.executable).parent}:$PATH"
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join([lines[0], scripts, *lines[1:]])], cwd=tmp_path, check=True, timeout=100, stdout=-1
    )
    assert stored.multi["id"] in done.stdout.decode()
    with av.open(str(tmp_path / "exact.mp4")) as exported:
        assert sum(1 for _ in exported.decode(video=0)) == 142
    assert timeline_address(server.base_url, stored).endswith(f"/console#/flows/{stored.video.flow['id']}")


def test_a_changed_byte_is_detected(server: DemoServer, clip: clips.Clip) -> None:
    report = Report(print_line=lambda line: None)
    with ChangesBytes(server.base_url, server.token) as service:
        run_demo(service, clip, report)
    assert {"video bytes are those sent", "audio bytes are those sent"} <= set(failed(report))
    assert not report.passed


def test_a_lost_segment_is_detected(server: DemoServer, clip: clips.Clip) -> None:
    report = Report(print_line=lambda line: None)
    with LosesSegments(server.base_url, server.token) as service:
        run_demo(service, clip, report)
    assert {"video segments are those registered", "frames are exactly 188 to 329"} <= set(failed(report))


def test_an_error_states_the_request_and_the_response(server: DemoServer) -> None:
    with (
        Tams(server.base_url, "not-the-token") as service,
        pytest.raises(ApiError, match=r"GET http://.*/flows returned 401 instead of 200"),
    ):
        service.get("/flows")


def test_an_unreachable_server_ends_the_demo_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://127.0.0.1:9", "--token", "any"]) == 1
    assert "The demo failed" in capsys.readouterr().err


@pytest.mark.parametrize(("results", "passed"), [([], False), ([True], True), ([True, False, True], False)])
def test_a_report_is_good_if_there_are_checks_and_all_hold(results: list[bool], passed: bool) -> None:
    report = Report(print_line=lambda line: None)
    for holds in results:
        report.check("something", holds, "")
    assert report.passed is passed


@pytest.mark.parametrize("arguments", [["--seconds", "13"], ["--seconds", "x"], ["--keep", "--url", "http://a"]])
def test_invalid_arguments_are_rejected(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
