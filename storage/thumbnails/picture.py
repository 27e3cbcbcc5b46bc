"""The picture that is shown at a time, as JPEG. Runs in the process of `storage.thumbnails.child`."""

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from math import floor
from typing import Any, BinaryIO, Final, TypeAlias

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from storage.playback.file_clock import shift_to_file
from storage.thumbnails.orientation import orientation_of
from storage.thumbnails.request import MediaFormat, PictureRequest
from storage.timerange import NS

_Packet: TypeAlias = "av.Packet[Any]"

_DECODERS: Final = "h264,hevc,mpeg2video,mpeg4,mjpeg,prores,dnxhd,vp9,av1,libdav1d"
"""Those that flows are likely to need. Others are only more for hostile media to attack."""
_DEMUXERS: Final[dict[MediaFormat, str]] = {"mpegts": "mpegts", "mp4": "mp4", "fragmented_mp4": "mp4"}
_MOST_PIXELS: Final = 8192 * 4320
_HIGHEST: Final = 1920
"""Of a thumbnail, in pixels, so that its size is bounded whatever its shape."""
_WIDEST_PIXEL: Final = 4


class Undecodable(Exception):
    """The media have no picture that can be decoded."""


class _Stream:
    """A stream that cannot be sought, so that no more of it is read than the picture needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.read


def import_all() -> None:
    """Import what PyAV would import when it first meets a stream of some kind, as no file can be opened then."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def make_thumbnail(media: BinaryIO, request: PictureRequest) -> bytes:
    """The picture that is shown at a time, as JPEG.

    media: fragmented MP4 with the init object first. Plain MP4 has to be seekable.
    Raises: Undecodable, with the reason.
    """
    source: Any = media if request.format == "mp4" else _Stream(media)
    options = {"codec_whitelist": _DECODERS}
    try:
        with av.open(source, "r", format=_DEMUXERS[request.format], options=options) as container:
            if not container.streams.video:
                raise Undecodable("there are no pictures in it")
            stream = container.streams.video[0]
            frame = _shown(container, stream, request)
            return _jpeg(frame, request.width, stream.sample_aspect_ratio)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def _shown(container: InputContainer, stream: VideoStream, request: PictureRequest) -> av.VideoFrame:
    """The last picture that begins at a time or before; the first one if all are later. Raises: Undecodable."""
    packets, at = _packets(container, stream, request)
    codec = stream.codec_context
    codec.thread_count = 1
    codec.options = {"max_pixels": str(_MOST_PIXELS)}
    shown: av.VideoFrame | None = None
    shown_at = 0
    for frame in _decoded(codec, packets):
        if frame.pts is not None and (shown is None or shown_at < frame.pts <= at or frame.pts < shown_at > at):
            shown, shown_at = frame, frame.pts
    if shown is None:
        raise Undecodable("no picture at this time can be decoded")
    return shown


def _packets(container: InputContainer, stream: VideoStream, request: PictureRequest) -> "tuple[list[_Packet], int]":
    """The coded pictures from the last key frame until a time, which are all that its picture depends on.

    And that time on the clock of the file, in ticks. Raises: Undecodable.
    """
    demuxed = _demuxed(container, stream)
    first = _first_packets(demuxed)
    at = _ticks(stream, [packet.pts for packet in first if packet.pts is not None], request)
    packets: list[_Packet] = []
    for packet in chain(first, demuxed):
        if packet.is_keyframe and packet.pts is not None and packet.pts <= at:
            packets.clear()
        packets.append(packet)
        if packet.dts is not None and packet.dts > at:
            break
    return packets, at


def _demuxed(container: InputContainer, stream: VideoStream) -> "Iterator[_Packet]":
    with contextlib.suppress(av.InvalidDataError):  # The rest is damaged; what comes before may be enough.
        yield from (packet for packet in container.demux(stream) if packet.size)


def _first_packets(demuxed: "Iterator[_Packet]") -> "list[_Packet]":
    """Those of which one is shown first: none that is decoded later than the first is shown comes before it."""
    first: list[_Packet] = []
    for packet in demuxed:
        first.append(packet)
        if packet.dts is not None and first[0].pts is not None and packet.dts >= first[0].pts:
            break
    return first


def _ticks(stream: VideoStream, first: list[int], request: PictureRequest) -> int:
    """The time of a request, rounded to the clock of the file. first: times on it. Raises: Undecodable without any."""
    if stream.time_base is None or not first:
        raise Undecodable("its pictures have no times")
    begin = floor(min(first) * stream.time_base * NS)
    shift = shift_to_file(request.object_start_ns, begin, exact=request.format == "fragmented_mp4")
    return floor(Fraction(request.time_ns + shift, NS) / stream.time_base + Fraction(1, 2))


def _decoded(codec: VideoCodecContext, packets: "list[_Packet]") -> Iterator[av.VideoFrame]:
    """The pictures in these packets, without those that are damaged."""
    for packet in [*packets, None]:
        with contextlib.suppress(av.InvalidDataError):
            yield from codec.decode(packet)


def _jpeg(frame: av.VideoFrame, most: int, pixel: Fraction | None) -> bytes:
    """The picture as JPEG, in the shape in which it is shown.

    most: its width at most, in pixels. pixel: the ratio of width to height of a pixel.
    """
    orientation = orientation_of(frame)
    shape = pixel if pixel and Fraction(1, _WIDEST_PIXEL) <= pixel <= _WIDEST_PIXEL else Fraction(1)
    size = frame.width * shape, Fraction(frame.height)
    bounds = (_HIGHEST, most) if orientation.transposed else (most, _HIGHEST)
    scale = min(Fraction(1), *(bound / length for bound, length in zip(bounds, size, strict=True)))
    width, height = (_even(length * scale) for length in size)
    scaled = frame.reformat(
        width,
        height,
        "yuvj420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA,
        threads=1,
    )
    turned = orientation.apply(scaled)
    turned.pts, turned.time_base = 0, Fraction(1)
    codec = CodecContext.create("mjpeg", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = turned.width, turned.height, "yuvj420p", Fraction(1)
    codec.thread_count = 1
    codec.options = {"qmin": "3", "qmax": "3"}
    return b"".join(bytes(packet) for packet in [*codec.encode(turned), *codec.encode(None)])


def _even(size: Fraction) -> int:
    return max(2, round(size / 2) * 2)
