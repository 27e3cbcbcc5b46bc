"""The columns of listings: those shown by default, and any member of a document by its path."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from storage.timerange import NS, parse_timerange
from tams_server.client_cli.errors import WRONG_USE, CommandError
from tams_server.client_cli.tables import Column

_PATH = re.compile(r"[^.,\s]+(\.[^,\s]+)*")
Document = Mapping[str, Any]


def member(path: str) -> Callable[[Document], object]:
    """Read a member of a document, such as `label`, `tags.genre` or `essence_parameters.frame_width`.

    Below `tags`, the rest of the path is one name, as names of tags may contain dots.
    """
    first, _, rest = path.partition(".")
    names = [first, rest] if first == "tags" and rest else path.split(".")

    def read(document: Document) -> object:
        value: object = document
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return read


def format_name(document: Document) -> str:
    """The last word of a format, such as video."""
    return str(document.get("format", "")).rpartition(":")[2]


def picture(document: Document) -> str:
    """What the essence is like in a few characters: 1920x1080 at 25, or 48000 Hz and 2 channels."""
    essence = document.get("essence_parameters") or {}
    if "frame_width" in essence:
        rate = essence.get("frame_rate") or {}
        numerator, denominator = rate.get("numerator"), rate.get("denominator", 1)
        return f"{essence['frame_width']}x{essence.get('frame_height')}" + (
            f" {numerator / denominator:.5g}/s" if numerator and denominator else ""
        )
    if "sample_rate" in essence:
        channels = essence.get("channels")
        return f"{essence['sample_rate']} Hz" + (f" {channels} ch" if channels else "")
    return ""


def seconds(document: Document) -> str:
    """The length of a segment in seconds, without trailing zeros."""
    timerange = parse_timerange(str(document["timerange"]))
    if timerange.start is None or timerange.end is None:
        return ""
    length = timerange.end - timerange.start
    return f"{length // NS}.{length % NS:09d}".rstrip("0").rstrip(".")


def first_url(document: Document) -> str:
    """The first URL of a segment."""
    urls = document.get("get_urls") or []
    return str(urls[0]["url"]) if urls else ""


_ID = Column("ID", member("id"))
_LABEL = Column("LABEL", member("label"), short=True)
SOURCES = (_ID, Column("FORMAT", format_name), _LABEL, Column("TAGS", member("tags"), short=True, optional=True))
FLOWS = (
    _ID,
    Column("FORMAT", format_name),
    Column("CODEC", member("codec"), short=True, optional=True),
    Column("ESSENCE", picture, short=True, optional=True),
    _LABEL,
)
SEGMENTS = (
    Column("TIMERANGE", member("timerange")),
    Column("SECONDS", seconds, right=True),
    Column("OBJECT", member("object_id")),
)
SEGMENTS_WITH_URLS = (*SEGMENTS, Column("URL", first_url))
OBJECTS = (Column("OBJECT", member("id")), Column("FIRST AT", member("timerange")))
WEBHOOKS = (
    _ID,
    Column("STATUS", member("status")),
    Column("URL", member("url")),
    Column("EVENTS", member("events"), short=True, optional=True),
    Column("ERROR", member("error.summary"), short=True),
)
DELETIONS = (
    _ID,
    Column("STATUS", member("status")),
    Column("FLOW", member("flow_id")),
    Column("REMAINING", member("timerange_remaining"), short=True, optional=True),
    Column("CREATED", member("created"), optional=True),
)


def chosen(text: str | None, default: Sequence[Column]) -> Sequence[Column]:
    """The columns that `--columns` names, or the default ones. Raises CommandError."""
    if text is None:
        return default
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or not all(_PATH.fullmatch(name) for name in names):
        raise CommandError(f"--columns must be names of members with commas between them, not {text!r}", WRONG_USE)
    known = {column.title.lower(): column for column in default}
    return [
        known.get(name.lower()) or Column(name.upper(), member(name), short=not name.endswith("id")) for name in names
    ]
