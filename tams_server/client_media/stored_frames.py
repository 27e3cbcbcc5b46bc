"""The coded frames in stored segments, with their times on the timeline of the flow."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from storage.timerange import NS
from tams_server.client_media.errors import MediaError
from tams_server.client_media.field_pairs import FieldPairs
from tams_server.client_media.flow_reader import ObjectReader, StoredSegment
from tams_server.client_media.ticks import in_ns

_TS_PACKET: Final = 188
_SNAP_NS: Final = 2_000_000
"""The clock of a container may be as coarse as milliseconds."""


@dataclass(slots=True)
class StoredFrame:
    """A coded frame. start, end: in ns on the timeline of its flow. key: whether decoding can begin here."""

    data: bytes
    start: int
    end: int
    key: bool


@dataclass(frozen=True, slots=True)
class Coding:
    """How a stream is coded: FFmpeg's name of the codec, the configuration of its decoder, and its parameters.

    shape: width and height of pictures, or sample rate and channels. Others as FFmpeg has them.
    """

    codec: str
    config: bytes
    shape: tuple[int, int]
    pixel_format: str
    field_order: int
    colors: tuple[int, int, int, int]
    pixel_aspect: Fraction | None
    profile: str


@contextmanager
def opened_stream(file: bytes, kind: str, number: int = 0) -> Iterator[Any]:
    """The stream of a type in a file of media, the `number`th of them. Raises MediaError."""
    try:
        with av.open(io.BytesIO(file), format=_format(file)) as container:
            found = [each for each in container.streams if each.type == kind]
            if number >= len(found):
                raise MediaError(f"an object has no {kind}")
            yield found[number]
    except av.FFmpegError as error:
        raise MediaError(f"an object cannot be read: {error.strerror}") from error


def _format(file: bytes) -> str | None:
    """MPEG-TS, which FFmpeg does not recognise by a few packets; None for what it recognises."""
    return "mpegts" if file[:1] == b"G" and len(file) % _TS_PACKET == 0 else None


def coding_of(stream: Any) -> Coding:
    """How a stream is coded."""
    context = stream.codec_context
    config = bytes(context.extradata or b"")
    name = context.codec.canonical_name
    if stream.type == "audio":
        return Coding(name, config, (context.sample_rate, context.channels), "", 0, (2, 2, 2, 0), None, "")
    colors = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
    return Coding(
        name,
        config,
        (context.width, context.height),
        context.pix_fmt or "",
        int(context.field_order),
        (int(colors[0]), int(colors[1]), int(colors[2]), int(colors[3])),
        Fraction(stream.sample_aspect_ratio) if stream.sample_aspect_ratio else None,
        str(context.profile or ""),
    )


class FrameReader:
    """Reads the frames of one stream of a flow. kind, number: of the stream in the files. rate: of frames, if fixed."""

    def __init__(self, reader: ObjectReader, kind: str, number: int, rate: Fraction | None) -> None:
        self._reader = reader
        self._kind = kind
        self._number = number
        self._rate = rate

    def coding(self, segment: StoredSegment) -> Coding:
        """How the stream is coded in a segment. Raises MediaError."""
        with opened_stream(self._reader.file(segment), self._kind, self._number) as stream:
            return coding_of(stream)

    def frames(self, segments: Sequence[StoredSegment]) -> Iterator[StoredFrame]:
        """The frames of a run in decoding order, those outside of its segments included. Raises MediaError."""
        for segment, file in self._reader.files(segments):
            with opened_stream(file, self._kind, self._number) as stream:
                unit = Fraction(stream.time_base)
                for packet in FieldPairs(stream).joined(stream.container.demux(stream)):
                    if packet.size:
                        yield self._frame(packet, unit, segment)

    def _frame(self, packet: Any, unit: Fraction, segment: StoredSegment) -> StoredFrame:
        if packet.pts is None:
            raise MediaError(f"a frame of object {segment.object_id} has no time")
        start = in_ns(packet.pts, unit) + segment.ts_offset
        length = in_ns(packet.duration or 0, unit)
        if self._rate is None:
            return StoredFrame(bytes(packet), start, start + max(length, 1), bool(packet.is_keyframe))
        count = round((start - segment.start) * self._rate / NS)
        exact = segment.start + in_ns(count, 1 / self._rate)
        if abs(exact - start) > _SNAP_NS:
            return StoredFrame(bytes(packet), start, start + in_ns(1, 1 / self._rate), bool(packet.is_keyframe))
        following = segment.start + in_ns(count + 1, 1 / self._rate)
        return StoredFrame(bytes(packet), exact, following, bool(packet.is_keyframe))
