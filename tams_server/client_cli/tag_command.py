"""tams tag: tags of sources, flows and segments."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tams_server.client import ApiError, Call, Client, calls
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import FAILED, NOT_FOUND, OK, WRONG_USE, CommandError
from tams_server.client_cli.filters import pair
from tams_server.client_cli.kinds import Found, find
from tams_server.client_cli.parsers import Subparsers, add_command, timerange_option
from tams_server.client_cli.progress import counted

TAG = """
List, set and remove tags of a source or flow, or of segments on servers that have tags there.

  tams tag list ID
  tams tag set ID genre=news shot=wide
  tams tag set ID people=Ann people=Bob        a list of two
  tams tag remove ID shot
  tams tag set FLOW take=3 --segments "[0:0_10:0)"
      every segment of the flow that overlaps this timerange

The action may be left out: 'tams tag ID' lists, and 'tams tag ID genre=news' sets.
"""
SET = """
Set tags. The others stay as they are. A name that is given several times gets a list.

  tams tag set ID genre=news people=Ann people=Bob
  tams tag set ID people=Ann --list            a list of one
  tams tag set FLOW take=3 --segments "[0:0_10:0)"
"""
REMOVE = """
Remove tags. Those that there are not are passed over.

  tams tag remove ID genre people
  tams tag remove FLOW take --segments "[0:0_10:0)"
"""
LIST = """
List the tags.

  tams tag list ID
  tams tag list FLOW --segments "[0:0_10:0)" -o json
"""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WITH_VALUE = ("--context", "-o", "--output")
"""Options of all commands that take a value, which may stand before the command."""


def expanded(arguments: Sequence[str]) -> list[str]:
    """The arguments of `tams` with the action that `tams tag ID` and `tams tag ID NAME=VALUE` leave out."""
    found, at = list(arguments), 0
    while found[at:] and found[at].startswith("-"):
        at += 2 if found[at] in _WITH_VALUE else 1
    if found[at : at + 1] != ["tag"] or not _ID.fullmatch("".join(found[at + 1 : at + 2])):
        return found
    sets = any("=" in each and not each.startswith("-") for each in found[at + 2 :])
    return [*found[: at + 1], "set" if sets else "list", *found[at + 1 :]]


def add_parser(subparsers: Subparsers) -> None:
    """Add the command and its actions."""
    tag = add_command(subparsers, "tag", tag_nothing, "list, set and remove tags", TAG)
    actions = tag.add_subparsers(required=True, metavar="ACTION")
    set_ = add_command(actions, "set", set_tags, "set tags", SET)
    remove = add_command(actions, "remove", remove_tags, "remove tags", REMOVE)
    list_ = add_command(actions, "list", list_tags, "list tags", LIST)
    for each in (set_, remove, list_):
        each.add_argument("id", metavar="ID", help="id of a source or flow")
        each.add_argument("--segments", metavar="RANGE", help="tags of the flow's segments that overlap this timerange")
    set_.add_argument("tags", nargs="+", metavar="NAME=VALUE", help="a tag; the same name again makes a list")
    set_.add_argument("--list", dest="as_list", action="store_true", help="make lists of single values too")
    remove.add_argument("names", nargs="+", metavar="NAME", help="name of a tag")


def tag_nothing(_options: argparse.Namespace, _context: Context) -> int:
    """Never run, since an action is required."""
    raise CommandError("name what to do: tams tag --help", WRONG_USE)


def set_tags(options: argparse.Namespace, context: Context) -> int:
    """Set tags one by one."""
    values: dict[str, list[str]] = {}
    for text in options.tags:
        name, value = pair(text, "a tag")
        values.setdefault(name, []).append(value)
    tags: dict[str, str | list[str]] = {
        name: each if len(each) > 1 or options.as_list else each[0] for name, each in values.items()
    }
    with context.client() as client:
        if options.segments:
            find(client, options.id, ("flow",))
            return _change_segments(client, options, context, tags)
        found = find(client, options.id, ("flow", "source"))
        put: Callable[[str, str, Any], Call[None]]
        put = calls.put_flow_tag if found.kind == "flow" else calls.put_source_tag
        for name, each in tags.items():
            client.send(put(options.id, name, each))
    context.note(f"{found.name}: set {', '.join(tags)}")
    return OK


def remove_tags(options: argparse.Namespace, context: Context) -> int:
    """Remove tags one by one."""
    with context.client() as client:
        if options.segments:
            find(client, options.id, ("flow",))
            return _change_segments(client, options, context, dict.fromkeys(options.names))
        found = find(client, options.id, ("flow", "source"))
        remove = calls.delete_flow_tag if found.kind == "flow" else calls.delete_source_tag
        for name in options.names:
            client.send(remove(options.id, name))
    context.note(f"{found.name}: removed {', '.join(options.names)}")
    return OK


def list_tags(options: argparse.Namespace, context: Context) -> int:
    """Print the tags as one document, or those of segments as a list."""
    with context.client() as client:
        if options.segments:
            find(client, options.id, ("flow",))
            return _list_segments(client, options, context)
        found: Found = find(client, options.id, ("flow", "source"))
    tags = found.document.get("tags") or {}
    if not tags:
        context.note(f"{found.name} has no tags")
    context.output.document(tags, lambda each: "\n".join(each))
    return OK


def _list_segments(client: Client, options: argparse.Namespace, context: Context) -> int:
    from tams_server.client_cli.columns import member
    from tams_server.client_cli.tables import Column

    timerange = timerange_option(options.segments, "--segments")
    items = (
        {"timerange": each["timerange"], "tags": each.get("tags") or {}}
        for each in client.iterate(calls.segments(options.id, timerange, with_urls=False))
    )
    columns = [Column("TIMERANGE", member("timerange")), Column("TAGS", member("tags"))]
    context.output.listing(items, columns, lambda item: str(item["timerange"]))
    return OK


def _change_segments(
    client: Client, options: argparse.Namespace, context: Context, changes: Mapping[str, str | list[str] | None]
) -> int:
    """Set tags of segments, or remove those whose value is None."""
    timerange, count = timerange_option(options.segments, "--segments"), 0
    for segment in client.iterate(calls.segments(options.id, timerange, with_urls=False)):
        for name, value in changes.items():
            _change(client, options.id, segment["timerange"], name, value)
        count += 1
    context.note(f"{counted(count, 'segment')} of flow {options.id} changed")
    return OK if count else FAILED


def _change(client: Client, flow_id: str, timerange: str, name: str, value: str | list[str] | None) -> None:
    call: Call[None]
    if value is None:
        call = calls.delete_segment_tag(flow_id, timerange, name)
    else:
        call = calls.set_segment_tag(flow_id, timerange, name, value)
    try:
        client.send(call)
    except ApiError as error:
        if error.status not in (404, 405, 501):
            raise
        if value is not None or not _has_segment_tags(client, flow_id, timerange):
            raise CommandError(f"{client.url} has no tags on segments: {error}", NOT_FOUND) from error


def _has_segment_tags(client: Client, flow_id: str, timerange: str) -> bool:
    try:
        client.send(calls.segment_tags(flow_id, timerange))
    except ApiError:
        return False
    return True
