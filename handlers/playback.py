"""Playback: playlists for players."""

from typing import Final

from handlers.shared.call import Call, Encoded, Result
from handlers.shared.filters import timerange
from storage.catalog.playback.playback import WINDOW_S, PlaylistRequest

_PLAYLIST: Final = "application/vnd.apple.mpegurl"
_CACHE_CONTROL: Final = "private, max-age=1"


def get_flows_flowid_output_m3u8(call: Call) -> Result:
    text = call.catalog.playback.flow_playlist(call.caller, call.path["flowId"], _request(call), call.base_url)
    return Result(200, Encoded(text, _PLAYLIST), {"Cache-Control": _CACHE_CONTROL})


def get_sources_sourceid_output_m3u8(call: Call) -> Result:
    text = call.catalog.playback.source_playlist(call.caller, call.path["sourceId"], _request(call))
    return Result(200, Encoded(text, _PLAYLIST), {"Cache-Control": _CACHE_CONTROL})


def _request(call: Call) -> PlaylistRequest:
    query = call.query
    return PlaylistRequest(timerange(call), query.get("type"), query.get("window", WINDOW_S))
