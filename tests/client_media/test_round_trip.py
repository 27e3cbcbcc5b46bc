"""Files of many codecs, ingested and exported by `tams` (F21): every frame and sample comes back, at its time."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from storage.timerange import NS, parse_timerange, parse_timestamp
from tams_server.client import calls

from . import media_files
from .conftest import Tams
from .decoded import difference, equal, pictures, samples
from .media_files import FFV1, H264, MP3, MPEG2, PRORES, REORDERED, VFR, WAV, Recipe

VIDEO = [(H264, "mp4"), (H264, "ts"), (H264, "mkv"), (MPEG2, "ts"), (PRORES, "mov"), (FFV1, "mkv"), (VFR, "mkv")]
VIDEO.append((REORDERED, "mp4"))
NOBODY = "0a1b2c3d-0000-4000-8000-000000000000"
SOUND = [(H264, 0.0), (PRORES, 0.0), (FFV1, 0.0), (WAV, 0.0), (MP3, 1e-4)]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Recipe) else str(value)


@pytest.mark.parametrize(("recipe", "suffix"), VIDEO, ids=name_of)
def test_every_picture_comes_back_at_its_time(
    recipe: Recipe, suffix: str, tams: Tams, files: Path, tmp_path: Path
) -> None:
    source = media_files.make(files, recipe)
    ids = tams.ingest(source)
    tams.run("export", ids["video"], tmp_path / f"out.{suffix}")
    before, after = pictures(source), pictures(tmp_path / f"out.{suffix}")
    assert len(before) == len(after) == recipe.frames
    assert all(equal(one, other) for (_, one), (_, other) in zip(before, after, strict=True))
    late = max(abs(one - other) for (one, _), (other, _) in zip(before, after, strict=True))
    assert late <= (0 if suffix in ("mp4", "mov") else 1e-3)


@pytest.mark.parametrize(("recipe", "tolerance"), SOUND, ids=name_of)
def test_every_sample_comes_back(recipe: Recipe, tolerance: float, tams: Tams, files: Path, tmp_path: Path) -> None:
    source = media_files.make(files, recipe)
    ids = tams.ingest(source)
    tams.run("export", ids["audio"], tmp_path / "out.wav", "--samples", "f32")
    before, after = samples(source), samples(tmp_path / "out.wav")
    # The end of the last coded frame may be padding, which a decoder of the file gives and its container leaves out.
    assert before.shape[1] - 1152 <= after.shape[1] <= before.shape[1]
    assert np.abs(before[:, : after.shape[1]] - after).max() <= tolerance


def test_segments_have_exact_times_without_drift(tams: Tams, h264: Path) -> None:
    ids = tams.ingest(h264, "--start", "1800000000:0", "--segment-duration", "1")
    spans = tams.spans(ids["video"])
    edges = [1_800_000_000 * NS + number * 1_001_000_000 for number in range(5)]
    assert spans == list(pairwise(edges))
    sound = tams.spans(ids["audio"])
    assert all(one[1] == other[0] for one, other in pairwise(sound))
    assert sound[0][0] == 1_800_000_000 * NS
    # The priming of the encoder is in the object, and not in the segment.
    assert "object_timerange" in tams.segments(ids["audio"])[0]
    assert len({each.get("ts_offset") for each in tams.segments(ids["audio"])}) == 1


def test_documents_say_what_the_stream_is(tams: Tams, h264: Path) -> None:
    ids = tams.ingest(h264, "--label", "A clip", "--tag", "genre=test", "--muxed")
    assert list(ids) == ["multi"]
    multi = tams.client.send(calls.flow(ids["multi"]))
    assert (multi["container"], multi["status"], multi["tags"]["genre"]) == ("video/mp2t", "closed_complete", "test")
    video, audio = (tams.client.send(calls.flow(each["id"])) for each in multi["flow_collection"])
    assert [each["container_mapping"]["mp2ts_container"]["pid"] for each in multi["flow_collection"]] == [256, 257]
    assert video["codec"] == "video/h264"
    assert video["essence_parameters"]["frame_rate"] == {"numerator": 30000, "denominator": 1001}
    assert video["essence_parameters"]["avc_parameters"]["profile"] in (66, 77, 88, 100)
    assert audio["essence_parameters"] == {
        "sample_rate": 48000,
        "channels": 2,
        "codec_parameters": {"coded_frame_size": 1024, "mp4_oti": 2},
    }
    assert tams.client.send(calls.source(multi["source_id"]))["label"] == "A clip"


def test_a_variable_rate_is_said_to_be_one(tams: Tams, files: Path) -> None:
    ids = tams.ingest(media_files.make(files, VFR))
    essence = tams.client.send(calls.flow(ids["video"]))["essence_parameters"]
    assert essence["vfr"] is True
    assert "frame_rate" not in essence


@pytest.mark.parametrize("container", ["mp4", "ts"])
@pytest.mark.parametrize("muxed", [False, True])
def test_exported_frames_are_exactly_those_of_the_timerange(
    container: str, muxed: bool, tams: Tams, h264: Path, tmp_path: Path
) -> None:
    arguments = ["--container", container, *(["--muxed"] if muxed else [])]
    ids = tams.ingest(h264, *arguments)
    out = tmp_path / "out.mp4"
    told = tams.json("export", ids["multi"], out, "--timerange", "[1:234567890_3:100000001)")
    source, exported = pictures(h264), pictures(out)
    wanted = [number for number in range(120) if 1_234_567_890 <= number * 1001 * NS / 30000 < 3_100_000_001]
    assert told["frames"] == len(exported) == len(wanted)
    errors = [difference(source[number][1], planes) for number, (_, planes) in zip(wanted, exported, strict=True)]
    assert max(errors) < 1.0
    # Whole groups of pictures are copied, and those at the edges alone are not.
    assert 0 < told["encoded"] < 30
    assert errors.count(0.0) >= len(wanted) - told["encoded"]
    assert all(time == number * (1 / media_files.NTSC) for number, (time, _) in enumerate(exported))
    heard, whole = samples(out), samples(h264)
    first = round(wanted[0] * 1001 * 48000 / 30000)
    # The first coded frame lacks the one before it, which the decoder of the whole file had.
    assert np.abs(heard[:, 2048:80_000] - whole[:, first + 2048 : first + 80_000]).max() < 1e-6


def test_a_timerange_of_sound_is_exact_to_the_sample(tams: Tams, h264: Path, tmp_path: Path) -> None:
    ids = tams.ingest(h264)
    out = tmp_path / "out.wav"
    tams.run("export", ids["multi"], out, "--timerange", "[1:234567890_2:900000500)", "--samples", "f32")
    first, last = -(-1_234_567_890 * 48000 // NS), -(-2_900_000_500 * 48000 // NS)
    assert np.array_equal(samples(out), samples(h264)[:, first:last])


def test_copying_cuts_at_key_frames(tams: Tams, h264: Path, tmp_path: Path) -> None:
    ids = tams.ingest(h264)
    out = tmp_path / "out.mp4"
    told = tams.json("export", ids["video"], out, "--timerange", "[1:234567890_2:900000001)", "--copy")
    assert (told["encoded"], told["frames"]) == (0, 60)
    source = pictures(h264)
    assert all(equal(source[30 + number][1], planes) for number, (_, planes) in enumerate(pictures(out)))


def test_wrong_use_is_explained(tams: Tams, h264: Path, tmp_path: Path) -> None:
    tams.run("ingest", tmp_path / "none.mp4", status=2)
    assert "there is no file" in tams.err
    tams.run("ingest", __file__, status=1)
    assert "cannot be read" in tams.err
    tams.run("ingest", h264, "--start", "soon", status=2)
    (tmp_path / "empty.mp4").touch()
    tams.run("ingest", tmp_path / "empty.mp4", status=1)
    assert tams.err.endswith("empty.mp4 is empty\n")
    tams.run("ingest", h264, "--again", "--label", "Nowhere", "--storage-backend", NOBODY, status=3)
    assert not list(tams.client.iterate(calls.flows(label="Nowhere (video)")))
    tams.run("cut", tmp_path / "none.txt", status=2)
    ids = tams.ingest(h264)
    tams.run("export", ids["video"], tmp_path / "out.mp4", "--timerange", "[3:0_1:0)", status=2)
    tams.run("export", ids["video"], tmp_path / "out.doc", status=2)
    assert ".mp4, .mov, .ts, .mkv, .wav" in tams.err
    tams.run("export", ids["video"], tmp_path / "out.mp4", "--timerange", "[90:0_91:0)", status=1)
    assert "no media in [90:0_91:0): the flow has [0:0_4:4000000)" in tams.err
    tams.run("export", ids["video"], h264, status=2)
    assert "--force" in tams.err


def test_a_file_whose_time_begins_late_is_as_long_as_its_media(tams: Tams, h264: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    options = {"output_ts_offset": "1000", "avoid_negative_ts": "disabled"}
    with av.open(str(h264)) as source, av.open(str(late), "w", options=options) as output:
        track = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = track
                output.mux(packet)
    tams.run("ingest", late)
    assert "29.97/s, 4.0 s\n" in tams.err
    assert "note:" not in tams.err


def test_a_dry_run_stores_nothing(tams: Tams, files: Path, tmp_path: Path) -> None:
    recipe = media_files.Recipe("dry.mp4", frames=40, options=H264.options)
    printed = tams.run("ingest", media_files.make(files, recipe), "--dry-run", "--label", "Dry run")
    assert "video/h264" in printed
    assert not list(tams.client.iterate(calls.flows(label="Dry run")))


def test_sound_that_an_edit_list_hides_is_outside_of_the_segments(tams: Tams, h264: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.mp4"
    with av.open(str(h264)) as source, av.open(str(edited), "w") as output:
        track = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size and packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - 5000, packet.dts - 5000, track
                output.mux(packet)
    ids = tams.ingest(edited)
    first = tams.segments(ids["audio"])[0]
    assert first["timerange"].startswith("[0:0_")
    # Five whole frames of 1024 samples, and the priming.
    hidden = -parse_timerange(first["object_timerange"]).bounds[0] - parse_timestamp(first["ts_offset"])
    assert hidden == round(6024 * NS / 48000)
