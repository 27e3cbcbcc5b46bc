"""The curl commands to look at what the demo left on a server."""

from shlex import quote

from .client import media_url, object_path
from .story import WANTED, Stored

_AUTHORIZATION = '-H "Authorization: Bearer $TAMS_TOKEN"'


def commands(base_url: str, token: str | None, stored: Stored) -> list[str]:
    """Lines for a shell. Without a token to show, the reader is left to fill in the one given to the demo."""
    video, multi = stored.video, stored.multi
    timerange = quote(f"timerange={WANTED}")

    def ask(path: str, *parameters: str) -> str:
        query = " ".join(["-G", *(f"--data-urlencode {parameter}" for parameter in parameters)]) if parameters else ""
        return " ".join(filter(None, ["curl -s", _AUTHORIZATION, query, quote(base_url + path)]))

    return [
        f"export TAMS_TOKEN={quote(token) if token else '...'}",
        "# the programme, and the two flows that it collects",
        ask(f"/flows/{multi['id']}", "include_timerange=true"),
        ask(f"/flows/{video.flow['id']}", "include_timerange=true"),
        ask(f"/flows/{stored.audio.flow['id']}", "include_timerange=true"),
        "# where the pictures come from",
        ask(f"/sources/{video.flow['source_id']}"),
        "# the segments of the timerange that the demo asked for",
        ask(f"/flows/{video.flow['id']}/segments", timerange, "presigned=true"),
        "# one object, with every flow that uses it, and its bytes, which any player shows",
        ask(object_path(video.object_ids[0])),
        *(f"curl -s -o segment.ts {quote(media_url(segment))}" for segment in video.found[:1]),
    ]
