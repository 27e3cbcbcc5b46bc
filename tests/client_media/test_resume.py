"""An ingest (F21) that is killed, and continued by the same command: nothing is lost, and nothing is there twice."""

import os
import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from tams_server.client import calls
from tests.api.in_process import TOKEN

from . import media_files
from .conftest import Tams
from .decoded import equal, pictures
from .media_files import H264, NTSC, Recipe


def kill(tams: Tams, point: str, number: int, *arguments: object) -> None:
    """Run a command that is killed at a point."""
    command = [sys.executable, "-m", "tests.client_media.killed_command", point, str(number), *map(str, arguments)]
    environment = {**os.environ, "TAMS_URL": tams.url, "TAMS_TOKEN": TOKEN}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize(
    ("point", "number"), [("before upload", 5), ("after upload", 9), ("before register", 1), ("after register", 1)]
)
def test_a_killed_ingest_continues(point: str, number: int, tams: Tams, h264: Path, tmp_path: Path) -> None:
    arguments = ["ingest", h264, "--segment-duration", "0.5", "--start", "now", "--label", f"{point} {number}"]
    kill(tams, point, number, *arguments, "--container", "mp4")
    ids = tams.ingest(*arguments[1:], "--container", "mp4")
    if point == "after register":
        assert "were there" in tams.err
    for kind in ("video", "audio"):
        spans = tams.spans(ids[kind])
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        flow = tams.client.send(calls.flow(ids[kind]))
        assert flow["status"] == "closed_complete"
        inits = {each["init_object"]["object_id"] for each in tams.segments(ids[kind])}
        assert len(inits) == 1
    tams.run("export", ids["multi"], tmp_path / "out.mp4")
    source, exported = pictures(h264), pictures(tmp_path / "out.mp4")
    assert len(source) == len(exported)
    assert all(equal(one, other) for (_, one), (_, other) in zip(source, exported, strict=True))
    before = {kind: len(tams.segments(ids[kind])) for kind in ("video", "audio")}
    assert tams.ingest(*arguments[1:], "--container", "mp4") == ids
    assert "in the store already" in tams.err
    assert {kind: len(tams.segments(ids[kind])) for kind in ("video", "audio")} == before


def test_a_file_is_stored_again_only_if_asked(tams: Tams, files: Path) -> None:
    clip = media_files.make(files, Recipe("again.mp4", frames=40, rate=NTSC, options=H264.options))
    once = tams.ingest(clip)
    assert tams.ingest(clip) == once
    assert set(tams.ingest(clip, "--again").values()).isdisjoint(once.values())


def test_a_file_that_differs_in_its_middle_is_another_file(tams: Tams, tmp_path: Path) -> None:
    ids = set()
    for number in range(2):
        samples = bytearray(4 << 20)
        samples[2 << 20] = number
        path = tmp_path / "tone.wav"
        with wave.open(str(path), "wb") as output:
            output.setparams((2, 2, 48000, 0, "NONE", ""))
            output.writeframes(samples)
        ids.add(tams.ingest(path)["audio"])
    assert len(ids) == 2
