"""F19: thumbnails show the picture of a time exactly, whatever the container."""

import io
from collections.abc import Callable
from fractions import Fraction

import av
import pytest

from storage.thumbnails.decoder import PictureDecoder
from tests.conformance.kit.documents import Json
from tests.interop.demo.client import Tams
from tests.interop.media import numbered

from . import clips
from .clips import FRAMES, GOP, get, number_in, span_of, time_of


@pytest.mark.parametrize("make", [clips.store_ts, clips.store_fragments])
def test_the_picture_of_a_time_is_shown(service: Tams, make: Callable[[Tams], Json]) -> None:
    flow = make(service)
    for number in (0, 1, GOP - 1, GOP, GOP + 1, 2 * GOP + 7, FRAMES - 1):
        assert number_in(get(service, flow, at=time_of(number))) == number
    # Until the next one begins.
    assert number_in(get(service, flow, at=time_of(13.5))) == 13
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


def test_no_more_is_read_than_the_picture_needs(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    media = clips.make_ts(0, FRAMES) + bytes(64 << 20)
    flow = clips.store_ts(service, media=media)
    sent: list[int] = []
    decode = PictureDecoder.decode

    def counted(self, request, chunks):  # type: ignore[no-untyped-def]
        return decode(self, request, (sent.append(len(chunk)) or chunk for chunk in chunks))  # type: ignore[func-returns-value]

    monkeypatch.setattr(PictureDecoder, "decode", counted)
    assert number_in(get(service, flow, at=time_of(3))) == 3
    assert 0 < sum(sent) < len(media) // 2


@pytest.mark.parametrize(("width", "expected"), [(64, (64, 16)), (99, (100, 24)), (1920, (256, 64))])
def test_the_width_is_bounded_and_the_shape_stays(service: Tams, width: int, expected: tuple[int, int]) -> None:
    response = get(service, clips.store_fragments(service), width=width)
    with av.open(io.BytesIO(response.content), format="jpeg_pipe") as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == expected
    for wrong in (15, 1921, "wide"):
        assert get(service, clips.store_fragments(service), width=wrong).status_code == 400


def test_pixels_that_are_not_square_are_made_square(service: Tams) -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = numbered.WIDTH, numbered.HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(numbered.draw(7), format="yuv420p")))
        output.mux(stream.encode())
    response = get(service, clips.store_ts(service, media=target.getvalue()), width=1000)
    with av.open(io.BytesIO(response.content), format="jpeg_pipe") as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (512, 64)


def test_a_thumbnail_is_made_once_and_validated_by_its_entity_tag(
    service: Tams, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = clips.store_fragments(service)
    first = get(service, flow, at=time_of(4))
    assert first.headers["cache-control"] == "private, max-age=600"
    monkeypatch.setattr(PictureDecoder, "decode", None)
    again = get(service, flow, at=time_of(4))
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    url = f"/flows/{flow['id']}/thumbnail.jpg?at={time_of(4)}"
    unmodified = service.api.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (unmodified.status_code, unmodified.content) == (304, b"")
    assert unmodified.headers["cache-control"] == "private, max-age=600"
    head = service.api.head(url)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(first.content)))
