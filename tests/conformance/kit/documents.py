"""Valid flow documents with fresh ids, whose members can be overridden by keyword."""

from typing import Any

from tests.conformance.kit.ids import fresh

VIDEO = "urn:x-nmos:format:video"
AUDIO = "urn:x-nmos:format:audio"
IMAGE = "urn:x-tam:format:image"
DATA = "urn:x-nmos:format:data"
MULTI = "urn:x-nmos:format:multi"

Json = dict[str, Any]

TECHNICAL: dict[str, Json] = {
    VIDEO: {
        "format": VIDEO,
        "codec": "video/h264",
        "container": "video/mp2t",
        "avg_bit_rate": 5000,
        "segment_duration": {"numerator": 2, "denominator": 1},
        "essence_parameters": {
            "frame_rate": {"numerator": 25, "denominator": 1},
            "frame_width": 1280,
            "frame_height": 720,
        },
    },
    AUDIO: {
        "format": AUDIO,
        "codec": "audio/aac",
        "container": "video/mp2t",
        "essence_parameters": {"sample_rate": 48000, "channels": 2},
    },
    IMAGE: {
        "format": IMAGE,
        "codec": "image/jpeg",
        "container": "image/jpeg",
        "essence_parameters": {"frame_width": 640, "frame_height": 360},
    },
    DATA: {"format": DATA, "codec": "text/plain", "container": "text/plain", "essence_parameters": {}},
    MULTI: {"format": MULTI},
}
"""The technical metadata of a flow by format: what a profile could contain."""


def flow(format_: str = VIDEO, /, **members: Any) -> Json:
    """A flow of this format with a fresh id and source_id. Members given as None are left out."""
    document = {"id": fresh(), "source_id": fresh(), **TECHNICAL[format_], **members}
    return {name: value for name, value in document.items() if value is not None}


def init_flow(**members: Any) -> Json:
    """A video flow whose media objects need init objects."""
    essence = {**TECHNICAL[VIDEO]["essence_parameters"], "init_segments": True}
    return flow(VIDEO, container="video/iso.segment", essence_parameters=essence, **members)
