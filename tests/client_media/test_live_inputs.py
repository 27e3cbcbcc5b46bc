"""Live ingest from UDP, RTMP and HLS over loopback (F21), and from inputs whose clock jumps."""

import functools
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from storage.timerange import NS
from tams_server.client import calls
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port

from . import media_files
from .conftest import Tams
from .media_files import H264, Recipe
from .rtmp_server import serving_rtmp
from .rtsp_server import serving_rtsp
from .test_live import COMMAND, STREAM

LIVE = Recipe("live.mp4", rate=Fraction(25), frames=150, gop=10, options=H264.options)
SENDER = """
import sys, time, av
source, url, muxer, seconds = sys.argv[1:]
with av.open(source) as given, av.open(url, "w", format=muxer) as output:
    streams = {each.index: output.add_stream_from_template(each) for each in given.streams}
    for packet in given.demux():
        if packet.size:
            time.sleep(float(seconds) / 500)
            packet.stream = streams[packet.stream_index]
            output.mux(packet)
"""
"""Another process, as PyAV holds the interpreter's lock while it connects."""


@contextmanager
def ingesting(tams: Tams, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a live ingest in another process during the block, and kill it if it does not end."""
    command = [sys.executable, "-c", COMMAND, "ingest", "--live", *arguments, "--segment-duration", "0.4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def send(source: Path, url: str, muxer: str, seconds: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SENDER, str(source), url, muxer, str(seconds)])


def segments(tams: Tams, label: str) -> int:
    flows = list(tams.client.iterate(calls.flows(label=f"{label} (video)")))
    return sum(1 for flow in flows for _ in tams.client.iterate(calls.segments(flow["id"], with_urls=False)))


def assert_whole(tams: Tams, label: str, seconds: float, tolerance: float = 0.5) -> None:
    """The flow is closed and has no gap."""
    [flow] = tams.client.iterate(calls.flows(label=f"{label} (video)"))
    assert flow["status"] == "closed_complete"
    assert "tams_ingest_damage" not in flow.get("tags", {})
    spans = tams.spans(flow["id"])
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert (spans[-1][1] - spans[0][0]) / NS == pytest.approx(seconds, abs=tolerance)


def test_udp_ends_at_once_by_a_signal_though_nothing_comes(tams: Tams, files: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{probe.getsockname()[1]}"
    source = media_files.make(files, LIVE)
    with ingesting(tams, url, "--label", "By UDP") as process:
        while process.poll() is None and not segments(tams, "By UDP"):  # what is sent before it listens is lost
            assert send(source, f"{url}?pkt_size=1316", "mpegts", 1).wait(60) == 0
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)  # less than the minute of silence after which it ends by itself
        assert process.returncode == 0, err
    [flow] = tams.client.iterate(calls.flows(label="By UDP (video)"))
    assert flow["status"] == "closed_complete"


def test_rtmp_is_received_from_an_encoder(tams: Tams, files: Path) -> None:
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/camera"
    with ingesting(tams, url, "--listen", "--label", "By RTMP") as process:
        wait_until(lambda: listens(port), "the listener", timeout_s=40)
        assert send(media_files.make(files, LIVE), url, "flv", 1).wait(60) == 0
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "camera" not in err, "the last part of the URL is the key of the stream"
    assert_whole(tams, "By RTMP", 6)
    tams.run("ingest", "--listen", "udp://127.0.0.1:1", status=2)
    assert "--listen needs --live" in tams.err


def test_rtmp_is_taken_from_a_server(tams: Tams, files: Path, tmp_path: Path) -> None:
    with av.open(str(media_files.make(files, LIVE))) as given, av.open(str(tmp_path / "live.flv"), "w") as output:
        streams = {each.index: output.add_stream_from_template(each) for each in given.streams}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    with serving_rtmp((tmp_path / "live.flv").read_bytes()) as port:
        tams.run("ingest", "--live", f"rtmp://127.0.0.1:{port}/live/secret-key", "--label", "From RTMP")
    assert "secret-key" not in tams.err
    assert_whole(tams, "From RTMP", 6)


def test_rtsp_is_taken_from_a_server(tams: Tams, files: Path) -> None:
    with serving_rtsp(media_files.make(files, STREAM).read_bytes()) as port:
        tams.run("ingest", "--live", f"rtsp://127.0.0.1:{port}/secret-key", "--label", "By RTSP")
    assert f"rtsp://127.0.0.1:{port}: video mpeg2video" in tams.err
    assert "secret-key" not in tams.err
    assert_whole(tams, "By RTSP", 12)


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "http", "srt"])
def test_an_error_does_not_show_what_may_be_secret_in_a_url(scheme: str, tams: Tams) -> None:
    tams.run("ingest", "--live", f"{scheme}://secret:secret@127.0.0.1:1/secret/secret?key=secret", status=1)
    assert scheme in tams.err
    assert "secret" not in tams.err


def listens(port: int) -> bool:
    """Whether a socket of this machine listens at a port, without connecting to it."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in lines)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_hls_is_followed_to_the_end_of_its_playlist(tams: Tams, files: Path, tmp_path: Path) -> None:
    with (
        av.open(str(media_files.make(files, LIVE))) as given,
        av.open(str(tmp_path / "x.m3u8"), "w", format="hls", options={"hls_time": "1", "hls_list_size": "0"}) as output,
    ):
        streams = {each.index: output.add_stream_from_template(each) for each in given.streams}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    whole = (tmp_path / "x.m3u8").read_text()
    at = [index for index in range(len(whole)) if whole.startswith("#EXTINF", index)]
    playlist = tmp_path / "live.m3u8"
    playlist.write_text(whole[: at[3]])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"
        with ingesting(tams, url, "--label", "By HLS") as process:
            wait_until(lambda: segments(tams, "By HLS"), "the first segments", timeout_s=40)
            (tmp_path / "next").write_text(whole)
            (tmp_path / "next").replace(playlist)
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        server.shutdown()
    assert_whole(tams, "By HLS", 6, 0.1)


@pytest.mark.parametrize("live", [True, False])
def test_a_clock_that_goes_back_loses_nothing(live: bool, tams: Tams, files: Path, tmp_path: Path) -> None:
    media = media_files.make(files, STREAM).read_bytes()
    joined = tmp_path / f"joined-{live}.ts"
    joined.write_bytes(media[: len(media) * 2 // 5 // 188 * 188] + media)
    flows = tams.json("ingest", joined, *(["--live"] if live else []))
    assert "the clock of the input jumped by -4" in tams.err
    ids = {each["format"]: each["id"] for each in flows}
    ends = []
    for kind in ("video", "audio"):
        spans = tams.spans(ids[kind])
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        ends.append((spans[-1][1] - spans[0][0]) / NS)
    assert ends == [pytest.approx(16.8, abs=0.3)] * 2
    told = tams.json("export", ids["video"], tmp_path / "out.ts")
    assert told["frames"] >= 415
