"""The picture that is shown at a time, as JPEG. Runs in the process of `storage.thumbnails.child`."""

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any, BinaryIO, Final

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from storage.thumbnails.request import MediaFormat, PictureRequest
from storage.timerange import NS

_DECODERS: Final = "h264,hevc,mpeg2video,mpeg4,mjpeg,prores,dnxhd,vp9,av1,libdav1d"
"""Those that flows are likely to need. Others are only more for hostile media to attack."""
_DEMUXERS: Final[dict[MediaFormat, str]] = {"mpegts": "mpegts", "mp4": "mp4", "fragmented_mp4": "mp4"}
_MOST_PIXELS: Final = 8192 * 4320
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
            frame = _shown(container, stream, request.time_ns)
            return _jpeg(frame, request.width, stream.sample_aspect_ratio)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def _shown(container: InputContainer, stream: VideoStream, time_ns: int) -> av.VideoFrame:
    """The last picture that begins at a time or before; the first one if all are later. Raises: Undecodable."""
    if stream.time_base is None:
        raise Undecodable("its pictures have no times")
    # Times are rounded to the clock of the file.
    at = floor(Fraction(time_ns, NS) / stream.time_base + Fraction(1, 2))
    codec = stream.codec_context
    codec.thread_count = 1
    codec.options = {"max_pixels": str(_MOST_PIXELS)}
    shown: av.VideoFrame | None = None
    shown_at = 0
    for frame in _decoded(codec, _packets(container, stream, at)):
        if frame.pts is not None and (shown is None or shown_at < frame.pts <= at or frame.pts < shown_at > at):
            shown, shown_at = frame, frame.pts
    if shown is None:
        raise Undecodable("no picture at this time can be decoded")
    return shown


def _packets(container: InputContainer, stream: VideoStream, at: int) -> "list[av.Packet[Any]]":
    """The coded pictures from the last key frame until a time in ticks, which are all that its picture depends on."""
    packets: list[av.Packet[Any]] = []
    with contextlib.suppress(av.InvalidDataError):  # The rest is damaged; what comes before may be enough.
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if packet.is_keyframe and packet.pts is not None and packet.pts <= at:
                packets.clear()
            packets.append(packet)
            if packet.dts is not None and packet.dts > at:
                break
    return packets


def _decoded(codec: VideoCodecContext, packets: "list[av.Packet[Any]]") -> Iterator[av.VideoFrame]:
    """The pictures in these packets, without those that are damaged."""
    for packet in [*packets, None]:
        with contextlib.suppress(av.InvalidDataError):
            yield from codec.decode(packet)


def _jpeg(frame: av.VideoFrame, most: int, pixel: Fraction | None) -> bytes:
    """The picture as JPEG, in the shape in which it is shown.

    most: its width at most, in pixels. pixel: the ratio of width to height of a pixel.
    """
    shape = pixel if pixel and Fraction(1, _WIDEST_PIXEL) <= pixel <= _WIDEST_PIXEL else Fraction(1)
    shown_width = frame.width * shape
    width = _even(min(Fraction(most), shown_width))
    height = _even(width * frame.height / shown_width)
    scaled = frame.reformat(
        width,
        height,
        "yuvj420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA,
        threads=1,
    )
    scaled.pts, scaled.time_base = 0, Fraction(1)
    codec = CodecContext.create("mjpeg", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "yuvj420p", Fraction(1)
    codec.thread_count = 1
    codec.options = {"qmin": "3", "qmax": "3"}
    return b"".join(bytes(packet) for packet in [*codec.encode(scaled), *codec.encode(None)])


def _even(size: Fraction) -> int:
    return max(2, round(size / 2) * 2)
