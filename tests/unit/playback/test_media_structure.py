"""Pictures in transport streams and fragments in MP4, of media from FFmpeg's libraries, and of what is no media."""

import io
import time
from collections.abc import Callable

import numpy as np
import pytest

from storage.playback import mp2t, mp4
from storage.playback.cut_points import Unit, byte_range, cut_points
from storage.playback.sound_frames import sound_frame_ns
from tests.interop.media import fragmented_mp4
from tests.unit.playback.test_codecs import box, encoded
from tests.unit.playback.transport_packets import key_frame, packet, timed

MOST = 10_000_000
TRACK = mp4.Track(90_000)


def unlimited() -> None:
    """Lets reading go on."""


def units_of(media: bytes, kind: mp2t.Kind) -> list[Unit]:
    found = mp2t.read_units(io.BytesIO(media), kind, MOST, unlimited)
    assert found is not None
    return found[0]


class Pipe(io.BytesIO):
    """A file that can only be read on, as media from another server."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError


def joined() -> tuple[mp4.Track, list[bytes]]:
    """The track and the fragments of numbered pictures: 25, with a key frame in every ten."""
    init, fragments = fragmented_mp4.make(25, 10)
    track = mp4.read_track(init)
    assert track is not None
    return track, fragments


@pytest.mark.parametrize("file", [io.BytesIO, Pipe])
def test_fragments_are_units_that_begin_with_key_frames(file: Callable[[bytes], io.BytesIO]) -> None:
    track, fragments = joined()
    units = mp4.read_units(file(b"".join(fragments)), track, MOST, unlimited)
    assert units is not None
    sizes = [len(each) for each in fragments]
    assert [each.at for each in units] == [each.begin for each in units] == [0, sizes[0], sizes[0] + sizes[1]]
    frame = 1_000_000_000 * 1001 / 30000
    assert [round((each.first - units[0].first) / frame) for each in units] == [0, 10, 20]
    assert [round((each.last - each.first) / frame) for each in units] == [9, 9, 4]


def test_the_key_frame_of_a_fragment_is_its_first_sample() -> None:
    track, fragments = joined()
    found = mp4.read_key_frame(io.BytesIO(b"\0\0\0\x08styp" + fragments[0]), track)
    assert found is not None
    assert found[0] == 8
    assert fragments[0].index(b"mdat") + 4 + 8 < found[1] < len(fragments[0])


def test_a_longer_file_is_not_looked_through() -> None:
    track, fragments = joined()
    media = b"".join(fragments)
    assert mp4.read_units(io.BytesIO(media), track, len(media) - 1, unlimited) is None
    assert mp4.read_units(io.BytesIO(media), track, len(media), unlimited) is not None
    stream = encoded("mpegts", ["libx264"])
    assert mp2t.read_units(io.BytesIO(stream), "video", len(stream) - 1, unlimited) is None
    assert mp2t.read_units(io.BytesIO(stream), "video", len(stream), unlimited) is not None


def test_pictures_of_a_transport_stream_have_their_times_and_places() -> None:
    media = encoded("mpegts", ["libx264", "aac"])
    units = units_of(media, "video")
    assert sorted((each.first - min(unit.first for unit in units)) // 1_000_000 for each in units) == [
        *range(0, 240, 40)
    ]
    assert [each.begin is not None for each in units] == [True, *[False] * 5]
    assert mp2t.read_key_frame(io.BytesIO(media), MOST, unlimited) == (units[0].begin, units[1].at)
    assert units_of(media, "audio")


def test_a_clock_that_starts_again_goes_on() -> None:
    times = [mp2t.WRAP - 3600, 0, 3600]
    media = b"".join(timed(0x101, 0xE0, ticks) for ticks in times)
    units = units_of(media, "video")
    assert [round((each.first - units[0].first) / 1_000_000) for each in units] == [0, 40, 80]


def test_several_streams_of_a_kind_are_not_told_apart() -> None:
    assert mp2t.read_units(io.BytesIO(encoded("mpegts", ["aac", "ac3"])), "audio", MOST, unlimited) is None


def test_several_tracks_are_not_told_apart() -> None:
    media = encoded("mp4", ["libx264", "aac"], movflags="frag_keyframe+empty_moov+default_base_moof+delay_moov")
    assert mp4.read_track(media) is None


def test_what_is_no_media_has_no_structure() -> None:
    noise = np.random.default_rng(2).integers(0, 256, 100_000, np.uint8).tobytes()
    track, fragments = joined()
    stream = encoded("mpegts", ["libx264"])
    for media in (b"", noise, b"\x47" * 188_000, fragments[0][:200], fragments[0][8:], stream[:1000], stream[1:]):
        key_frames = (
            mp2t.read_key_frame(io.BytesIO(media), MOST, unlimited),
            mp4.read_key_frame(io.BytesIO(media), track),
        )
        assert key_frames == (None, None) or media in (fragments[0][:200], stream[:1000])
        for kind in ("video", "audio"):
            mp2t.read_units(io.BytesIO(media), kind, MOST, unlimited)
        mp4.read_units(io.BytesIO(media), track, MOST, unlimited)
        mp4.read_track(media)


def fragment_of(run: bytes) -> bytes:
    """A moof box with the run, and an empty mdat box."""
    inner = box(b"tfhd", bytes(3), b"\0", bytes(4)) + box(b"tfdt", bytes(8)) + run
    return box(b"moof", box(b"traf", inner)) + box(b"mdat")


def constant_run(count: int) -> bytes:
    """Samples with all values by default, which take no bytes."""
    return box(b"trun", (1).to_bytes(4, "big"), count.to_bytes(4, "big"), (100).to_bytes(4, "big"))


def test_samples_that_take_no_bytes_take_no_time() -> None:
    """A few kilobytes claim as many samples as a file may have."""
    track = mp4.Track(1000, duration=1)
    units = mp4.read_units(io.BytesIO(fragment_of(constant_run(100_000)) * 2), track, MOST, unlimited)
    assert units is not None
    assert [(each.first, each.last) for each in units] == [(0, 99_999_000_000)] * 2
    began = time.process_time()
    for _ in range(100):
        mp4.read_units(io.BytesIO(fragment_of(constant_run(100_000)) * 2), track, MOST, unlimited)
    # One by one, twenty million samples take seconds.
    assert time.process_time() - began < 1


@pytest.mark.parametrize(("fragments", "count"), [(1, (1 << 32) - 1), (3, 100_000), (201, 1000)])
def test_a_file_cannot_claim_more_samples_than_are_looked_at(fragments: int, count: int) -> None:
    media = fragment_of(constant_run(count)) * fragments
    assert mp4.read_units(io.BytesIO(media), TRACK, MOST, unlimited) is None


def test_many_boxes_are_not_looked_through() -> None:
    media = box(b"free") * 100_000 + fragment_of(constant_run(1))
    assert mp4.read_units(io.BytesIO(media), TRACK, MOST, unlimited) is None


@pytest.mark.parametrize("shifted", [False, True])
def test_samples_with_values_of_their_own(shifted: bool) -> None:
    """With a size each; or with all values, of which the first is shown last."""
    values = [(1, 7, 0, 5), (2, 8, 1 << 16, 0), (3, 9, 1 << 16, -2)]
    flags = 0xF01 if shifted else 0x201
    content = b"".join(
        b"".join(each.to_bytes(4, "big", signed=True) for each in (sample if shifted else sample[1:2]))
        for sample in values
    )
    head = (1 << 24 | flags).to_bytes(4, "big") + (3).to_bytes(4, "big") + (100).to_bytes(4, "big")
    found = mp4.read_fragment(fragment_of(box(b"trun", head, content)), mp4.Track(1000, 4), 3)
    times = (5, 1, 5) if shifted else (0, 0, 8)
    assert found == mp4.Fragment(3, *times, True, 107)


@pytest.mark.parametrize("of", ["mp4", "mp2t"])
def test_reading_ends_when_the_time_is_over(of: str) -> None:
    steps = 0

    def check() -> None:
        nonlocal steps
        steps += 1
        if steps > 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        if of == "mp4":
            mp4.read_units(io.BytesIO(box(b"free") * 10_000), TRACK, MOST, check)
        else:
            mp2t.read_units(io.BytesIO(b"\x47\x1f\xff\x10".ljust(188) * 10_000), "video", MOST, check)


def sound(frames: int) -> bytes:
    """A packet of AAC after so many frames of 1,024 samples at 48 kHz."""
    return timed(0x102, 0xC0, frames * 1920, b"\xff\xf1\x4c\x80")


REST = packet(0x102, b"", starts=False)
"""The rest of the sound before."""


@pytest.mark.parametrize(
    ("before", "after", "ends", "begins"),
    [
        ([sound(0), sound(23)], [sound(47), sound(70)], True, True),
        ([sound(0), sound(23)], [sound(46), sound(70)], True, True),
        ([sound(0), sound(23)], [sound(45), sound(70)], False, False),
        ([sound(0), sound(23)], [sound(50), sound(70)], False, False),
        ([sound(0), sound(23), sound(47)], [sound(70)], False, False),
        ([sound(0)], [sound(23), sound(47)], False, False),
        ([sound(0), sound(46)], [REST, sound(47)], True, True),
        ([sound(0), sound(23)], [REST, sound(47)], False, True),
        ([sound(0)], [], True, True),
        ([], [sound(47)], True, True),
        ([], [], True, True),
    ],
)
def test_a_file_is_cut_only_where_its_sound_is_too(
    before: list[bytes], after: list[bytes], ends: bool, begins: bool
) -> None:
    """At one second, which is 46.9 frames of sound, to one frame."""
    first, second = (b"".join([key_frame(ticks), *others]) for ticks, others in ((0, before), (90_000, after)))
    found = mp2t.read_units(io.BytesIO(first + second), "video", MOST, unlimited)
    assert found is not None
    points = cut_points(*found)
    size = len(first + second)
    assert byte_range(points, 1_000_000_000, None, size) == ((len(first), size) if begins else None)
    assert byte_range(points, None, 1_000_000_000, size) == ((0, len(first) + 2 * 188) if ends else None)


def test_sound_between_the_tables_and_the_picture_belongs_to_both_parts() -> None:
    """It must be that of neither then."""
    second = key_frame(90_000)
    media = key_frame(0) + sound(0) + second[:376] + sound(23) + second[376:] + sound(47)
    found = mp2t.read_units(io.BytesIO(media), "video", MOST, unlimited)
    assert found is not None
    points = cut_points(*found)
    assert byte_range(points, None, 1_000_000_000, len(media)) is not None
    assert byte_range(points, 1_000_000_000, None, len(media)) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xff\xf1\x50\x80\0", 1024 / 44100),
        (b"\xff\xfd\x84\0\0", 1152 / 48000),
        (b"\xff\xf3\x44\0\0", 576 / 24000),
        (b"\xff\xff\x88\0\0", 384 / 32000),
        (b"\x0b\x77\0\0\x40", 1536 / 44100),
        (b"\xff\xf1\x7c\x80\0", None),
        (b"\xff\xe9\0\0\0", None),
        (b"\xff\xf1", None),
        (bytes(5), None),
    ],
)
def test_headers_tell_how_long_frames_of_sound_last(data: bytes, expected: float | None) -> None:
    found = sound_frame_ns(data)
    assert found == (None if expected is None else int(expected * 1_000_000_000))


def test_many_streams_are_not_looked_at() -> None:
    others = b"".join(timed(0x200 + number, 0xC0, 0) for number in range(17))
    assert mp2t.read_units(io.BytesIO(key_frame(0) + others), "video", MOST, unlimited) is None
