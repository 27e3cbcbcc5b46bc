"""The containers of segments, and the muxing of one: MPEG-TS, fragmented MP4 and MOV, WAV, Matroska.

A segment of MPEG-TS, WAV or Matroska stands alone. One of MP4 or MOV is a fragment (ISO/IEC 14496-12), which needs an
init object; all fragments of a flow share it unless the decoder's configuration changes.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, Final

import av

from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.errors import MediaError
from tams_server.client_media.parameter_sets import joined, sets_of, unit_type, units
from tams_server.client_media.ticks import fine_unit

_STAMPS: Final = {"avoid_negative_ts": "disabled"}
_FRAGMENTS: Final = {
    **_STAMPS,
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "use_editlist": "0",
    "write_btrt": "0",
}
_BY_PACKET: Final = {"ac3", "eac3", "truehd", "dts"}
"""Codecs that the header of an MP4 describes by their first packet."""
_PCM: Final = "pcm_"
_SETS_OR_IDR: Final = {5, 7}
_DELIMITER: Final = 9
"""Types of NAL units of H.264 (ITU-T H.264, table 7-1)."""


@dataclass(frozen=True, slots=True)
class Container:
    """name: as the command line has it. muxer: of FFmpeg. media_types: by type of essence. has_init: see above.

    codecs: those that it is chosen for, by FFmpeg's names; empty for any.
    """

    name: str
    muxer: str
    media_types: dict[str, str]
    has_init: bool
    options: dict[str, str]
    codecs: frozenset[str]

    def media_type(self, kind: str) -> str:
        """The `container` of a flow. kind: "video", "audio" or "multi"."""
        return self.media_types.get(kind, self.media_types["video"])


TS: Final = Container(
    "ts",
    "mpegts",
    {"video": "video/mp2t"},
    False,
    # The times of packets as they are, without the delay that the muxer adds by itself.
    {**_STAMPS, "mpegts_copyts": "1", "max_delay": "0"},
    frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "aac", "mp2", "mp3", "ac3", "eac3"}),
)
MP4: Final = Container(
    "mp4",
    "mp4",
    {"video": "video/mp4", "audio": "audio/mp4"},
    True,
    _FRAGMENTS,
    TS.codecs | {"av1", "vp9", "opus", "flac", "alac", "vvc"},
)
MOV: Final = Container(
    "mov", "mov", {"video": "video/quicktime"}, True, _FRAGMENTS, frozenset({"prores", "dnxhd", "mjpeg", "dvvideo"})
)
WAV: Final = Container(
    "wav",
    "wav",
    {"video": "audio/wav", "audio": "audio/wav"},
    False,
    {},
    frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"}),
)
MKV: Final = Container(
    "mkv", "matroska", {"video": "video/matroska", "audio": "audio/matroska"}, False, _STAMPS, frozenset()
)
CONTAINERS: Final = {each.name: each for each in (TS, MP4, MOV, WAV, MKV)}
"""In the order in which they are preferred."""


def choose(codecs: Sequence[str], wanted: str | None) -> Container:
    """The container for streams of these codecs: the wanted one, else the first that suits. Raises MediaError."""
    if wanted is not None:
        container = CONTAINERS[wanted]
        unfit = [codec for codec in codecs if not _takes(container, codec)]
        if unfit or (container is WAV and len(codecs) > 1):
            raise MediaError(f"the container {wanted} cannot hold {', '.join(unfit or codecs)}: leave --container out")
        return container
    for container in CONTAINERS.values():
        if container.codecs.issuperset(codecs) and not (container is WAV and len(codecs) > 1):
            return container
    for container in (MOV, MKV):
        if all(_takes(container, codec) for codec in codecs):
            return container
    raise MediaError(f"there is no container for {', '.join(codecs)}")


def _takes(container: Container, codec: str) -> bool:
    if container.codecs:
        return codec in container.codecs or (container is MOV and codec.startswith(_PCM))
    return True


@dataclass(frozen=True, slots=True)
class Muxed:
    """The bytes of a segment. init: of its init object, or empty."""

    media: bytes
    init: bytes


class Muxer:
    """Makes the segments of a flow. streams: those of the input whose packets it will get, in the order of tracks."""

    def __init__(self, container: Container, streams: Sequence[Any]) -> None:
        self._container = container
        self._streams = {stream.index: stream for stream in streams}
        self._options = dict(container.options)
        if container.has_init and any(stream.codec_context.codec.canonical_name in _BY_PACKET for stream in streams):
            self._options["movflags"] = f"{self._options['movflags']}+delay_moov"

    def mux(self, frames: Sequence[CodedFrame], shift: Fraction) -> Muxed:
        """Make a segment of frames, in decoding order of each stream. shift: added to their times, in seconds.

        Raises MediaError for damaged frames.
        """
        try:
            file = self._mux(frames, shift)
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(getattr(error, "strerror", None) or str(error)) from error
        return self._split(file) if self._container.has_init else Muxed(file, b"")

    def _mux(self, frames: Sequence[CodedFrame], shift: Fraction) -> bytes:
        target = io.BytesIO()
        with av.open(target, "w", format=self._container.muxer, options=self._options) as output:
            tracks = {index: output.add_stream_from_template(each) for index, each in self._streams.items()}
            bare = self._without_sets(frames)
            for frame in frames:
                packet = frame.packet if frame.stream not in bare else _with_sets(frame, bare[frame.stream])
                unit = self._unit(frame)
                packet.pts = round((frame.start + shift) / unit)
                packet.dts = round((frame.decode + shift) / unit)
                packet.duration = round((frame.end - frame.start) / unit)
                packet.time_base = unit
                packet.stream = tracks[frame.stream]
                output.mux(packet)
        return target.getvalue()

    def _without_sets(self, frames: Sequence[CodedFrame]) -> dict[int, bytes]:
        """Streams of H.264 whose segment of MPEG-TS begins with an open group of pictures, with their configurations.

        FFmpeg repeats the parameter sets before IDR pictures only.
        """
        found: dict[int, bytes] = {}
        for index, stream in self._streams.items():
            first = next((frame for frame in frames if frame.stream == index), None)
            if self._container is not TS or stream.codec_context.codec.canonical_name != "h264" or first is None:
                continue
            config = bytes(stream.codec_context.extradata or b"")
            if not _SETS_OR_IDR & {unit_type(unit, "h264") for unit in units(bytes(first.packet), config) if unit}:
                found[index] = config
        return found

    def _unit(self, frame: CodedFrame) -> Fraction:
        """Ticks that express the times of a packet exactly: those of sound are of samples."""
        unit = fine_unit(frame.packet.time_base)
        stream = self._streams[frame.stream]
        return Fraction(1, lcm(unit.denominator, stream.codec_context.sample_rate)) if stream.type == "audio" else unit

    @staticmethod
    def _split(file: bytes) -> Muxed:
        init = b"".join(box for kind, box in boxes(file) if kind in (b"ftyp", b"moov"))
        media = b"".join(box for kind, box in boxes(file) if kind in (b"moof", b"mdat"))
        return Muxed(media, init)


def _with_sets(frame: CodedFrame, config: bytes) -> "av.Packet[Any]":
    """A packet of H.264 as a byte stream, with the parameter sets if it is a key frame, after a delimiter."""
    found = [unit for unit in units(bytes(frame.packet), config) if unit]
    if frame.key:
        delimiters = [unit for unit in found if unit_type(unit, "h264") == _DELIMITER]
        rest = [unit for unit in found if unit_type(unit, "h264") != _DELIMITER]
        found = [*delimiters, *sets_of(config, "h264"), *rest]
    packet: av.Packet[Any] = av.Packet(joined(found))
    packet.time_base, packet.is_keyframe = frame.packet.time_base, frame.key
    return packet


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type of each box at the top of a file, and the whole box (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size or len(data)
