"""tams ls: what a server has."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from tams_server.client import Client, Listing, calls
from tams_server.client.documents import Segment
from tams_server.client_cli import columns
from tams_server.client_cli.columns import chosen
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK, WRONG_USE, CommandError
from tams_server.client_cli.filters import add_filters, filters_of
from tams_server.client_cli.kinds import find
from tams_server.client_cli.parsers import Subparsers, add_command, positive
from tams_server.client_cli.tables import Column

LS = """
List what a server has. Lines come as the server sends them, page by page, to the end.

  tams ls flows --format video --tag genre=news
  tams ls sources --label "Camera 1" -o json
  tams ls segments FLOW --timerange "[0:0_60:0)"
  tams ls flows --columns id,label,tags.genre,essence_parameters.frame_width
  tams ls flows -o id | head -3

'tams ls KIND --help' has the filters of each kind.
"""
SOURCES = """
List sources, those that pass all filters.

  tams ls sources --format audio
  tams ls sources --tag genre=news --tag genre=sport      either value
  tams ls sources --no-tag archived
"""
FLOWS = """
List flows, those that pass all filters.

  tams ls flows --source 4f1c1e1a-6c0f-4ac3-9f0d-9d5e3c9f2b10
  tams ls flows --codec video/h264 --where frame_width=1920
  tams ls flows --timerange "[1700000000:0_1700003600:0)"     with content in this hour
  tams ls flows --columns id,tags.genre,created
"""
SEGMENTS = """
List the segments of a flow in the order of time.

  tams ls segments FLOW --timerange "[0:0_60:0)"
  tams ls segments FLOW --urls -o json          with the URLs of their media
  tams ls segments FLOW --reverse --limit 1     the last one
"""
OBJECTS = """
List the objects that the segments of a flow use, each once, with the first timerange that uses
it. (TAMS has no list of all objects.)

  tams ls objects FLOW --timerange "[0:0_60:0)"
"""
WEBHOOKS = """
List the webhooks, with their state and last error.

  tams ls webhooks --columns id,status,url,error.summary
"""
DELETIONS = """
List the deletions that the server carries out in the background (flow delete requests).

  tams ls deletions
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command and the kinds that it lists."""
    kinds = add_command(subparsers, "ls", ls_nothing, "list sources, flows, segments and more", LS).add_subparsers(
        required=True, metavar="KIND"
    )
    sources = add_command(kinds, "sources", ls_sources, "list sources", SOURCES)
    add_filters(sources, "label", "format", "tag", "collected_by_ids", "sort_by")
    flows = add_command(kinds, "flows", ls_flows, "list flows", FLOWS)
    add_filters(
        flows, "label", "format", "codec", "source_id", "timerange", "status", "tag", "collected_by_ids", "sort_by"
    )
    segments = add_command(kinds, "segments", ls_segments, "list the segments of a flow", SEGMENTS)
    segments.add_argument("flow", metavar="FLOW", help="id of the flow")
    add_filters(segments, "timerange", "object_id", "tag")
    segments.add_argument("--urls", action="store_true", help="with the URLs of their media")
    objects = add_command(kinds, "objects", ls_objects, "list the objects that a flow uses", OBJECTS)
    objects.add_argument("flow", metavar="FLOW", help="id of the flow")
    add_filters(objects, "timerange")
    webhooks = add_command(kinds, "webhooks", ls_webhooks, "list webhooks", WEBHOOKS)
    add_filters(webhooks, "tag")
    deletions = add_command(kinds, "deletions", ls_deletions, "list deletions that are under way", DELETIONS)
    for each in (sources, flows, segments, objects, webhooks, deletions):
        each.add_argument(
            "--columns", metavar="NAMES", help="columns of the table: members such as id,label,tags.genre"
        )
        each.add_argument("--limit", type=positive, metavar="N", help="at most so many (default: all)")


def ls_nothing(_options: argparse.Namespace, _context: Context) -> int:
    """Never run, since a kind is required."""
    raise CommandError("name what to list: tams ls --help", WRONG_USE)


def ls_sources(options: argparse.Namespace, context: Context) -> int:
    """List sources."""
    return _listed(options, context, calls.sources(**filters_of(options)), columns.SOURCES)


def ls_flows(options: argparse.Namespace, context: Context) -> int:
    """List flows."""
    return _listed(options, context, calls.flows(**filters_of(options)), columns.FLOWS)


def ls_segments(options: argparse.Namespace, context: Context) -> int:
    """List the segments of a flow."""
    listing = _segments(options, with_urls=options.urls)
    shown = columns.SEGMENTS_WITH_URLS if options.urls else columns.SEGMENTS
    return _listed(options, context, listing, shown, "object_id", partial(_collected, flow_id=options.flow))


def ls_objects(options: argparse.Namespace, context: Context) -> int:
    """List the objects of a flow, each once."""
    listing = _segments(options, with_urls=False)

    def each_once(client: Client) -> Iterator[dict[str, Any]]:
        seen = set[int]()  # of hashes, which are smaller than ids
        for segment in client.iterate(listing):
            if (known := hash(segment["object_id"])) not in seen:
                seen.add(known)
                yield {"id": segment["object_id"], "timerange": segment["timerange"]}

    with context.client() as client:
        if not _print(options, context, each_once(client), columns.OBJECTS):
            _note_nothing(context, _collected(client, options.flow))
    return OK


def ls_webhooks(options: argparse.Namespace, context: Context) -> int:
    """List webhooks."""
    return _listed(options, context, calls.webhooks(**filters_of(options)), columns.WEBHOOKS)


def ls_deletions(options: argparse.Namespace, context: Context) -> int:
    """List flow delete requests."""
    return _listed(options, context, calls.flow_delete_requests(), columns.DELETIONS)


def _segments(options: argparse.Namespace, *, with_urls: bool) -> Listing[Segment]:
    listing = calls.segments(options.flow, with_urls=with_urls)
    return Listing(listing.path, {**listing.params, **filters_of(options)})


def _collected(client: Client, flow_id: str) -> str:
    """What to say if nothing is found in a flow: which flows it collects, if it does.

    Raises CommandError if there is no such flow, of which some servers list no segments.
    """
    members = [each["id"] for each in find(client, flow_id, ("flow",)).document.get("flow_collection", [])]
    return f"nothing found in flow {flow_id}, which collects {', '.join(members)}" if members else ""


def _listed(
    options: argparse.Namespace,
    context: Context,
    listing: Listing[Any],
    shown: Sequence[Column],
    name: str = "id",
    explain: Callable[[Client], str] | None = None,
) -> int:
    """List items. name: of the member that is an item's id. explain: says why there are none, if it can."""
    if options.limit and "limit" in listing.params:
        limit = str(min(options.limit, calls.PAGE))
        listing = Listing(listing.path, {**listing.params, "limit": limit})
    with context.client() as client:
        count = _print(options, context, client.iterate(listing), shown, name)
        if not count:
            _note_nothing(context, explain(client) if explain else "")
    return OK


def _note_nothing(context: Context, reason: str) -> None:
    if context.output.format == "table":
        context.note(reason or "nothing found")


def _print(
    options: argparse.Namespace, context: Context, items: Iterable[Any], shown: Sequence[Column], name: str = "id"
) -> int:
    """Print items. Returns how many there were."""
    limited = islice(items, options.limit)
    return context.output.listing(limited, chosen(options.columns, shown), lambda item: str(item[name]))
