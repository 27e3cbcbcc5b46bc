"""How many samples a coded frame of sound has, by the frame itself.

Matroska and WebM round times to milliseconds. The number of samples is exact: Opus says it in the first bytes of a
packet (RFC 6716, 3.1), FLAC in the header of a frame (RFC 9639, 9.1), PCM by its size, Vorbis once it is decoded.
"""

from typing import Any, Final

import av

_OPUS_RATE: Final = 48_000
_OPUS_SILK: Final = (480, 960, 1920, 2880)
_OPUS_HYBRID: Final = (480, 960)
_OPUS_CELT: Final = (120, 240, 480, 960)
_FLAC_SYNC: Final = 0xFF


class SampleCounter:
    """Counts the samples in the packets of a stream."""

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self._codec = str(context.codec.canonical_name)
        self._rate = int(context.sample_rate)
        self._frame_size = int(context.frame_size)
        self._pcm_frame = context.channels * context.format.bytes if self._codec.startswith("pcm_") else 0
        self._decoder: Any = None
        if self._codec == "vorbis":
            self._decoder = av.CodecContext.create("vorbis", "r")
            self._decoder.extradata = context.extradata

    def count(self, packet: Any) -> int | None:
        """The samples of a packet, of each channel; None if it does not say."""
        if self._codec == "opus" and self._rate == _OPUS_RATE:
            return opus_samples(bytes(packet))
        if self._codec == "flac":
            return flac_samples(bytes(packet))
        if self._pcm_frame:
            return int(packet.size) // self._pcm_frame
        if self._decoder is not None:
            return self._decoded(packet)
        return self._frame_size or None

    def _decoded(self, packet: Any) -> int | None:
        """The samples that the decoder returns. The first packet of Vorbis has none."""
        try:
            return sum(int(frame.samples) for frame in self._decoder.decode(av.Packet(bytes(packet))))
        except av.FFmpegError:
            return None


def opus_samples(packet: bytes) -> int | None:
    """The samples of a packet of Opus, at 48 kHz; None if it is none."""
    if not packet:
        return None
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        length = _OPUS_SILK[configuration % 4]
    elif configuration < 16:
        length = _OPUS_HYBRID[configuration % 2]
    else:
        length = _OPUS_CELT[configuration % 4]
    if code == 3:
        return length * (packet[1] & 0x3F) if len(packet) > 1 else None
    return length if code == 0 else 2 * length


def flac_samples(frame: bytes) -> int | None:
    """The samples of a frame of FLAC; None if it is none."""
    if len(frame) < 8 or frame[0] != _FLAC_SYNC:
        return None
    code = frame[2] >> 4
    if code == 1:
        return 192
    if 2 <= code <= 5:
        return 576 << (code - 2)
    if code >= 8:
        return 256 << (code - 8)
    # The size stands after the number of the frame, which is coded as UTF-8 codes characters.
    first = frame[4]
    following = 0 if first < 0x80 else 7 - (first ^ 0xFF).bit_length()
    at = 5 + following
    if code == 6 and at < len(frame):
        return frame[at] + 1
    return int.from_bytes(frame[at : at + 2], "big") + 1 if code == 7 and at + 1 < len(frame) else None
