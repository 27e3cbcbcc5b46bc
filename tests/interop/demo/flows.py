"""The documents of the demo's flows, derived from the actual output of the encoder."""

import uuid
from typing import Any

from . import clip as clips
from . import pattern, sound
from .segmenting import Essence
from .timeline import SECOND

CONTAINER = "video/mp2t"

Document = dict[str, Any]


def video_flow(essence: Essence) -> Document:
    """A flow for this video. Its ids are new, so that the demo can be repeated on the same server."""
    parameters = {"essence_parameters": _video_parameters(essence)}
    return {**_common("Demo pictures", "video"), **_coding("video/h264", essence), **parameters}


def audio_flow(essence: Essence) -> Document:
    """A flow for this audio, with new ids."""
    parameters = {"essence_parameters": _audio_parameters(essence)}
    return {**_common("Demo tone", "audio"), **_coding("audio/aac", essence), **parameters}


def multi_flow(video: Document, audio: Document) -> Document:
    """A flow that collects the other two, with new ids. It has no segments, and therefore no container."""
    members = [{"id": flow["id"], "role": role} for flow, role in ((video, "video"), (audio, "audio"))]
    return {**_common("Demo programme", "multi"), "flow_collection": members}


def _common(label: str, kind: str) -> Document:
    return {
        "id": str(uuid.uuid4()),
        "source_id": str(uuid.uuid4()),
        "label": label,
        "description": "A moving test pattern with numbered frames and a rising tone",
        "format": f"urn:x-nmos:format:{kind}",
        "generation": 1,
        "tags": {"made_by": "tams-demo"},
    }


def _coding(codec: str, essence: Essence) -> Document:
    duration = essence.pieces[-1].span.end - essence.pieces[0].span.start
    return {
        "codec": codec,
        "container": CONTAINER,
        "avg_bit_rate": round(essence.size * 8 * SECOND / duration / 1000),
        "segment_duration": {"numerator": clips.SEGMENT_SECONDS, "denominator": 1},
    }


def _video_parameters(essence: Essence) -> Document:
    # The second to fourth bytes of the decoder configuration are those of an AVC codec string.
    profile, flags, level = essence.decoder_config[1:4]
    return {
        "frame_rate": {"numerator": clips.FRAME_RATE, "denominator": 1},
        "frame_width": pattern.WIDTH,
        "frame_height": pattern.HEIGHT,
        "bit_depth": 8,
        "interlace_mode": "progressive",
        "colorspace": "BT709",
        "transfer_characteristic": "SDR",
        "aspect_ratio": {"numerator": 16, "denominator": 9},
        "pixel_aspect_ratio": {"numerator": 1, "denominator": 1},
        "component_type": "YCbCr",
        "horiz_chroma_subs": 2,
        "vert_chroma_subs": 2,
        "avc_parameters": {"profile": profile, "level": level, "flags": flags},
    }


def _audio_parameters(essence: Essence) -> Document:
    # The first five bits of the decoder configuration are the MPEG-4 audio object type.
    object_type = essence.decoder_config[0] >> 3
    return {
        "sample_rate": sound.RATE,
        "channels": sound.CHANNELS,
        "codec_parameters": {"coded_frame_size": 1024, "mp4_oti": object_type},
    }
