"""tams cut: edit by reference."""

import argparse
import os
import sys

from storage.errors import Invalid
from storage.timerange import parse_timestamp
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK, WRONG_USE, CommandError
from tams_server.client_cli.filters import pair
from tams_server.client_cli.media_extra import media_extra, next_steps
from tams_server.client_cli.parsers import Subparsers, add_command

CUT = """
Make a new flow of parts of other flows. No media are copied: the new flow refers to the same
objects. Cuts are exact to the frame; pictures and sound of multi flows are cut at the same times.

  tams cut list.txt --label "Highlights"
  tams cut edit.otio --label "Evening news"
  printf '4f1f... [10:0_20:0)\\n4f1f... [60:0_65:0)\\n' | tams cut - --label "Two parts"

A list has an entry a line, played one after another:

  FLOW [10:0_20:0)            # a flow, and which of its time
  gap 2:500000000             # nothing for two and a half seconds
  FLOW [0:0_5:0) at 60:0      # placed on the new timeline
  {"flow": "FLOW", "timerange": "[0:0_5:0)"}

All flows of a list must have the same format, codec, container and size. In OpenTimelineIO a clip
names its flow by the media URL tams:FLOW, and its source range counts in that flow's time.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "cut", run, "make a flow of parts of others, without copying", CUT)
    parser.add_argument("list", metavar="LIST|EDIT.otio|-", help="what to put together; - is standard input")
    parser.add_argument("--label", default="Cut", metavar="TEXT", help="of the new flow and its source (default: Cut)")
    parser.add_argument("--start", default="0:0", metavar="TIMESTAMP", help="where it begins (default: 0:0)")
    parser.add_argument("--flow", metavar="ID", help="id of the new flow (default: a new one)")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="of the new flows; repeat it")


def run(options: argparse.Namespace, context: Context) -> int:
    """Cut, and print the new flow."""
    with media_extra():
        return _run(options, context)


def _run(options: argparse.Namespace, context: Context) -> int:
    from tams_server.client_media.cut_list import read_list
    from tams_server.client_media.otio_list import read_otio
    from tams_server.client_media.reference_cut import ReferenceCut

    try:
        start = parse_timestamp(options.start, "--start")
    except Invalid as error:
        raise CommandError(str(error), WRONG_USE) from error
    if options.list != "-" and not os.path.exists(options.list):
        raise CommandError(f"there is no file {options.list!r}", WRONG_USE)
    tags = dict(pair(each, "--tag") for each in options.tag)
    if options.list == "-":
        entries = read_list(sys.stdin, start)
    elif options.list.endswith(".otio"):
        entries = read_otio(options.list, start)
    else:
        with open(options.list, encoding="utf-8") as lines:
            entries = read_list(lines, start)
    with context.client() as client:
        result = ReferenceCut(client, entries, options.label, tags).make(options.flow)
    for missing in result.missing:
        context.note(f"gap: there is no media in {missing}")
    document = {
        "id": result.flow_id,
        "source_id": result.source_id,
        "label": options.label,
        "timerange": str(result.timerange),
        "segments": sum(count for _, count in result.members),
    }
    context.output.document(document)
    next_steps(
        context,
        (f"tams show {result.flow_id}", "the new flow"),
        (f"tams play {result.flow_id}", "watch it"),
        (f"tams export {result.flow_id} out.mp4", "write it to a file"),
    )
    return OK
