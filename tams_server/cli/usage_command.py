"""tams-server usage: list the bytes that principals have stored."""

import argparse
from dataclasses import asdict

import orjson

from tams_server.cli.catalog_access import open_catalog
from tams_server.cli.output import print_line, print_lines
from tams_server.settings import Loaded

USAGE = """
List the bytes that each principal has stored, the greatest first, with its quota.

Bytes are counted only while TAMS_QUOTA_STORED_BYTES or an entry of TAMS_QUOTA_FILE sets a
quota of stored bytes for somebody; docs/limits.md says from when on and until when.
"""


def usage(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print a line for each principal, or a JSON document."""
    with open_catalog(loaded.settings) as catalog:
        found = catalog.usage.list_all()
    if options.json:
        print_lines(orjson.dumps([asdict(each) for each in found], option=orjson.OPT_INDENT_2).decode())
        return 0
    if not found:
        print_line("no bytes are charged to anybody")
    for each in found:
        limit = "no quota" if each.quota is None else f"{each.stored_bytes / each.quota:.1%} of {each.quota:,}"
        print_line(f"{each.stored_bytes:>20,} bytes  {each.principal}  ({limit})")
    return 0
