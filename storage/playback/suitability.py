"""What players can play of a flow, by HLS (RFC 8216bis, section 3.1) and by DASH (ISO/IEC 23009-1)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to play: its name, what it carries in words, and the codecs that it carries in each container."""

    name: str
    carries: str
    codecs: Mapping[str, Collection[str]]


_IN_MP4: Final = dict.fromkeys(_FRAGMENTED_MP4, _MP4_CODECS)
HLS: Final = Protocol(
    "HLS", "MPEG-TS (video/mp2t), fragmented MP4 with init objects, and WebVTT (text/vtt)", {**_CODECS, **_IN_MP4}
)
DASH: Final = Protocol("DASH", "fragmented MP4 with init objects; HLS carries MPEG-TS and WebVTT too", _IN_MP4)


def check_suitable(flow: Mapping[str, Any], protocol: Protocol) -> None:
    """Check that a protocol can carry the media of a flow, by its document.

    Raises: Unsuitable, with the reason.
    """
    id_, container, codec = flow["id"], flow.get("container"), flow.get("codec")
    if is_excluded(flow):
        raise Unsuitable(f"flow {id_} is not for playback: its tag hls_exclude is true", field="tags.hls_exclude")
    if container is None:
        raise Unsuitable(f"flow {id_} has no container, and so no media of its own to play", field="container")
    if container not in protocol.codecs:
        raise Unsuitable(
            f"flow {id_} has the container {container!r}: {protocol.name} carries {protocol.carries}",
            field="container",
        )
    if container in _FRAGMENTED_MP4 and not parameter(flow, "init_segments"):
        raise Unsuitable(
            f"flow {id_} is {container} without init objects: {protocol.name} carries MP4 only in fragments with an"
            " initialisation (essence_parameters.init_segments)",
            field="essence_parameters.init_segments",
        )
    codecs = protocol.codecs[container]
    if codec is not None and codec.lower() not in codecs:
        raise Unsuitable(
            f"flow {id_} has the codec {codec!r}, which {protocol.name} does not carry in {container}:"
            f" {', '.join(sorted(codecs))}",
            field="codec",
        )


def is_excluded(document: Mapping[str, Any]) -> bool:
    """Whether a flow or source has the tag hls_exclude, as the playback of AWS's tools has it."""
    return hls_tag(document, "exclude").lower() == "true"
