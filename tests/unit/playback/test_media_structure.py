"""Pictures in transport streams and fragments in MP4, of media from FFmpeg's libraries, and of what is no media."""

import io
from collections.abc import Callable

import numpy as np
import pytest

from storage.playback import mp2t, mp4
from tests.interop.media import fragmented_mp4
from tests.unit.playback.test_codecs import box, encoded

MOST = 10_000_000
TRACK = mp4.Track(90_000)


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
    units = mp4.read_units(file(b"".join(fragments)), track, MOST)
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
    assert mp4.read_units(io.BytesIO(media), track, len(media) - 1) is None
    assert mp4.read_units(io.BytesIO(media), track, len(media)) is not None
    stream = encoded("mpegts", ["libx264"])
    assert mp2t.read_units(io.BytesIO(stream), "video", len(stream) - 1) is None
    assert mp2t.read_units(io.BytesIO(stream), "video", len(stream)) is not None


def test_pictures_of_a_transport_stream_have_their_times_and_places() -> None:
    media = encoded("mpegts", ["libx264", "aac"])
    units = mp2t.read_units(io.BytesIO(media), "video", MOST)
    assert units is not None
    assert sorted((each.first - min(unit.first for unit in units)) // 1_000_000 for each in units) == [
        *range(0, 240, 40)
    ]
    assert [each.begin is not None for each in units] == [True, *[False] * 5]
    assert mp2t.read_key_frame(io.BytesIO(media), MOST) == (units[0].begin, units[1].at)
    assert mp2t.read_units(io.BytesIO(media), "audio", MOST)


def test_a_clock_that_starts_again_goes_on() -> None:
    def packet(ticks: int, number: int) -> bytes:
        time = bytes([0x21 | ticks >> 29 & 0xE, ticks >> 22 & 0xFF, ticks >> 14 & 0xFE | 1, ticks >> 7 & 0xFF])
        start = b"\0\0\1\xe0\0\0\x80\x80\x05" + time + bytes([ticks << 1 & 0xFE | 1])
        return (b"\x47\x41\0" + bytes([0x10 | number]) + start).ljust(188, b"\xff")

    times = [mp2t.WRAP - 3600, 0, 3600]
    media = b"".join(packet(ticks, number) for number, ticks in enumerate(times))
    units = mp2t.read_units(io.BytesIO(media), "video", MOST)
    assert units is not None
    assert [round((each.first - units[0].first) / 1_000_000) for each in units] == [0, 40, 80]


def test_several_streams_of_a_kind_are_not_told_apart() -> None:
    assert mp2t.read_units(io.BytesIO(encoded("mpegts", ["aac", "ac3"])), "audio", MOST) is None


def test_several_tracks_are_not_told_apart() -> None:
    media = encoded("mp4", ["libx264", "aac"], movflags="frag_keyframe+empty_moov+default_base_moof+delay_moov")
    assert mp4.read_track(media) is None


def test_what_is_no_media_has_no_structure() -> None:
    noise = np.random.default_rng(2).integers(0, 256, 100_000, np.uint8).tobytes()
    track, fragments = joined()
    stream = encoded("mpegts", ["libx264"])
    for media in (b"", noise, b"\x47" * 188_000, fragments[0][:200], fragments[0][8:], stream[:1000], stream[1:]):
        for read in (mp2t.read_key_frame, lambda file, most: mp4.read_key_frame(file, track)):
            assert read(io.BytesIO(media), MOST) is None or media in (fragments[0][:200], stream[:1000])
        for kind in ("video", "audio"):
            mp2t.read_units(io.BytesIO(media), kind, MOST)
        mp4.read_units(io.BytesIO(media), track, MOST)
        mp4.read_track(media)


@pytest.mark.parametrize("count", [1, 1 << 20, (1 << 32) - 1])
def test_a_fragment_cannot_claim_more_samples_than_are_looked_at(count: int) -> None:
    """Samples with all values by default take no bytes."""
    run = box(b"trun", (1).to_bytes(4, "big"), count.to_bytes(4, "big"), (100).to_bytes(4, "big"))
    inner = box(b"tfhd", bytes(3), b"\0", bytes(4)) + box(b"tfdt", bytes(8)) + run
    found = mp4.read_fragment(box(b"moof", box(b"traf", inner)), TRACK)
    assert (found is None) is (count > 1)
