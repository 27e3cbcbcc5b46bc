"""tams watch: what changes on a server, as it happens."""

import argparse
import signal
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any, get_args

from tams_server.client import ApiError, Client
from tams_server.client.errors import shown_url
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK
from tams_server.client_cli.event_polling import polled
from tams_server.client_cli.event_receiver import EventReceiver, EventType, Wanted, is_local
from tams_server.client_cli.parsers import Subparsers, add_command, positive
from tams_server.client_cli.stop_signal import interrupt

WATCH = """
Print events as they happen: sources and flows that are created, updated or deleted, segments
that are added or deleted. Ends with Ctrl-C.

  tams watch
  tams watch --flow FLOW --event flows/segments_added -o json
      one JSON object a line, as TAMS sends them to webhooks
  tams watch --count 1 --flow FLOW && echo "it has changed"
  tams watch --webhook http://my-host:9000/
      when the server reaches this machine by that URL

With a server on this machine, or with --webhook, events are received by a webhook that is
registered for the time. Otherwise, and if the server does not accept that webhook, listings are
polled. Polling sees changes late, and several as one. It finds segments that were added at the
end of a flow, and reports any other change of segments as flows/segments_changed, which is no
event of TAMS.
"""
EVENTS: tuple[EventType, ...] = get_args(EventType)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "watch", run, "print events as they happen", WATCH)
    group = parser.add_argument_group("filters")
    whose = group.add_mutually_exclusive_group()
    whose.add_argument("--flow", action="append", default=[], metavar="ID", help="of this flow; may be repeated")
    whose.add_argument(
        "--source", action="append", default=[], metavar="ID", help="of this source and its flows; may be repeated"
    )
    group.add_argument(
        "--event", action="append", choices=EVENTS, metavar="NAME", help=f"may be repeated: {', '.join(EVENTS)}"
    )
    parser.add_argument("--count", type=positive, metavar="N", help="end after so many events")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--webhook", metavar="URL", help="the URL at which the server reaches this machine")
    how.add_argument("--poll", action="store_true", help="poll listings")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where to listen for --webhook (default: all addresses, its port)"
    )
    parser.add_argument(
        "--interval", type=positive, default=5, metavar="SECONDS", help="between two polls (default: 5)"
    )
    parser.set_defaults(wrong_use=parser.error)


def run(options: argparse.Namespace, context: Context) -> int:
    """Print events until there are enough, or a signal ends it."""
    if options.listen and not options.webhook:
        options.wrong_use("--listen needs --webhook")
    signal.signal(signal.SIGTERM, interrupt)
    with context.client() as client, closing(_events(client, options, context)) as events:
        for event in islice(events, options.count):
            if context.output.format in ("json", "yaml"):  # a line of JSON is a document of YAML, too
                context.output.json_line(event)
            elif context.output.format == "id":
                context.output.line(_subject(event["event"]))
            else:
                _show(event, context)
    return OK


def _events(client: Client, options: argparse.Namespace, context: Context) -> Generator[dict[str, Any], None, None]:
    """Events by a webhook if the server accepts it, else by polling."""
    wanted = Wanted(tuple(options.event or EVENTS), tuple(options.flow), tuple(options.source))
    if not options.poll and (options.webhook or is_local(client.url)):
        with ExitStack() as stack:
            receiver = EventReceiver(client, wanted, options.webhook or "", options.listen or "")
            try:
                stack.enter_context(receiver)
            except ApiError as error:
                if options.webhook:
                    raise
                context.note(f"the server does not accept a webhook to this machine: {error.reason}")
            else:
                context.note(f"receiving events of {client.url} at {shown_url(receiver.url)}")
                yield from receiver.events()
    note = f"polling {client.url} every {options.interval} s"
    yield from polled(client, wanted, options.interval, lambda: context.note(note))


def _show(event: Mapping[str, Any], context: Context) -> None:
    """Print an event as one line for people."""
    content = event["event"]
    segments = content.get("segments") or []
    label = (content.get("flow") or content.get("source") or {}).get("label", "")
    if segments:
        detail = f"{segments[0]['timerange']}" + (f" and {len(segments) - 1} more" if len(segments) > 1 else "")
    else:
        detail = str(content.get("timerange", label))
    context.output.styled_line(
        (f"{str(event['event_timestamp'])[:19]}Z ", "dim"),
        (f"{event['event_type']:22} ", "bold"),
        (f"{_subject(content)}  {detail}".rstrip(), ""),
    )


def _subject(content: Mapping[str, Any]) -> str:
    """The id of the flow or source that an event is about."""
    about = content.get("flow") or content.get("source") or {}
    return str(about.get("id") or content.get("flow_id") or content.get("source_id") or "")
