"""The commands, of curl and of `tams`, that show what the demo stored on a server."""

from pathlib import Path
from shlex import quote

from .client import media_url, object_path
from .steps import REQUESTED, Stored

_AUTHORIZATION = '-H "Authorization: Bearer $TAMS_TOKEN"'


def tams_commands(base_url: str, token: str | None, stored: Stored, clip: Path) -> list[str]:
    """The lines of a shell script that does by `tams` what the demo does step by step."""
    multi = stored.multi["id"]
    return [
        f"export TAMS_URL={quote(base_url)} TAMS_TOKEN={quote(token) if token else '...'} PATH=$PWD/.venv/bin:$PATH",
        f"tams ingest {quote(str(clip))} --label 'By one command'" if clip.exists() else "tams ingest clip.mp4",
        "tams ls flows",
        f"tams show {multi}",
        f"tams export {multi} exact.mp4 --timerange {quote(str(REQUESTED))}",
        f"tams play {multi}",
    ]


def timeline_address(base_url: str, stored: Stored) -> str:
    """The page of the console that draws the timeline of the video."""
    return f"{base_url}/console#/flows/{stored.video.flow['id']}"


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
