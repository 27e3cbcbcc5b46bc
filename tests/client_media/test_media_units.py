"""Times, parameter sets and groups of pictures, without a server."""

import os
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from storage.tai import tai_of_unix
from storage.timerange import NS
from tams_server.client_media import segmenter as segmenter_module
from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.containers import choose
from tams_server.client_media.errors import MediaError
from tams_server.client_media.ingest_options import IngestOptions
from tams_server.client_media.ingest_plan import label_of
from tams_server.client_media.input_timeline import InputTimeline
from tams_server.client_media.parameter_sets import byte_stream, joined, sets_of, units
from tams_server.client_media.segmenter import Segmenter
from tams_server.client_media.sound_samples import flac_samples, opus_samples
from tams_server.client_media.start_time import of_timecode, start_time
from tams_server.client_media.ticks import FrameGrid, in_ns

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "frames"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("10:00:00:00", Fraction(25), 900_000),
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17982),
        ("01:00:00:00", NTSC, 108_000),
    ],
)
def test_a_timecode_counts_frames(text: str, rate: Fraction, frames: int) -> None:
    assert of_timecode(text, rate) == in_ns(frames, 1 / rate)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0:0", 0),
        ("1800000000:5", 1_800_000_000 * NS + 5),
        ("12", 12 * NS),
        ("2026-01-01T00:00:00", tai_of_unix(1_767_225_600 * NS)),
        ("2026-01-01T01:00:00+01:00", tai_of_unix(1_767_225_600 * NS)),
        ("creation-time", tai_of_unix(1_767_225_600 * NS)),
        ("timecode", 3600 * NS),
    ],
)
def test_a_start_is_a_timestamp_a_date_or_what_the_file_says(text: str, ns: int) -> None:
    metadata = {"creation_time": "2026-01-01T00:00:00.000000Z", "timecode": "01:00:00:00"}
    assert start_time(text, metadata, Fraction(25)) == ns


@pytest.mark.parametrize("text", ["soon", "1:2:3", "2026-13-01T00:00:00", "", "creation-time", "timecode"])
def test_other_starts_are_rejected(text: str) -> None:
    with pytest.raises(MediaError, match="start"):
        start_time(text, {}, None)


def test_rounded_times_of_a_container_become_exact_again() -> None:
    rate = Fraction(24000, 1001)
    unit = Fraction(1, 90_000)
    grid = FrameGrid(1 / rate, unit)
    for number in (*range(2000), *range(10**8, 10**8 + 2000)):  # from the beginning, and after weeks
        assert grid.exact(round(number / rate / unit) * unit) == number / rate


def test_a_frame_off_the_grid_begins_a_new_one() -> None:
    grid = FrameGrid(Fraction(1, 25), Fraction(1, 1001))
    assert grid.exact(Fraction(0)) == 0
    assert grid.exact(Fraction(1, 10)) == Fraction(1, 10)
    assert grid.exact(Fraction(1, 10) + Fraction(1, 25)) == Fraction(1, 10) + Fraction(1, 25)


def test_units_are_the_same_in_both_forms() -> None:
    sets = [b"\x67\x64\x00\x1f\xac", b"\x68\xee\x3c\x80"]
    config = bytes([1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 5]) + sets[0] + bytes([1, 0, 4]) + sets[1]
    assert sets_of(config, "h264") == sets_of(joined(sets), "h264") == sets
    frame = [b"\x65\x01\x02\x03", b"\x65\x04"]
    lengths = b"".join(len(each).to_bytes(4, "big") + each for each in frame)
    assert list(units(lengths, config)) == list(units(joined(frame), b"")) == frame
    assert byte_stream(lengths, config) == joined(frame)


@pytest.mark.parametrize(
    ("codecs", "wanted", "name"),
    [
        (["h264"], None, "ts"),
        (["h264", "aac"], "mp4", "mp4"),
        (["av1", "opus"], None, "mp4"),
        (["prores", "pcm_s24le"], None, "mov"),
        (["pcm_s16le"], None, "wav"),
        (["ffv1"], None, "mkv"),
    ],
)
def test_a_container_suits_its_codecs(codecs: list[str], wanted: str | None, name: str) -> None:
    assert choose(codecs, wanted).name == name


def test_a_container_that_does_not_suit_is_rejected() -> None:
    with pytest.raises(MediaError, match="ts cannot hold ffv1"):
        choose(["ffv1"], "ts")


def frame(number: int, *, key: bool, size: int = 1000) -> CodedFrame:
    """A picture of a stream of 25 a second."""
    start, end = Fraction(number, 25), Fraction(number + 1, 25)
    return CodedFrame(av.Packet(size), 0, start, end, start, key, (start, end))


def test_pictures_without_key_frames_are_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenter_module, "_MOST_HELD", 100_000)
    cutting = Segmenter(0, set(), Fraction(2), at_key=True)
    for number in range(500):
        list(cutting.add(frame(number, key=number % 50 == 0)))  # 50 kB from key frame to key frame
    with pytest.raises(MediaError, match=r"no key frame in 0 MiB after 18\.000 s"):
        for number in range(500, 700):
            list(cutting.add(frame(number, key=False)))
    with pytest.raises(MediaError, match="no key frame within 60 s"):
        joined_late = Segmenter(0, set(), Fraction(2), at_key=True)
        for number in range(2000):
            list(joined_late.add(frame(number, key=False)))


STEP = Fraction(1, 25)


def place(timeline: InputTimeline, index: int, at: Fraction, length: Fraction = STEP) -> Fraction:
    """When a packet is shown. Those of stream 0 are pictures."""
    return at + timeline.place(index, at, at, length, fixed=index == 0)


def test_a_clock_that_jumps_is_followed_by_each_stream_in_its_turn() -> None:
    timeline, short = InputTimeline(live=False), Fraction(1, 50)
    placed = [place(timeline, 0, number * STEP) for number in range(100)]
    sound = [place(timeline, 1, number * short, short) for number in range(197)]
    # The pictures go back by three seconds first; sound of the old clock still comes.
    placed += [place(timeline, 0, number * STEP) for number in range(25, 50)]
    sound += [place(timeline, 1, number * short, short) for number in range(197, 200)]
    sound += [place(timeline, 1, number * short, short) for number in range(50, 100)]
    assert placed == [number * STEP for number in range(125)]
    assert sound == [number * short for number in range(250)]
    assert len(timeline.notes) == 1
    assert "jumped by -3.0 s" in timeline.notes[0]


def test_nothing_overlaps_after_a_jump_and_pictures_keep_their_grid() -> None:
    timeline, odd = InputTimeline(live=False), Fraction(1024, 48000)
    pictures = [place(timeline, 0, number * STEP) for number in range(100)]
    sound = [place(timeline, 1, number * odd, odd) for number in range(187)]  # up to 3.989 s
    sound += [place(timeline, 1, number * odd, odd) for number in range(10)]  # the sound jumps first
    pictures += [place(timeline, 0, number * STEP) for number in (100, 101, 0, 1, 2)]
    assert pictures == [number * STEP for number in range(105)]
    assert sound[187] == 4
    assert all(other - one >= odd for one, other in pairwise(sound))


def test_what_is_lost_stays_a_gap_and_what_is_skipped_does_not() -> None:
    for live in (True, False):
        timeline = InputTimeline(live)
        place(timeline, 0, Fraction(4) - STEP)
        assert place(timeline, 0, Fraction(9)) == 9, "five seconds are missing"
        assert place(timeline, 0, Fraction(105) + STEP) == (9 + STEP if live else 105 + STEP)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\xfc", 960),  # CELT, 20 ms, one frame
        (b"\xfd", 1920),  # two
        (b"\x0b\x03", 2880),  # SILK, 20 ms, three frames
        (b"\x60\x00", 480),  # hybrid, 10 ms
        (b"\x1b", None),
        (b"", None),
    ],
)
def test_a_packet_of_opus_says_its_length(packet: bytes, samples: int | None) -> None:
    assert opus_samples(packet) == samples


@pytest.mark.parametrize(
    ("header", "samples"),
    [
        (b"\xff\xf8\x19\x18\x00\x00\x00\x00", 192),
        (b"\xff\xf8\x59\x18\x00\x00\x00\x00", 4608),
        (b"\xff\xf8\xc9\x18\x00\x00\x00\x00", 4096),
        (b"\xff\xf8\x69\x18\x00\x7f\x00\x00", 128),
        (b"\xff\xf8\x79\x18\xc4\x80\x03\xe7", 1000),  # after a number of two bytes
        (b"none", None),
    ],
)
def test_a_frame_of_flac_says_its_length(header: bytes, samples: int | None) -> None:
    assert flac_samples(header) == samples


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("/media/clip.mp4", "clip.mp4 (video)"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf\N{REPLACEMENT CHARACTER}.mp4 (video)"),
        ("https://host/live/secret/index.m3u8?token=secret", "https://host (video)"),
        ("rtmp://user:secret@host:1935/live/secret", "rtmp://host:1935 (video)"),
        ("rtmp://user:se#cret@host/live", "rtmp:// (video)"),
        ("udp://@239.1.2.3:5000?key=secret", "udp://239.1.2.3:5000 (video)"),
        ("async:http://user:secret@[::1]:80/secret", "http://[::1]:80 (video)"),
    ],
)
def test_a_label_is_unicode_and_holds_no_secret(name: str, label: str) -> None:
    assert label_of(IngestOptions(name), "video") == label
