"""Edits by reference (F21): cuts of several flows, from lists and from OpenTimelineIO."""

import uuid
from pathlib import Path

import opentimelineio as otio
import pytest

from storage.timerange import NS
from tams_server.client import calls

from . import media_files
from .conftest import Tams
from .decoded import difference, pictures, samples
from .media_files import H264, NTSC

FRAME = 1001 * NS / 30000


@pytest.fixture
def three(tams: Tams, files: Path, h264: Path) -> list[str]:
    """Three multi flows of the same structure, with different beginnings of their timelines."""
    return [tams.ingest(h264, "--start", f"{start}:0", "--label", f"Part {start}")["multi"] for start in (0, 100, 200)]


def frames_in(start: int, end: int) -> list[int]:
    """The numbers of the frames that begin in [start, end), in ns of the file."""
    return [number for number in range(120) if start <= round(number * FRAME) < end]


def test_a_cut_of_three_flows_has_exactly_their_frames(
    tams: Tams, h264: Path, three: list[str], tmp_path: Path
) -> None:
    one, other, last = three
    edit = tmp_path / "edit.txt"
    edit.write_text(
        f"# three parts\n{one} [0:500000000_1:700000000)\n{other} [102:0_103:300000000)  # the second\n\n"
        f'{{"flow": "{last}", "timerange": "[200:0_201:100000000)"}}\n'
    )
    made = tams.json("cut", edit, "--label", "Highlights", "--tag", "genre=cut", "--start", "1000:0")
    out = tmp_path / "out.mp4"
    told = tams.json("export", made["id"], out)
    wanted = frames_in(500_000_000, 1_700_000_000) + frames_in(2 * NS, 3_300_000_000) + frames_in(0, 1_100_000_000)
    source, exported = pictures(h264), pictures(out)
    assert len(exported) == len(wanted)
    assert max(difference(source[number][1], each) for number, (_, each) in zip(wanted, exported, strict=True)) < 1.0
    assert [time for time, _ in exported] == [number / NTSC for number in range(len(wanted))]
    assert told["gaps"] == []
    # Nothing was copied: the objects are those of the three flows.
    multi = tams.client.send(calls.flow(made["id"]))
    assert (multi["label"], multi["tags"], multi["status"]) == ("Highlights", {"genre": "cut"}, "closed_complete")
    for new, old in zip(multi["flow_collection"], tams.client.send(calls.flow(one))["flow_collection"], strict=True):
        assert new["role"] == old["role"]
        objects = {each["object_id"] for each in tams.segments(new["id"])}
        known = {
            segment["object_id"]
            for flow in three
            for member in tams.client.send(calls.flow(flow))["flow_collection"]
            for segment in tams.segments(member["id"])
        }
        assert objects <= known
    assert tams.spans(multi["flow_collection"][0]["id"])[0][0] == 1000 * NS


def test_sound_of_a_cut_is_within_a_sample_of_its_pictures(
    tams: Tams, h264: Path, three: list[str], tmp_path: Path
) -> None:
    edit = tmp_path / "edit.txt"
    edit.write_text(f"{three[0]} [0:510000000_1:700000000)\n{three[1]} [101:234000000_102:300000000)\n")
    made = tams.json("cut", edit)
    tams.run("export", made["id"], tmp_path / "out.wav", "--samples", "f32")
    heard, whole = samples(tmp_path / "out.wav"), samples(h264)
    first, second = frames_in(510_000_000, 1_700_000_000), frames_in(1_234_000_000, 2_300_000_000)
    joint = round(len(first) * FRAME * 48000 / NS)
    for place, frame in ((0, first[0]), (joint, second[0])):
        begin = round(frame * FRAME * 48000 / NS)
        part = whole[:, begin + 3000 : begin + 40_000]
        late = [abs(heard[:, place + by + 3000 : place + by + 40_000] - part).max() for by in (-1, 0, 1)]
        assert min(late) < 1e-3


def test_gaps_of_a_list_are_gaps_of_the_flow(tams: Tams, three: list[str], tmp_path: Path) -> None:
    edit = tmp_path / "edit.txt"
    edit.write_text(f"{three[0]} [0:0_1:1000000)\ngap 2:500000000\n{three[0]} [0:0_1:1000000) at 60:0\n")
    made = tams.json("cut", edit)
    video = tams.client.send(calls.flow(made["id"]))["flow_collection"][0]["id"]
    assert tams.spans(video) == [(0, 1_001_000_000), (60 * NS, 61_001_000_000)]
    tams.run("export", made["id"], tmp_path / "out.mp4")
    assert "gap: video has no media in [1:1000000_60:0)" in tams.err
    assert float(pictures(tmp_path / "out.mp4")[30][0]) == 60.0
    tams.run("export", made["id"], tmp_path / "no.mp4", "--gaps", "fail", status=1)
    assert not (tmp_path / "no.mp4").exists()


def test_a_timeline_of_opentimelineio_is_cut(tams: Tams, three: list[str], tmp_path: Path) -> None:
    rate = 30000 / 1001

    def clip(flow: str, first: int, count: int) -> otio.schema.Clip:
        span = otio.opentime.TimeRange(otio.opentime.RationalTime(first, rate), otio.opentime.RationalTime(count, rate))
        return otio.schema.Clip(
            "part", media_reference=otio.schema.ExternalReference(target_url=f"tams:{flow}"), source_range=span
        )

    timeline = otio.schema.Timeline("edit")
    track = otio.schema.Track(kind=otio.schema.TrackKind.Video)
    track.append(clip(three[0], 10, 20))
    track.append(otio.schema.Gap(duration=otio.opentime.RationalTime(30, rate)))
    track.append(clip(three[0], 60, 15))
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(tmp_path / "edit.otio"))
    made = tams.json("cut", tmp_path / "edit.otio")
    video = tams.client.send(calls.flow(made["id"]))["flow_collection"][0]["id"]
    spans = tams.spans(video)
    assert (spans[0][0], spans[-1][1]) == (0, round(65 * FRAME))
    assert sum(end - start for start, end in spans) == pytest.approx(35 * FRAME, abs=2)
    track[0].effects.append(otio.schema.LinearTimeWarp(time_scalar=2))
    otio.adapters.write_to_file(timeline, str(tmp_path / "edit.otio"))
    tams.run("cut", tmp_path / "edit.otio", status=1)
    assert "has effects" in tams.err


def test_flows_that_do_not_fit_are_rejected(tams: Tams, files: Path, h264: Path, tmp_path: Path) -> None:
    one = tams.ingest(h264)
    other = tams.ingest(media_files.make(files, media_files.Recipe("wide.mp4", frames=30, rate=NTSC / 2)))
    edit = tmp_path / "edit.txt"
    edit.write_text(f"{one['video']} [0:0_1:0)\n{other['video']} [0:0_1:0)\n")
    tams.run("cut", edit, "--label", "Never", status=1)
    assert "frame_rate" in tams.err
    assert not list(tams.client.iterate(calls.flows(label="Never")))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("FLOW", "must be FLOW TIMERANGE"),
        ("FLOW [0:0", "timerange must be a timerange"),
        ("FLOW _", "must have a start and an end"),
        ('{"flow": "FLOW"}', "'timerange' is missing"),
        ('{"flow": 5, "timerange": "_"}', "must be texts"),
        ("gap -1:0", "must not be negative"),
        ("FLOW [0:0_5:0) at 0:0\nFLOW [0:0_5:0) at 4:0", "begins before"),
        ("# nothing", "no entry"),
    ],
)
def test_a_wrong_list_is_explained(line: str, words: str, tams: Tams, tmp_path: Path) -> None:
    (tmp_path / "edit.txt").write_text(line)
    tams.run("cut", tmp_path / "edit.txt", status=1)
    assert words in tams.err


def test_a_muxed_flow_is_cut_with_its_essences(tams: Tams, h264: Path, tmp_path: Path) -> None:
    flow = tams.ingest(h264, "--muxed", "--label", "Muxed")["multi"]
    (tmp_path / "edit.txt").write_text(f"{flow} [0:500000000_1:0)\n{flow} [2:0_2:500000000)\n")
    made = tams.json("cut", tmp_path / "edit.txt")
    tams.run("export", made["id"], tmp_path / "out.mp4")
    wanted = frames_in(500_000_000, NS) + frames_in(2 * NS, 2_500_000_000)
    source, exported = pictures(h264), pictures(tmp_path / "out.mp4")
    assert len(exported) == len(wanted)
    assert max(difference(source[number][1], each) for number, (_, each) in zip(wanted, exported, strict=True)) < 1.0
    assert H264.frames == len(source)


def test_a_list_without_a_frame_or_text_makes_no_flow(tams: Tams, h264: Path, tmp_path: Path) -> None:
    made = tams.ingest(h264, "--again")
    before = len(list(tams.client.iterate(calls.flows())))
    edit = tmp_path / "edit.txt"
    edit.write_text(f"{made['multi']} [1:0_1:0]\n")
    tams.run("cut", edit, status=1)
    assert "no frame begins in the timeranges of the list" in tams.err
    edit.write_text(f"{made['multi']} [1:0_2:0)\n")
    tams.run("cut", edit, "--tag", "genre", status=2)
    tams.run("cut", h264, status=1)
    assert "the list must be text in UTF-8" in tams.err
    empty = {"id": str(uuid.uuid4()), "source_id": str(uuid.uuid4()), "format": "urn:x-nmos:format:multi"}
    tams.client.send(calls.put_flow(empty))
    edit.write_text(f"{empty['id']} [1:0_2:0)\n")
    tams.run("cut", edit, status=1)
    assert "collects no flows" in tams.err
    assert len(list(tams.client.iterate(calls.flows()))) == before + 1
