"""Playback: playlists for players."""

from typing import Final, Literal

from handlers.shared.call import Call, Encoded, Result
from handlers.shared.filters import timerange
from storage.catalog.playback.playlist_request import WINDOW_S, PlaylistRequest
from storage.catalog.playback.playlist_text import PlaylistText
from storage.preconditions import ResourceVersion

_PLAYLIST: Final = "application/vnd.apple.mpegurl"
_MANIFEST: Final = "application/dash+xml"
_GROWING_S: Final = 1
"""For how long clients may keep a playlist that players reload, in seconds: as long as the server does."""
_SETTLED_S: Final = 60
"""And one that nothing is going to change, except a client that changes what is complete."""


def get_flows_flowid_output_m3u8(call: Call) -> Result:
    text = call.catalog.playback.flow_playlist(call.caller, call.path["flowId"], _request(call), call.base_url)
    return _result(text, _PLAYLIST)


def get_sources_sourceid_output_m3u8(call: Call) -> Result:
    text = call.catalog.playback.source_playlist(call.caller, call.path["sourceId"], _request(call))
    return _result(text, _PLAYLIST)


def get_flows_flowid_output_mpd(call: Call) -> Result:
    return _manifest(call, "flow", call.path["flowId"])


def get_sources_sourceid_output_mpd(call: Call) -> Result:
    return _manifest(call, "source", call.path["sourceId"])


def _manifest(call: Call, kind: Literal["flow", "source"], id_: str) -> Result:
    text = call.catalog.playback.manifest(call.caller, kind, id_, _request(call), call.base_url)
    return _result(text, _MANIFEST)


def _request(call: Call) -> PlaylistRequest:
    query = call.query
    window, frames = query.get("window", WINDOW_S), query.get("frames", "all")
    return PlaylistRequest(timerange(call), query.get("type"), window, frames, query.get("reload", False))


def _result(text: PlaylistText, content_type: str) -> Result:
    max_age = _SETTLED_S if text.is_settled else _GROWING_S
    body = Encoded(text.content, content_type, text.digest)
    return Result(200, body, {"Cache-Control": f"private, max-age={max_age}"}, version=ResourceVersion())
