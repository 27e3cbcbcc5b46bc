"""The technical part of a flow's document, read from a stream (flow-video.json, flow-audio.json)."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import av

from tams_server.client.documents import Json
from tams_server.client_media.media_input import frame_rate

_CODECS: Final = {
    "h264": "video/h264",
    "hevc": "video/h265",
    "vvc": "video/h266",
    "av1": "video/av1",
    "vp9": "video/vp9",
    "mpeg1video": "video/mpeg",
    "mpeg2video": "video/mpeg",
    "mjpeg": "video/jpeg",
    "ffv1": "video/ffv1",
    "rawvideo": "video/raw",
    "aac": "audio/aac",
    "mp2": "audio/mpeg",
    "mp3": "audio/mpeg",
    "ac3": "audio/ac3",
    "eac3": "audio/eac3",
    "opus": "audio/opus",
    "flac": "audio/flac",
    "vorbis": "audio/vorbis",
}
"""Registered media types, by FFmpeg's name of the codec."""
_FIELDS: Final = {1: "progressive", 2: "interlaced_tff", 5: "interlaced_tff", 3: "interlaced_bff", 4: "interlaced_bff"}
_PRIMARIES: Final = {1: "BT709", 5: "BT601", 6: "BT601", 9: "BT2020"}
"""By the code points of ITU-T H.273."""
_TRANSFERS: Final = {1: "SDR", 6: "SDR", 14: "SDR", 15: "SDR", 16: "PQ", 18: "HLG"}
_AAC_LC: Final = 2
_ESCAPED: Final = 31
_SPS: Final = 7


def codec_of(stream: Any) -> str:
    """The `codec` of a flow."""
    name = _name(stream)
    if name.startswith("pcm_"):
        return "audio/x-raw-float" if name.startswith("pcm_f") else "audio/x-raw-int"
    return _CODECS.get(name, f"{stream.type}/x-{name.replace('_', '-')}")


def essence_parameters(stream: Any, starts: Sequence[Fraction], *, init_segments: bool) -> Json:
    """The essence_parameters of a flow. starts: times of the first frames, by which the frame rate is checked."""
    found = _video(stream, starts) if stream.type == "video" else _audio(stream)
    return {**found, "init_segments": True} if init_segments else found


def _video(stream: Any, starts: Sequence[Fraction]) -> Json:
    context, rate = stream.codec_context, frame_rate(stream, starts)
    found: Json = {"frame_width": context.width, "frame_height": context.height}
    found |= {"frame_rate": _fraction(rate)} if rate else {"vfr": True}
    if context.pix_fmt:
        form = av.VideoFormat(context.pix_fmt, context.width, context.height)
        found["bit_depth"] = form.components[0].bits
        found["component_type"] = "RGB" if form.is_rgb else "YCbCr"
        if not form.is_rgb and len(form.components) > 1:
            found["horiz_chroma_subs"] = -(-context.width // form.chroma_width(context.width))
            found["vert_chroma_subs"] = -(-context.height // form.chroma_height(context.height))
    if int(context.field_order) in _FIELDS:
        found["interlace_mode"] = _FIELDS[int(context.field_order)]
    transfer = _TRANSFERS.get(int(context.color_trc))
    primaries = _PRIMARIES.get(int(context.color_primaries))
    if primaries:
        found["colorspace"] = "BT2100" if primaries == "BT2020" and transfer in ("PQ", "HLG") else primaries
    if transfer:
        found["transfer_characteristic"] = transfer
    pixel = stream.sample_aspect_ratio
    if pixel:
        found["pixel_aspect_ratio"] = _fraction(Fraction(pixel))
        found["aspect_ratio"] = _fraction(Fraction(pixel) * context.width / context.height)
    avc = _avc_parameters(bytes(context.extradata or b"")) if _name(stream) == "h264" else None
    return {**found, "avc_parameters": avc} if avc else found


def _audio(stream: Any) -> Json:
    context, name = stream.codec_context, _name(stream)
    found: Json = {"sample_rate": context.sample_rate, "channels": context.channels}
    if name.startswith("pcm_"):
        digits = "".join(each for each in name if each.isdigit())
        found |= {"bit_depth": int(digits or 16), "unc_parameters": {"unc_type": "interleaved"}}
        return found
    coded: Json = {"coded_frame_size": context.frame_size} if context.frame_size else {}
    if name == "aac":
        coded["mp4_oti"] = _object_type(bytes(context.extradata or b""))
    return {**found, "codec_parameters": coded} if coded else found


def _name(stream: Any) -> str:
    """The codec as such, also if a particular decoder reads it, such as mp3float."""
    return str(stream.codec_context.codec.canonical_name)


def _fraction(value: Fraction) -> Json:
    return {"numerator": value.numerator, "denominator": value.denominator}


def _object_type(config: bytes) -> int:
    """The audio object type of an AudioSpecificConfig (ISO/IEC 14496-3); without one, of the usual AAC."""
    if len(config) < 2:
        return _AAC_LC
    first = config[0] >> 3
    return first if first != _ESCAPED else 32 + ((config[0] & 7) << 3 | config[1] >> 5)


def _avc_parameters(config: bytes) -> Json | None:
    """Profile, flags and level of an avcC box, or of the first sequence parameter set of a byte stream."""
    if config[:1] == b"\x01" and len(config) > 3:
        profile, flags, level = config[1:4]
    else:
        at = config.find(b"\0\0\1")
        while at >= 0 and at + 7 <= len(config) and config[at + 3] & 0x1F != _SPS:
            at = config.find(b"\0\0\1", at + 3)
        if at < 0 or at + 7 > len(config):
            return None
        profile, flags, level = config[at + 4 : at + 7]
    return {"profile": profile, "flags": flags, "level": level}
