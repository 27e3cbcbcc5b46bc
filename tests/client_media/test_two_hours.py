"""A file of two hours: one command in, cut, and exported; compared frame by frame, with times and memory."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conformance.kit.server import Subject, own_server

from . import long_file

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
    last = MINUTES * 60 - 30
    edit = folder / "edit.txt"
    edit.write_text(f"{ids['multi']['id']} [10:40000000_40:0)\n{ids['multi']['id']} [{last}:520000000_{last + 20}:0)\n")
    cut = tams.run("cut", edit)
    exported = tams.run("export", cut["id"], folder / "cut.mp4")
    wanted = [*range(251, 1000), *range(last * 25 + 13, (last + 20) * 25)]
    assert exported["frames"] == len(wanted)
    found = long_file.hashes(folder / "cut.mp4")
    same = sum(minute[number % len(minute)] == each for number, each in zip(wanted, found, strict=True))
    assert same >= len(wanted) - exported["encoded"]
    window = tams.run("export", ids["multi"]["id"], folder / "part.ts", "--timerange", f"[{last}:0_{last + 10}:0)")
    assert window["frames"] == 250
    # All frames of the whole are copies: what is coded is compared, which takes seconds, where decoding takes an hour.
    began, count = time.monotonic(), 0
    for before, after in zip(long_file.coded_hashes(source), long_file.coded_hashes(folder / "whole.mp4"), strict=True):
        assert before == after
        count += 1
    assert count == frames
    print(f"compared {count:,} frames in {time.monotonic() - began:.0f} s")
