"""Flows whose pictures show their number, in transport streams and in fragmented MP4, and the number of a thumbnail."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import av
import httpx

from tests.conformance.kit.documents import VIDEO, Json, flow
from tests.conformance.kit.polling import wait_until
from tests.interop.demo.client import Tams
from tests.interop.demo.timeline import SECOND, Span, in_ns
from tests.interop.ingest import segment, upload
from tests.interop.media import fragmented_mp4, jpeg, numbered, transport_stream

RATE = Fraction(25)
FRAME = SECOND // 25
GOP, FRAMES = 10, 40
START = 1_800_000_000 * SECOND
"""Of the flows, in ns."""


@cache
def make_ts(first: int, count: int, clock_s: int = 0) -> bytes:
    """A transport stream with pictures from the number `first` on, a key frame for every GOP of them.

    clock_s: how much later its clock is, in seconds.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts", options={"output_ts_offset": str(clock_s)}) as output:
        numbered.encode(output, range(first, first + count), RATE, GOP)
    return target.getvalue()


@cache
def make_mp4(*, index_first: bool) -> bytes:
    """Plain MP4 with FRAMES pictures. index_first: whether its index (`moov`) comes before its media (`mdat`)."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as output:
        numbered.encode(output, range(FRAMES), RATE, GOP)
    media = target.getvalue()
    if not index_first:
        return media
    begin = media.index(b"moov") - 4
    index = bytearray(media[begin:])
    # The places of the media in the file (ISO/IEC 14496-12, 8.7.5) are later then.
    table = index.index(b"stco") + 8
    [count] = struct.unpack_from(">I", index, table)
    places = struct.unpack_from(f">{count}I", index, table + 4)
    struct.pack_into(f">{count}I", index, table + 4, *(place + len(index) for place in places))
    head = media.index(b"mdat") - 4
    head -= 8 if media[head - 4 : head] == b"free" else 0
    return media[:head] + bytes(index) + media[head:begin]


def offset_of(media: bytes, format_: str) -> int:
    """What to add to times in a file, in ns, so that picture 0 is at START and all others follow it."""
    number, time = next(iter(numbered.decoded(media, format_)))
    return START + number * FRAME - in_ns(1, time)


def span_of(first: int, end: int) -> Span:
    """The time of pictures from `first` until before `end`."""
    return Span(START + first * FRAME, START + end * FRAME)


def time_of(place: float) -> str:
    """The time of a picture, or of a place between two, as TAMS writes it."""
    ns = START + round(place * FRAME)
    return f"{ns // SECOND}:{ns % SECOND}"


def store_ts(service: Tams, spans: Sequence[Span] = (span_of(0, FRAMES),), media: bytes | None = None) -> Json:
    """A flow of one transport stream with FRAMES pictures, or with other bytes, used in these spans."""
    content = make_ts(0, FRAMES) if media is None else media
    offset = offset_of(make_ts(0, FRAMES), "mpegts")
    document = flow(VIDEO, container=transport_stream.TYPE)
    whole = span_of(0, FRAMES).shifted(-offset)
    service.put_flow(document)
    [id_] = upload(service, document["id"], [content])
    service.register(document["id"], [{"object_id": id_, **segment(each, whole, offset)} for each in spans])
    return document


def store_fragments(service: Tams) -> Json:
    """A flow of fragmented MP4, a segment for every GOP of FRAMES pictures."""
    init, fragments = fragmented_mp4.make(FRAMES, GOP, RATE)
    essence = {"frame_rate": {"numerator": 25}, "frame_width": numbered.WIDTH, "frame_height": numbered.HEIGHT}
    document = flow(VIDEO, container=fragmented_mp4.MEDIA_TYPE, essence_parameters={**essence, "init_segments": True})
    service.put_flow(document)
    [init_id] = upload(service, document["id"], [init], fragmented_mp4.INIT_TYPE)
    offset = offset_of(init + fragments[0], "mp4")
    for place, id_ in enumerate(upload(service, document["id"], fragments)):
        span = span_of(place * GOP, (place + 1) * GOP)
        part = {"object_id": id_, "init_object_id": init_id, **segment(span, span.shifted(-offset), offset)}
        service.register(document["id"], [part])
    return document


def store_mp4(service: Tams, *, index_first: bool = False) -> Json:
    """A flow of one plain MP4 file with FRAMES pictures."""
    content = make_mp4(index_first=index_first)
    assert (content.index(b"moov") < content.index(b"mdat")) == index_first
    offset = offset_of(content, "mp4")
    document = flow(VIDEO, container="video/mp4")
    service.put_flow(document)
    [id_] = upload(service, document["id"], [content], "video/mp4")
    whole = span_of(0, FRAMES)
    service.register(document["id"], [{"object_id": id_, **segment(whole, whole.shifted(-offset), offset)}])
    return document


def get(service: Tams, document: Json, **query: Any) -> httpx.Response:
    """The thumbnail of a flow, for which the machine may be too busy at first, as other tests run on it."""
    responses: list[httpx.Response] = []

    def is_answered() -> bool:
        responses.append(get_now(service, document, **query))
        return responses[-1].status_code != 503

    wait_until(is_answered, "a thumbnail", timeout_s=120)
    return responses[-1]


def get_now(service: Tams, document: Json, **query: Any) -> httpx.Response:
    """The thumbnail of a flow, or the error if the machine is too busy for it."""
    return service.api.get(f"/flows/{document['id']}/thumbnail.jpg", params=query)


def number_in(response: httpx.Response) -> int:
    """The number of the picture in a thumbnail."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    return jpeg.read(response.content)
