"""The filters of listings as options, and the query parameters that they make."""

import argparse

from storage.timerange import parse_timerange
from tams_server.client_cli.errors import WRONG_USE, CommandError

_FORMATS = {
    **{name: f"urn:x-nmos:format:{name}" for name in ("video", "audio", "data", "multi")},
    "image": "urn:x-tam:format:image",
}
_HELP = {
    "label": ("TEXT", "with this label"),
    "format": ("NAME", f"{', '.join(_FORMATS)}, or a URN"),
    "codec": ("TYPE", "such as video/h264"),
    "source_id": ("ID", "flows of this source"),
    "timerange": ("RANGE", 'what overlaps it, such as "[0:0_60:0)"'),
    "status": ("NAME", "such as ingesting or closed_complete"),
    "object_id": ("ID", "segments of this object"),
    "collected_by_ids": ("IDS", 'members of these collections; "" for what is in none'),
    "sort_by": ("NAME", "order by this member, on servers that can"),
}
_OPTIONS = {"source_id": "--source", "object_id": "--object", "collected_by_ids": "--collected-by", "sort_by": "--sort"}


def add_filters(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options for the named query parameters. `tag` stands for all that concern tags."""
    group = parser.add_argument_group("filters")
    for name in names:
        if name == "tag":
            _add_tag_filters(group)
            continue
        metavar, help_ = _HELP[name]
        group.add_argument(_OPTIONS.get(name, f"--{name}"), dest=f"filter_{name}", metavar=metavar, help=help_)
    group.add_argument("--reverse", dest="filter_reverse_order", action="store_true", help="in the reverse order")
    group.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other query parameter of the API; may be repeated",
    )


def _add_tag_filters(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with this value of a tag; if repeated, one of the values of each name",
    )
    group.add_argument("--has-tag", action="append", default=[], metavar="NAME", help="with this tag; may be repeated")
    group.add_argument("--no-tag", action="append", default=[], metavar="NAME", help="without it; may be repeated")


def filters_of(options: argparse.Namespace) -> dict[str, str]:
    """The query parameters that the options make. Raises CommandError."""
    found = dict(pair(text, "--where") for text in getattr(options, "where", []))
    for name, value in vars(options).items():
        if name.startswith("filter_") and value is not None and value is not False:
            found[name.removeprefix("filter_")] = "true" if value is True else value
    if "format" in found:
        found["format"] = _FORMATS.get(found["format"], found["format"])
    if "timerange" in found:
        parse_timerange(found["timerange"], "--timerange")
    values: dict[str, list[str]] = {}
    for text in getattr(options, "tag", []):
        name, value = pair(text, "--tag")
        values.setdefault(name, []).append(value.replace("%", "%25").replace(",", "%2C"))
    found |= {f"tag.{name}": ",".join(each) for name, each in values.items()}
    found |= {f"tag_exists.{name}": "true" for name in getattr(options, "has_tag", [])}
    return found | {f"tag_exists.{name}": "false" for name in getattr(options, "no_tag", [])}


def pair(text: str, option: str) -> tuple[str, str]:
    """Name and value of NAME=VALUE. Raises CommandError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandError(f"{option} must be NAME=VALUE, not {text!r}", WRONG_USE)
    return name, value
