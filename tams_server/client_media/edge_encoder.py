"""Decode frames at the edges of an export, and encode them so that they fit to those that are copied.

H.264 edges have parameter sets with an id of their own, so that one decoder reads both. H.265 and MPEG-2 repeat them
before each key frame.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
from av.codec.context import Flags

from storage.timerange import NS
from tams_server.client_media.errors import MediaError
from tams_server.client_media.parameter_sets import sets_of
from tams_server.client_media.stored_frames import Coding, StoredFrame
from tams_server.client_media.ticks import in_ns

_SETS_ID: Final = 29
"""Of the edges' parameter sets; encoders begin with 0."""
_UNIT: Final = Fraction(1, NS)
_ENCODERS: Final = {
    "h264": ("libx264", {"preset": "fast", "crf": "12", "bf": "0"}),
    "hevc": ("libx265", {"preset": "fast", "crf": "12"}),
    "mpeg2video": ("mpeg2video", {"qmin": "1", "qmax": "3", "bf": "0"}),
}
_INTERLACED: Final = (2, 3, 4, 5)
_TOP_FIRST: Final = (2, 5)


def can_encode(codec: str) -> bool:
    """Whether edges of this codec can be encoded."""
    return codec in _ENCODERS


class EdgeDecoder:
    """Decodes frames that are fed in decoding order. Times are in ns."""

    def __init__(self, coding: Coding) -> None:
        context: Any = av.CodecContext.create(coding.codec, "r")
        if coding.config:
            context.extradata = coding.config
        # Some decoders learn the size from the container alone.
        context.width, context.height = coding.shape
        context.pix_fmt = coding.pixel_format or None
        self._context = context

    def feed(self, frame: StoredFrame | None) -> Iterator[Any]:
        """The pictures that are complete after a frame; after None, the rest."""
        packet = None
        if frame is not None:
            packet = av.Packet(frame.data)
            packet.pts, packet.time_base = frame.start, _UNIT
            packet.is_keyframe = frame.key
        try:
            yield from self._context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.InvalidDataError as error:
            raise MediaError(f"a frame cannot be decoded: {error.strerror}") from error


class EdgeEncoder:
    """Encodes pictures as the coding of what they are joined to. rate: of frames; None if it varies."""

    def __init__(self, coding: Coding, rate: Fraction | None) -> None:
        name, options = _ENCODERS[coding.codec]
        self._coding = coding
        self._length = in_ns(1, 1 / rate) if rate else 0
        context: Any = av.CodecContext.create(name, "w")
        if not coding.pixel_format:
            raise MediaError("an object does not say how its pictures are coded: --copy, or begin at an earlier time")
        context.width, context.height = coding.shape
        context.pix_fmt = coding.pixel_format
        self._unit = 1 / rate if rate else Fraction(1, 90_000)
        context.time_base = self._unit
        context.framerate = rate or Fraction(25)
        context.options = self._options(options)
        context.max_b_frames = 0
        context.gop_size = 250
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = coding.colors
        if coding.pixel_aspect:
            context.sample_aspect_ratio = coding.pixel_aspect
        if coding.field_order in _INTERLACED:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if coding.codec == "h264":
            context.flags |= Flags.global_header
        context.open()
        self._context = context
        self._times: dict[int, int] = {}
        self._first: int | None = None

    @property
    def sets(self) -> list[bytes]:
        """The parameter sets of H.264 that the encoded frames refer to; empty where they are in the frames."""
        codec = self._coding.codec
        return sets_of(bytes(self._context.extradata or b""), codec) if codec == "h264" else []

    def feed(self, picture: Any) -> Iterator[StoredFrame]:
        """Encode a picture whose pts is in ns; None for the end. Returns coded frames, in order of time."""
        if picture is None:
            yield from self._coded(self._context.encode(None))
            return
        if self._first is None:
            self._first = picture.pts
        ticks = round((picture.pts - self._first) / (self._unit * NS))
        self._times[ticks] = picture.pts
        picture.pts, picture.time_base = ticks, self._unit
        picture.pict_type = 0
        yield from self._coded(self._context.encode(picture))

    def _coded(self, packets: list[Any]) -> Iterator[StoredFrame]:
        for packet in packets:
            start = self._times.pop(packet.pts)
            yield StoredFrame(bytes(packet), start, start + (self._length or 1), bool(packet.is_keyframe))

    def _options(self, options: dict[str, str]) -> dict[str, str]:
        coding, found = self._coding, dict(options)
        if coding.codec == "h264":
            first = "top" if coding.field_order in _TOP_FIRST else "bottom"
            fields = (
                f":interlaced=1:{'tff' if first == 'top' else 'bff'}=1" if coding.field_order in _INTERLACED else ""
            )
            found["x264-params"] = f"sps-id={_SETS_ID}:force-cfr=1{fields}"
        elif coding.codec == "hevc":
            found["x265-params"] = "bframes=0:repeat-headers=1:log-level=error"
        return found
