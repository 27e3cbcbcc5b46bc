"""F19: thumbnails show the picture of a time exactly, whatever the container."""

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import av
import httpx
import numpy as np
import pytest

from storage.playback.file_clock import shift_to_file
from storage.thumbnails import decoder
from storage.timerange import NS
from tests.conformance.kit.documents import VIDEO, Json
from tests.conformance.kit.documents import flow as document
from tests.interop.demo.client import Tams
from tests.interop.ingest import store
from tests.interop.media import numbered, transport_stream
from tests.interop.media.numbered import Plane

from . import clips
from .clips import FRAMES, GOP, get, number_in, span_of, time_of


@pytest.mark.parametrize(
    "make",
    [clips.store_ts, clips.store_fragments, clips.store_mp4, partial(clips.store_mp4, index_first=True)],
    ids=["transport stream", "fragments", "plain MP4", "plain MP4, index first"],
)
def test_the_picture_of_a_time_is_shown(service: Tams, make: Callable[[Tams], Json]) -> None:
    flow = make(service)
    for number in (0, GOP - 1, GOP, 2 * GOP + 7, FRAMES - 1):
        assert number_in(get(service, flow, at=time_of(number))) == number
    # Until the next one begins.
    assert number_in(get(service, flow, at=time_of(13.99))) == 13


def test_without_a_time_the_middle_of_the_first_segment_is_shown(service: Tams) -> None:
    assert number_in(get(service, clips.store_fragments(service))) == GOP // 2


def test_segments_that_use_a_part_of_an_object_have_its_pictures(service: Tams) -> None:
    """The object has more before and after, and the second segment shows it at another time."""
    flow = clips.store_ts(service, [span_of(13, 18), span_of(25, 31)])
    for number in (13, 17, 25, 30):
        assert number_in(get(service, flow, at=time_of(number))) == number
    assert number_in(get(service, flow)) == 15
    assert get(service, flow, at=time_of(20)).json()["code"] == "thumbnail.no_segment"


@pytest.mark.parametrize("clock_s", [0, 95_443])
def test_a_file_has_a_clock_of_its_own(service: Tams, clock_s: int) -> None:
    """Far from the object's timeline the first picture is where the object begins. The last clock starts again soon."""
    flow = document(VIDEO, container=transport_stream.TYPE)
    span = {"timerange": str(span_of(0, FRAMES))}
    store(service, flow, [clips.make_ts(0, FRAMES, clock_s)], [span])
    for number in (0, 2 * GOP, FRAMES - 1):
        assert number_in(get(service, flow, at=time_of(number))) == number


WRAP_NS = (1 << 33) * NS // 90_000


@pytest.mark.parametrize(
    ("object_start", "first", "exact", "expected"),
    [
        (0, 0, False, 0),
        (0, NS - 1, False, 0),
        (0, NS, False, NS),
        (0, NS - 1, True, NS - 1),
        (1_800_000_000 * NS, 14 * NS // 10, False, 14 * NS // 10 - 1_800_000_000 * NS),
        (3 * WRAP_NS + 5, 25, False, -3 * WRAP_NS),
        (3 * WRAP_NS, WRAP_NS - 25, False, -3 * WRAP_NS),
        (WRAP_NS, -25, False, -WRAP_NS),
    ],
)
def test_the_clock_of_a_file_is_that_of_the_object_if_it_is_near(
    object_start: int, first: int, exact: bool, expected: int
) -> None:
    shift = shift_to_file(object_start, first, exact=exact)
    assert (shift - expected) % WRAP_NS == 0
    if abs(first - object_start) < WRAP_NS:
        assert shift == expected


def test_no_more_is_read_than_the_picture_needs(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    media = clips.make_ts(0, FRAMES) + bytes(64 << 20)
    flow = clips.store_ts(service, media=media)
    sent: list[int] = []
    decode = decoder.decode

    def counted(request, chunks):  # type: ignore[no-untyped-def]
        return decode(request, (sent.append(len(chunk)) or chunk for chunk in chunks))  # type: ignore[func-returns-value]

    monkeypatch.setattr(decoder, "decode", counted)
    assert number_in(get(service, flow, at=time_of(3))) == 3
    assert 0 < sum(sent) < len(media) // 2


@pytest.mark.parametrize(("width", "expected"), [(64, (64, 16)), (99, (100, 24)), (1920, (256, 64))])
def test_the_width_is_bounded_and_the_shape_stays(service: Tams, width: int, expected: tuple[int, int]) -> None:
    response = get(service, clips.store_fragments(service), width=width)
    with av.open(io.BytesIO(response.content), format="jpeg_pipe") as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == expected
    for wrong in (15, 1921, "wide"):
        assert get(service, clips.store_fragments(service), width=wrong).status_code == 400


def encoded(format_: str, luma: Plane, pixel: Fraction) -> bytes:
    """A file with one picture. pixel: the ratio of width to height of a pixel."""
    target = io.BytesIO()
    with av.open(target, "w", format=format_) as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return target.getvalue()


def picture_in(response: httpx.Response) -> av.VideoFrame:
    assert response.status_code == 200, response.text
    with av.open(io.BytesIO(response.content), "r", format="jpeg_pipe") as file:
        [frame] = file.decode(video=0)
        return frame


def test_pixels_that_are_not_square_are_made_square(service: Tams) -> None:
    media = encoded("mpegts", numbered.draw(7), Fraction(2))
    picture = picture_in(get(service, clips.store_ts(service, media=media), width=1000))
    assert (picture.width, picture.height) == (512, 64)


def test_the_height_is_bounded_too(service: Tams) -> None:
    media = encoded("mpegts", np.full((4096 * 3 // 2, 64), 128, np.uint8), Fraction(1))
    picture = picture_in(get(service, clips.store_ts(service, media=media), width=64))
    assert (picture.width, picture.height) == (30, 1920)


@pytest.mark.parametrize(
    ("matrix", "turns", "mirrored"),
    [
        ((0, 1, -1, 0), 1, False),
        ((-1, 0, 0, -1), 2, False),
        ((0, -1, 1, 0), 3, False),
        ((-1, 0, 0, 1), 0, True),
    ],
)
def test_pictures_are_turned_as_the_file_says(
    service: Tams, matrix: tuple[int, int, int, int], turns: int, mirrored: bool
) -> None:
    """turns: by 90 degrees clockwise. The matrix is that of the track (ISO/IEC 14496-12, 8.3.2)."""
    media = encoded("mp4", numbered.draw(7), Fraction(1))
    a, b, c, d = (each << 16 for each in matrix)
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    movie = media.index(upright) + len(upright)
    flow = document(VIDEO, container="video/mp4")
    store(service, flow, [media[:movie] + media[movie:].replace(upright, turned)], [{"timerange": str(span_of(0, 1))}])
    shown = np.asarray(picture_in(get(service, flow)).to_ndarray(format="gray"), np.uint8)
    assert shown.shape == ((256, 64) if turns % 2 else (64, 256))
    undone = np.rot90(shown[:, ::-1] if mirrored else shown, turns)
    assert numbered.read(av.VideoFrame.from_ndarray(np.ascontiguousarray(undone), format="gray")) == 7
    narrow = picture_in(get(service, flow, width=32))
    assert narrow.width == 32


def test_a_thumbnail_is_made_once_and_validated_by_its_entity_tag(
    service: Tams, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = clips.store_fragments(service)
    first = get(service, flow, at=time_of(4))
    assert first.headers["cache-control"] == "private, max-age=600"
    monkeypatch.setattr(decoder, "decode", None)
    again = get(service, flow, at=time_of(4))
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    url = f"/flows/{flow['id']}/thumbnail.jpg?at={time_of(4)}"
    unmodified = service.api.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (unmodified.status_code, unmodified.content) == (304, b"")
    assert unmodified.headers["cache-control"] == "private, max-age=600"
    head = service.api.head(url)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(first.content)))
