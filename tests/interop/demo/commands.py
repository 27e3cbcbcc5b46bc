"""The curl commands that show what the demo stored on a server."""

from shlex import quote

from .client import media_url, object_path
from .steps import REQUESTED, Stored

_AUTHORIZATION = '-H "Authorization: Bearer $TAMS_TOKEN"'


def commands(base_url: str, token: str | None, stored: Stored) -> list[str]:
    """The lines of a shell script. Without a token, the reader must fill in the one given to the demo."""
    video, multi = stored.video, stored.multi
    timerange = quote(f"timerange={REQUESTED}")

    def curl(path: str, *parameters: str) -> str:
        query = " ".join(["-G", *(f"--data-urlencode {parameter}" for parameter in parameters)]) if parameters else ""
        return " ".join(filter(None, ["curl -s", _AUTHORIZATION, query, quote(base_url + path)]))

    return [
        f"export TAMS_TOKEN={quote(token) if token else '...'}",
        "# the programme, and the two flows that it collects",
        curl(f"/flows/{multi['id']}", "include_timerange=true"),
        curl(f"/flows/{video.flow['id']}", "include_timerange=true"),
        curl(f"/flows/{stored.audio.flow['id']}", "include_timerange=true"),
        "# the source of the video",
        curl(f"/sources/{video.flow['source_id']}"),
        "# the segments of the timerange that the demo requested",
        curl(f"/flows/{video.flow['id']}/segments", timerange, "presigned=true"),
        "# one object, with every flow that uses it, and its bytes, which any player can play",
        curl(object_path(video.object_ids[0])),
        *(f"curl -s -o segment.ts {quote(media_url(segment))}" for segment in video.listed[:1]),
    ]
