"""tams version: of this command, and of the server."""

import argparse
import platform

from tams_server.client import calls
from tams_server.client_cli import contexts_file
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK
from tams_server.client_cli.parsers import Subparsers, add_command
from tams_server.version import software_version

VERSION = """
Print the version of this command, and the server's if one is set up.

  tams version
  tams version -o json
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    add_command(subparsers, "version", run, "print versions of this command and of the server", VERSION)


def run(_options: argparse.Namespace, context: Context) -> int:
    """Print the versions."""
    versions = {"tams": software_version(), "python": platform.python_version()}
    if context.name or context.environ.get("TAMS_URL") or contexts_file.read(context.path).used:
        with context.client() as client:
            service = client.send(calls.service())
            versions |= {
                "server": client.url,
                "api": str(service.get("api_version", "")),
                "service": " ".join(str(service[name]) for name in ("name", "service_version") if name in service),
            }
    context.output.document(versions, lambda each: str(each["tams"]))
    return OK
