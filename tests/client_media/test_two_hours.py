"""A file of two hours: one command in, cut, exported and played; compared frame by frame, with times and memory."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from tams_server.client import Token
from tams_server.client_media.playlist_proxy import PlaylistProxy
from tests.conformance.kit.server import Subject, own_server

from . import long_file
from .decoded import difference
from .long_file import RATE

MINUTES = int(os.environ.get("TAMS_LONG_MEDIA", "0"))
COMMAND = "TAMS_LONG_MEDIA=120 .venv/bin/python -m pytest tests/client_media/test_two_hours.py -q -s --timeout 7200"
pytestmark = pytest.mark.skipif(not MINUTES, reason=f"takes a quarter of an hour and 6 GB of disk: {COMMAND}")
MOST_BYTES = 600_000_000
"""Of memory of a command, however long the file is."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("TAMS_LONG_MEDIA_FOLDER")
    return Path(kept) if kept else tmp_path_factory.mktemp("long")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Subject]:
    with own_server(folder / "server") as running:
        yield running


class Measured:
    """Runs `tams`, and tells how long each command takes and how much memory."""

    def __init__(self, server: Subject) -> None:
        self._environment = {**os.environ, "TAMS_URL": server.url, "TAMS_TOKEN": server.token}

    def run(self, *arguments: object) -> Any:
        """Run a command, and return the JSON that it prints."""
        began = time.monotonic()
        program = "import sys; from tams_server.client_cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", program, *map(str, arguments), "-o", "json"]
        process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        peak = [0]
        watch = threading.Thread(target=self._watch, args=(process.pid, peak))
        watch.start()
        out, _ = process.communicate()
        watch.join()
        print(f"tams {arguments[0]}: {time.monotonic() - began:.1f} s, at most {peak[0] / 1e6:.0f} MB")
        assert process.returncode == 0
        assert peak[0] < MOST_BYTES
        return json.loads(out)

    @staticmethod
    def _watch(pid: int, peak: list[int]) -> None:
        try:
            process = psutil.Process(pid)
            while process.status() != psutil.STATUS_ZOMBIE:
                peak[0] = max(peak[0], process.memory_info().rss)
                time.sleep(0.1)
        except psutil.NoSuchProcess:
            pass


@pytest.mark.timeout(7200)
def test_a_long_file_comes_back_frame_by_frame(server: Subject, folder: Path) -> None:
    began = time.monotonic()
    source = long_file.make(folder, MINUTES)
    print(f"\nmade {source.stat().st_size / 1e9:.2f} GB in {time.monotonic() - began:.0f} s")
    tams, minute = Measured(server), long_file.minute_hashes(folder)
    frames = MINUTES * long_file.MINUTE_FRAMES
    ids = {each["format"]: each for each in tams.run("ingest", source, "--segment-duration", "10")}
    assert ids["video"]["timerange"] == f"[0:0_{MINUTES * 60}:0)"
    whole = tams.run("export", ids["multi"]["id"], folder / "whole.mp4")
    assert (whole["frames"], whole["encoded"]) == (frames, 0)
    # The sound of the file, which repeats whole coded frames, is a little shorter.
    assert [each.partition(":")[0] for each in whole["gaps"]] in ([], ["audio"])
    _compare_cut(tams, folder, ids["multi"]["id"], minute)
    _compare_parts(tams, folder, ids["multi"]["id"])
    _compare_playback(server, ids["multi"]["id"], minute)
    # All frames of the whole are copies: what is coded is compared, which takes seconds, where decoding takes an hour.
    began, count = time.monotonic(), 0
    for before, after in zip(long_file.coded_hashes(source), long_file.coded_hashes(folder / "whole.mp4"), strict=True):
        assert before == after
        count += 1
    assert count == frames
    print(f"compared {count:,} frames in {time.monotonic() - began:.0f} s")


def _compare_cut(tams: Measured, folder: Path, flow_id: str, minute: list[bytes]) -> None:
    """Cut by reference from the beginning, the middle and the end, and export it."""
    middle, last = MINUTES * 30, MINUTES * 60 - 30
    edit = folder / "edit.txt"
    places = ("[10:40000000_40:0)", f"[{middle - 7}:200000000_{middle + 5}:0)", f"[{last}:520000000_{last + 20}:0)")
    edit.write_text("".join(f"{flow_id} {place}\n" for place in places))
    cut = tams.run("cut", edit)
    exported = tams.run("export", cut["id"], folder / "cut.mp4")
    wanted = [
        *range(251, 1000),
        *range((middle - 7) * RATE + 5, (middle + 5) * RATE),
        *range(last * RATE + 13, (last + 20) * RATE),
    ]
    assert exported["frames"] == len(wanted)
    found = long_file.hashes(folder / "cut.mp4")
    same = sum(minute[number % len(minute)] == each for number, each in zip(wanted, found, strict=True))
    assert same >= len(wanted) - exported["encoded"]
    print(f"cut: {len(wanted)} frames of three places, {exported['encoded']} of them re-encoded")


def _compare_parts(tams: Measured, folder: Path, flow_id: str) -> None:
    """Export five seconds of the middle, which begin between key frames, and ten of the end."""
    middle, last = MINUTES * 30, MINUTES * 60 - 30
    part = tams.run(
        "export", flow_id, folder / "part.mp4", "--timerange", f"[{middle}:520000000_{middle + 5}:520000000)"
    )
    assert part["frames"] == 5 * RATE
    same, first = 0, middle * RATE % long_file.MINUTE_FRAMES + 13
    with av.open(str(folder / "minute.mp4")) as source, av.open(str(folder / "part.mp4")) as exported:
        wanted: Any = islice(source.decode(video=0), first, first + 5 * RATE)
        frames: Any = exported.decode(video=0)
        for number, (one, other) in enumerate(zip(wanted, frames, strict=True)):
            distance = difference(one.to_ndarray(), other.to_ndarray())
            assert distance < 1.0
            assert other.pts * other.time_base * RATE == number
            same += distance == 0.0
    assert same >= 5 * RATE - part["encoded"]
    window = tams.run("export", flow_id, folder / "part.ts", "--timerange", f"[{last}:0_{last + 10}:0)")
    assert window["frames"] == 10 * RATE


def _compare_playback(server: Subject, flow_id: str, minute: list[bytes]) -> None:
    """Play the flow by its playlist: from the beginning, and after a jump to three quarters."""
    began, quarters = time.monotonic(), MINUTES * 45
    path = f"/flows/{flow_id}/output.m3u8"
    with PlaylistProxy(server.url, Token(server.token), path, {}) as proxy, av.open(proxy.url) as player:
        stream: Any = player.streams.video[0]
        for at in (0, quarters):
            if at:
                player.seek(stream.start_time + round(at / stream.time_base), stream=stream)
            frames: Any = player.decode(stream)
            numbers = []
            for frame in islice(frames, 2 * RATE):
                numbers.append(round((frame.pts - stream.start_time) * stream.time_base * RATE))
                assert long_file.hash_of(frame) == minute[numbers[-1] % len(minute)]
            # FFmpeg goes on at a key frame of the segment, or at the next one.
            assert abs(numbers[0] - at * RATE) <= 10 * RATE
            assert numbers == list(range(numbers[0], numbers[0] + 2 * RATE))
    print(f"played from 0 s and from {quarters} s in {time.monotonic() - began:.1f} s")
