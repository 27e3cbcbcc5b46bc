"""tams show: one resource, whatever its id stands for."""

import argparse

from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK
from tams_server.client_cli.kinds import KINDS, find
from tams_server.client_cli.parsers import Subparsers, add_command

SHOW = """
Show what an id stands for: a flow, a source, an object, a webhook, a deletion or a profile.

  tams show 4f1c1e1a-6c0f-4ac3-9f0d-9d5e3c9f2b10
      says what it is, then its members. A flow has its timerange.
  tams show studio/2026/clip-0001.ts
      an object, with its URLs and the flows that use it
  tams show ID --as source -o json
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "show", run, "show a flow, source, object or webhook by its id", SHOW)
    parser.add_argument("id", metavar="ID", help="id of anything")
    parser.add_argument("--as", dest="kind", choices=KINDS, help="only if it is this")


def run(options: argparse.Namespace, context: Context) -> int:
    """Print the document, and on standard error what it is."""
    with context.client() as client:
        found = find(client, options.id, (options.kind,) if options.kind else KINDS)
    context.note(found.name)
    context.output.document(found.document)
    return OK
