"""Codes of playback."""

from storage.error_codes.code import declare

UNSUITABLE = declare(
    "playback.unsuitable",
    "unsuitable_media",
    "Players cannot play this flow or source: its container, codec or segments do not suit them.",
    "Read `detail`. Play another flow of the source, or read the segments themselves.",
)
TOO_MANY_SEGMENTS = declare(
    "playback.too_many_segments",
    "invalid",
    "The timerange has more segments than a playlist may have.",
    "Give a shorter `timerange`, or `type=live`.",
)
NOTHING_TO_PLAY = declare(
    "playback.empty",
    "not_found",
    "The flow or source is complete and has nothing in the timerange.",
    "Read the timerange of the flow, and choose one within it.",
)
PLAYLIST_URL_INVALID = declare(
    "playback.url_invalid",
    "forbidden",
    "The signature of a playlist's URL is malformed, or was made for another playlist or other parameters.",
    "Use the URL of the multivariant playlist unchanged, or send a credential.",
)
PLAYLIST_URL_EXPIRED = declare(
    "playback.url_expired",
    "forbidden",
    "The signed URL of a playlist has expired.",
    "Fetch the multivariant playlist again for a new URL, or send a credential.",
)
