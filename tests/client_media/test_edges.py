"""Media at the edges of what codecs and containers allow, ingested and exported (F21), compared picture by picture."""

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from storage.timerange import NS, TimeRange
from tams_server.client import calls

from . import field_pictures, media_files
from .conftest import Tams
from .decoded import difference, equal, pictures, samples
from .field_pictures import luma
from .media_files import (
    DEEP,
    DEEP_HEVC,
    HEVC,
    INTERLACED,
    LATE,
    OPEN,
    OPEN_HEVC,
    OPUS,
    SOUND_ONLY,
    VFR_REORDERED,
    VORBIS,
    Recipe,
)

CASES = [
    (HEVC, "mp4", "mp4"),
    (HEVC, "ts", "ts"),
    (OPEN_HEVC, "ts", "mkv"),
    (DEEP_HEVC, "mp4", "ts"),
    (INTERLACED, "ts", "mp4"),
    (OPEN, "ts", "mp4"),
    (DEEP, "ts", "mp4"),
    (VFR_REORDERED, "mp4", "mp4"),
]
SOUND = [(SOUND_ONLY, "mp4"), (OPUS, "mkv"), (OPUS, "mp4"), (VORBIS, "mkv")]
START, END = 2_234_567_890, 2_900_000_001


def name_of(value: object) -> str:
    return value.name if isinstance(value, Recipe) else str(value)


@pytest.mark.parametrize(("recipe", "container", "suffix"), CASES, ids=name_of)
def test_every_picture_comes_back_whole_and_in_part(
    recipe: Recipe, container: str, suffix: str, tams: Tams, files: Path, tmp_path: Path
) -> None:
    source = media_files.make(files, recipe)
    ids = tams.ingest(source, "--container", container, "--segment-duration", "1")
    whole, part = tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}"
    told = tams.json("export", ids["video"], whole)
    before, after = pictures(source), pictures(whole)
    assert (told["frames"], told["encoded"], len(after)) == (recipe.frames, 0, recipe.frames)
    assert all(equal(one, other) for (_, one), (_, other) in zip(before, after, strict=True))
    assert_times([each for each, _ in before], [each for each, _ in after], suffix)
    wanted = [(time, planes) for time, planes in before if START <= time * NS < END]
    told = tams.json("export", ids["video"], part, "--timerange", str(TimeRange(START, END)))
    found = pictures(part)
    assert told["frames"] == len(found) == len(wanted)
    errors = [difference(one, other) for (_, one), (_, other) in zip(wanted, found, strict=True)]
    assert max(errors) < (4.0 if "10" in recipe.pixels else 1.0)
    assert errors.count(0.0) >= len(wanted) - told["encoded"]
    assert_times([time - wanted[0][0] for time, _ in wanted], [each for each, _ in found], suffix)


def assert_times(wanted: list[Fraction], found: list[Fraction], suffix: str) -> None:
    """Compare times of pictures; containers with coarse clocks round them."""
    late = max(abs(one - other) for one, other in zip(wanted, found, strict=True))
    assert late <= (Fraction(1, 90_000) if suffix in ("mp4", "mov") else Fraction(1, 1000))


def test_fields_keep_their_order(tams: Tams, files: Path, tmp_path: Path) -> None:
    ids = tams.ingest(media_files.make(files, INTERLACED))
    essence = tams.client.send(calls.flow(ids["video"]))["essence_parameters"]
    assert essence["interlace_mode"] == "interlaced_tff"
    tams.run("export", ids["video"], tmp_path / "part.mp4", "--timerange", "[0:500000000_2:100000000)")
    with av.open(str(tmp_path / "part.mp4")) as container:
        frames: Any = container.decode(video=0)
        assert {(frame.interlaced_frame) for frame in frames} == {True}


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_frames_of_two_field_pictures_stay_whole(suffix: str, tams: Tams, tmp_path: Path) -> None:
    source = field_pictures.write(tmp_path / "fields.ts", 40)
    ids = tams.ingest(source, "--segment-duration", "0.5", "--again")
    spans = tams.spans(ids["video"])
    assert len(spans) > 2
    assert {time % 40_000_000 for span in spans for time in span} == {0}, "no cut between the fields of a frame"
    whole, part = tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}"
    told = tams.json("export", ids["video"], whole)
    assert (told["frames"], told["encoded"]) == (40, 0)
    assert fields(whole) == [(Fraction(n, 25), luma(n, 0), luma(n, 1)) for n in range(40)]
    with av.open(str(whole)) as container:
        packets = sum(1 for packet in container.demux() if packet.size)
    assert packets == (40 if suffix == "mp4" else 80), "a sample of MP4 is a frame"
    told = tams.json("export", ids["video"], part, "--timerange", "[0:250000000_1:100000000)")
    found = fields(part)
    assert told["frames"] == len(found) == 21
    for number, (time, *values) in enumerate(found):
        assert time == Fraction(number, 25)
        assert values == pytest.approx([luma(number + 7, 0), luma(number + 7, 1)], abs=2)


def fields(path: Path) -> list[tuple[Fraction, int, int]]:
    """Time, and a sample of the top and the bottom field, of each picture."""
    return [(time, int(planes[0, 0]), int(planes[1, 0])) for time, planes in pictures(path)]


def test_a_depth_of_ten_bits_is_stated(tams: Tams, files: Path) -> None:
    ids = tams.ingest(media_files.make(files, DEEP_HEVC))
    assert tams.client.send(calls.flow(ids["video"]))["essence_parameters"]["bit_depth"] == 10


def test_pictures_that_begin_after_the_sound_stay_there(tams: Tams, files: Path, tmp_path: Path) -> None:
    source = media_files.make(files, LATE)
    ids = tams.ingest(source)
    assert tams.spans(ids["video"])[0][0] == 520_000_000
    assert tams.spans(ids["audio"])[0][0] == 0
    tams.run("export", ids["multi"], tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures_: Any = container.decode(video=0)
        times = [frame.pts * frame.time_base for frame in pictures_]
    assert times == [Fraction(number + 13, 25) for number in range(75)]
    assert all(
        equal(one, other) for (_, one), (_, other) in zip(pictures(source), pictures(tmp_path / "out.mp4"), strict=True)
    )
    heard, whole = samples(tmp_path / "out.mp4"), samples(source)
    assert np.abs(heard[:, 4096:100_000] - whole[:, 4096:100_000]).max() < 1e-6


def test_pictures_that_an_edit_list_hides_are_not_presented(tams: Tams, h264: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.mp4"
    with av.open(str(h264)) as source, av.open(str(edited), "w") as output:
        track = output.add_stream_from_template(source.streams.video[0])
        stream: Any = source.streams.video[0]
        hidden = round(7 / media_files.NTSC / stream.time_base)
        for packet in source.demux(source.streams.video[0]):
            if packet.size and packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - hidden, packet.dts - hidden, track
                output.mux(packet)
    ids = tams.ingest(edited)
    assert tams.spans(ids["video"])[0][0] == 0
    told = tams.json("export", ids["video"], tmp_path / "out.mp4")
    before, after = pictures(edited), pictures(tmp_path / "out.mp4")
    assert told["frames"] == len(before) == len(after) == 113
    errors = [difference(one, other) for (_, one), (_, other) in zip(before, after, strict=True)]
    assert max(errors) < 1.0
    assert errors.count(0.0) >= len(before) - told["encoded"]


@pytest.mark.parametrize(("recipe", "suffix"), SOUND, ids=name_of)
def test_sound_alone_comes_back(recipe: Recipe, suffix: str, tams: Tams, files: Path, tmp_path: Path) -> None:
    source = media_files.make(files, recipe)
    ids = tams.ingest(source)
    out = tmp_path / f"out.{suffix}"
    tams.run("export", ids["audio"], out)
    before, after = samples(source), samples(out)
    length = min(before.shape[1], after.shape[1])
    assert length > before.shape[1] - 1024
    assert np.abs(before[:, :length] - after[:, :length]).max() < 1e-4


@pytest.mark.parametrize(("channels", "extensible"), [(1, False), (2, False), (2, True), (6, True)])
def test_sound_without_a_channel_mask_is_exported(channels: int, extensible: bool, tams: Tams, tmp_path: Path) -> None:
    values = (np.arange(9600 * channels) % 60_000 - 30_000).astype("<i2")
    source, out = tmp_path / "in.wav", tmp_path / "out.mp4"
    source.write_bytes(wav_without_mask(values.tobytes(), channels, extensible=extensible))
    ids = tams.ingest(source)
    tams.run("export", ids["audio"], out)
    assert ("6 channels count as 5.1" in tams.err) == (channels == 6)
    assert np.array_equal(samples(out), samples(source))


def wav_without_mask(data: bytes, channels: int, *, extensible: bool) -> bytes:
    """A WAV file of 16 bits and 48 kHz, as WAVE_FORMAT_PCM or WAVE_FORMAT_EXTENSIBLE with a mask of 0."""
    head = struct.pack("<HIIHH", channels, 48_000, 96_000 * channels, 2 * channels, 16)
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    form = struct.pack("<H", 0xFFFE) + head + struct.pack("<HHI", 22, 16, 0) + pcm if extensible else b"\1\0" + head
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(("recipe", "unit"), [(OPUS, Fraction(1, 48000)), (VORBIS, Fraction(1, 44100))], ids=name_of)
def test_sound_of_webm_has_the_times_of_its_samples(recipe: Recipe, unit: Fraction, tams: Tams, files: Path) -> None:
    ids = tams.ingest(media_files.make(files, recipe), "--segment-duration", "0.5")
    spans = tams.spans(ids["audio"])
    assert spans[0][0] == 0
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    for start, _ in spans:
        count = round(start / (unit * NS))
        assert abs(start - count * unit * NS) <= 1, "each segment begins with a sample"
    if recipe is OPUS:  # frames of 20 ms, after 6.5 ms of priming
        assert {(start + 6_500_000) % 20_000_000 for start, _ in spans[1:]} == {0}
