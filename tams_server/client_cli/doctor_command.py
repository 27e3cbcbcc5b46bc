"""tams doctor: whether a server can be used as it is set up."""

import argparse

from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import FAILED, OK
from tams_server.client_cli.parsers import Subparsers, add_command
from tams_server.client_cli.tables import Column

DOCTOR = """
Examine whether a TAMS server can be used: is it reachable, which rights do the credentials
give, do links between pages work, can browsers use it (CORS), can media be read, do the clocks
agree, how fast does it respond. Each line is ok, warn or fail, with what to do about it.

  tams doctor
  tams doctor --write
      also creates a flow, uploads a small object to each storage backend, reads it back,
      compares it, and deletes the flow
  tams doctor --context studio -o json

Nothing is changed without --write. The exit status is 1 if a line says fail.
"""
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "doctor", run, "examine whether a server can be used", DOCTOR)
    parser.add_argument("--write", action="store_true", help="also write, read back and delete")


def run(options: argparse.Namespace, context: Context) -> int:
    """Print a line for each check as it is made. Return 1 if one failed."""
    from tams_server.client_cli.doctor.examination import examine

    failed, output = False, context.output
    findings = examine(context.server(), write=options.write)
    if output.format != "table":
        found = list(findings)
        columns = [Column("CHECK", lambda each: each["check"])]
        output.listing([each.document() for each in found], columns, lambda each: f"{each['state']} {each['check']}")
        return FAILED if any(each.state == "fail" for each in found) else OK
    for finding in findings:
        output.styled_line((f"{finding.state:5}", _STYLES[finding.state]), (f"{finding.check:13}{finding.message}", ""))
        if finding.remedy:
            output.styled_line((f"{'':18}{finding.remedy}", "dim"))
        failed = failed or finding.state == "fail"
    return FAILED if failed else OK
