"""An export is checked before it takes the place of a file (F21)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from tams_server.client_media import export_file, export_wav, output_file

from .conftest import Tams
from .test_live import COMMAND


@pytest.mark.parametrize("name", ["out.mp4", "out.wav"])
def test_a_file_that_fails_its_check_replaces_none(
    name: str, tams: Tams, h264: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tams.ingest(h264)
    out = tmp_path / name
    out.write_bytes(b"what was there")

    def damaged(path: str, *rest: Any) -> None:
        Path(path).write_bytes(Path(path).read_bytes()[:40])
        output_file.verify(path, *rest)

    monkeypatch.setattr(export_file, "verify", damaged)
    monkeypatch.setattr(export_wav, "verify", damaged)
    tams.run("export", ids["multi"], out, "--force", status=1)
    assert f"{out}" in tams.err
    assert out.read_bytes() == b"what was there"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_sound_that_is_lost_on_the_way_is_noticed(
    tams: Tams, h264: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tams.ingest(h264)

    def silent(path: str, *rest: Any) -> None:
        with av.open(path) as source, av.open(f"{path}.mp4", "w") as output:
            tracks = [output.add_stream_from_template(each) for each in source.streams]
            for packet in source.demux():
                if packet.size and (packet.stream.type == "video" or (packet.pts or 0) < 24000):
                    packet.stream = tracks[packet.stream_index]
                    output.mux(packet)
        Path(f"{path}.mp4").replace(path)
        output_file.verify(path, *rest)

    monkeypatch.setattr(export_file, "verify", silent)
    tams.run("export", ids["multi"], tmp_path / "out.mp4", status=1)
    assert "frames of audio instead of" in tams.err


def test_a_timerange_between_two_frames_is_said(tams: Tams, h264: Path, tmp_path: Path) -> None:
    ids = tams.ingest(h264)
    for target in (tmp_path / "out.mp4", "-"):
        tams.run("export", ids["video"], target, "--format", "mp4", "--timerange", "[1:0_1:0]", status=1)
        assert "no frame begins in [1:0]: the next one is at 1:1000000" in tams.err
    tams.run("export", ids["audio"], tmp_path / "out.wav", "--timerange", "[1:0_1:0]", status=1)
    assert "no sample begins in [1:0]" in tams.err
    assert not list(tmp_path.iterdir())


def test_sound_after_the_last_picture_is_exported_alone(tams: Tams, h264: Path, tmp_path: Path) -> None:
    ids = tams.ingest(h264)
    told = tams.json("export", ids["multi"], tmp_path / "out.mp4", "--timerange", "[3:980000000_")
    assert told["frames"] == 0
    assert "the video has nothing in" in tams.err


def test_only_files_are_replaced(tams: Tams, h264: Path, tmp_path: Path) -> None:
    ids = tams.ingest(h264)
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    tams.run("export", ids["video"], pipe, "--force", status=2)
    assert "is no file that can be replaced" in tams.err
    assert pipe.is_fifo()


@pytest.mark.parametrize("format_", ["ts", "wav"])
def test_a_full_disk_behind_standard_output_is_said(format_: str, tams: Tams, h264: Path) -> None:
    ids = tams.ingest(h264)
    command = [sys.executable, "-c", COMMAND, "export", ids["multi"], "-", "--format", format_]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "tams: [Errno 28] No space left on device\n")
