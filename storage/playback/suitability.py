"""What HLS can carry of a flow (RFC 8216bis, section 3.1)."""

from collections.abc import Mapping
from typing import Any, Final

from storage.errors import Unsuitable
from storage.playback.essence import parameter
from storage.playback.hls_tags import hls_tag

_TRANSPORT_STREAM: Final = "video/mp2t"
_FRAGMENTED_MP4: Final = {
    *("video/mp4", "audio/mp4", "application/mp4"),
    *("video/iso.segment", "audio/iso.segment", "application/iso.segment"),
}
_WEBVTT: Final = "text/vtt"
_CODECS: Final = {
    _TRANSPORT_STREAM: {
        *("video/h264", "video/h265", "video/hevc"),
        *("audio/aac", "audio/mp4a-latm", "audio/mpeg", "audio/mp3", "audio/ac3", "audio/eac3"),
    },
    _WEBVTT: {_WEBVTT},
}
_MP4_CODECS: Final = {
    *_CODECS[_TRANSPORT_STREAM],
    *("video/av1", "video/vp9", "audio/opus", "audio/flac", "audio/alac", "application/ttml+xml", _WEBVTT),
}


def check_suitable(flow: Mapping[str, Any]) -> None:
    """Check that a media playlist can carry the media of a flow, by its document.

    Raises: Unsuitable, with the reason.
    """
    id_, container, codec = flow["id"], flow.get("container"), flow.get("codec")
    if is_excluded(flow):
        raise Unsuitable(f"flow {id_} is not for playback: its tag hls_exclude is true", field="tags.hls_exclude")
    if container is None:
        raise Unsuitable(f"flow {id_} has no container, and so no media of its own to play", field="container")
    if container in _FRAGMENTED_MP4:
        if not parameter(flow, "init_segments"):
            raise Unsuitable(
                f"flow {id_} is {container} without init objects: HLS carries MP4 only in fragments with an"
                " initialisation (essence_parameters.init_segments)",
                field="essence_parameters.init_segments",
            )
        codecs = _MP4_CODECS
    elif container in _CODECS:
        codecs = _CODECS[container]
    else:
        raise Unsuitable(
            f"flow {id_} has the container {container!r}: HLS carries MPEG-TS (video/mp2t), fragmented MP4 with init"
            " objects, and WebVTT (text/vtt)",
            field="container",
        )
    if codec is not None and codec.lower() not in codecs:
        raise Unsuitable(
            f"flow {id_} has the codec {codec!r}, which HLS does not carry in {container}: {', '.join(sorted(codecs))}",
            field="codec",
        )


def is_excluded(document: Mapping[str, Any]) -> bool:
    """Whether a flow or source has the tag hls_exclude, as the playback of AWS's tools has it."""
    return hls_tag(document, "exclude").lower() == "true"
