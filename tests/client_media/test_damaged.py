"""Files that are damaged or cut off (F21): what can be read is stored, and the command says what is wrong."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from storage.timerange import NS
from tams_server.client import calls

from . import media_files
from .conftest import Tams
from .media_files import MPEG2


@pytest.fixture
def fast(files: Path, h264: Path) -> Path:
    """A file whose index is before its media."""
    path = files / "fast.mp4"
    if not path.exists():
        with av.open(str(h264)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as output:
            tracks = {each.index: output.add_stream_from_template(each) for each in source.streams}
            for packet in source.demux():
                if packet.size:
                    packet.stream = tracks[packet.stream_index]
                    output.mux(packet)
    return path


def test_a_file_that_is_cut_off_is_stored_up_to_there(tams: Tams, fast: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    data = fast.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    tams.run("ingest", cut, "--segment-duration", "1", status=1)
    assert "damaged or cut off" in tams.err
    assert "is stored" in tams.err
    flows = list(tams.client.iterate(calls.flows(label="cut.mp4 (video)")))
    assert [each["status"] for each in flows] == ["closed_complete"]
    spans = tams.spans(flows[0]["id"])
    assert NS < spans[-1][1] < 4 * NS
    # The same command says it again, and stores nothing twice.
    assert "damaged or cut off" in (tams.run("ingest", cut, "--segment-duration", "1") and tams.err)
    assert tams.spans(flows[0]["id"]) == spans


def test_frames_that_are_no_frames_end_the_file_there(tams: Tams, fast: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    data = bytearray(fast.read_bytes())
    data[len(data) * 6 // 10 :] = bytes(len(data) - len(data) * 6 // 10)
    bad.write_bytes(data)
    tams.run("ingest", bad, "--segment-duration", "1", status=1)
    assert "video is damaged after" in tams.err
    [flow] = tams.client.iterate(calls.flows(label="bad.mp4 (video)"))
    assert flow["status"] == "closed_complete"
    assert len(tams.spans(flow["id"])) >= 1


def test_a_stream_that_ends_early_is_said(tams: Tams, files: Path, tmp_path: Path) -> None:
    long = media_files.make(files, replace(MPEG2, name="damaged.ts", frames=100))
    short = tmp_path / "short.ts"
    with av.open(str(long)) as source, av.open(str(short), "w") as output:
        tracks = {each.index: output.add_stream_from_template(each) for each in source.streams}
        for packet in source.demux():
            if packet.size and (packet.stream.type == "video" or (packet.pts or 0) * packet.time_base < 1):
                packet.stream = tracks[packet.stream_index]
                output.mux(packet)
    tams.run("ingest", short)
    assert "the audio (stream 1) ends at" in tams.err


def test_a_complete_file_is_listed_as_the_store_has_it(tams: Tams, h264: Path) -> None:
    once = tams.json("ingest", h264, "--label", "Listed twice")
    assert tams.json("ingest", h264, "--label", "Listed twice") == once
    assert all(each["timerange"] for each in once if each["format"] != "multi")
